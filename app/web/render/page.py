"""The head of the page: its name, what it does, and the switch between light and dark."""

from app.web.render.basics import escape, icon
from app.web.texts import language, languages, own_name, t

MARK = (
    '<svg class="ll-logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">'
    '<path d="M16 29V14M16 18C11 16 7.5 11.5 6.5 5M16 18c5-2 8.5-6.5 9.5-13'
    'M16 15.5C13.5 12 12.5 7.5 13 3M16 15.5c2.5-3.5 3.5-8 3-12.5"/></svg>'
)


def header(model: str | None, person: str | None = None, banner: str = "", *, is_admin: bool = False) -> str:
    """`model` is None for the packaged one; `person` is who is signed in; `banner` what everyone here must know."""
    named = f'<span class="ll-model-name">{escape(model)}</span>' if model else ""
    return (
        f'<header class="ll-header">{MARK}<div><h1 class="ll-brand">Longleaf</h1>'
        f'<p class="ll-claim">{t("Reads whole documents. Answers with citations it has checked.")}</p></div>'
        f"{named}{_signed_in(person, is_admin)}{_languages()}"
        f'<button type="button" class="ll-round" data-toggle="dark" aria-label="{t("Switch between light and dark")}" '
        f'title="{t("Light or dark")}">{icon("half")}</button></header>{_notice(banner)}'
    )


def _languages() -> str:
    """The languages that are not spoken now; the browser keeps the choice (assets/theme/longleaf.js)."""
    return "".join(
        f'<button type="button" class="ll-link" data-language="{other}" lang="{other}" title="{own_name(other)}">'
        f'{other.upper()}<span class="ll-unseen"> {own_name(other)}</span></button>'
        for other in languages()
        if other != language()
    )


def _signed_in(person: str | None, is_admin: bool) -> str:
    if person is None:
        return ""
    admin = f'<a class="ll-link" href="/admin">{t("Administration")}</a>' if is_admin else ""
    return (
        f'<form class="ll-person" method="post" action="/logout">{admin}'
        f'<span class="ll-model-name">{escape(person)}</span><button class="ll-link">{t("Sign out")}</button></form>'
    )


def _notice(banner: str) -> str:
    return f'<p class="ll-banner" role="note">{escape(banner)}</p>' if banner else ""


def modes() -> str:
    """Between one question, a table of them, and several models; switched in the browser (assets/theme/longleaf.js)."""
    return (
        f'<p class="ll-modes" role="group" aria-label="{t("What to do")}">'
        f'<button type="button" class="ll-mode" data-toggle="ask" aria-pressed="true">{t("Ask")}</button>'
        '<button type="button" class="ll-mode" data-toggle="table" aria-pressed="false" '
        f'title="{t("The same questions for many documents")}">{t("Table")}</button>'
        '<button type="button" class="ll-mode" data-toggle="compare" aria-pressed="false" '
        f'title="{t("The same question for several models")}">{t("Compare")}</button></p>'
    )
