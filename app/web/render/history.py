"""Fragments of the history panel: conversations, the one spoken in last first."""

import json
from collections.abc import Sequence

from app.service import Conversation
from app.web.render.basics import answers, button, escape, icon
from app.web.texts import t

FORMS = (("md", "MD"), ("html", "HTML"), ("json", "JSON"))


def conversations(
    items: Sequence[Conversation], current: str | None, renaming: str | None, confirming: str | None, is_judged: bool
) -> str:
    """`renaming` and `confirming` are ids; `is_judged`: there is feedback to export."""
    if not items:
        return ""
    rows = "".join(_row(item, item.id == current, item.id == renaming, item.id == confirming) for item in items)
    feedback = (
        f'<p class="ll-samples"><a class="ll-link" href="/export/feedback.json" download>{t("Export feedback")}</a> '
        f'<a class="ll-link" href="/export/feedback.json?mask=1" download>{t("masked")}</a></p>'
    )
    return (
        f'<details class="ll-history" open><summary class="ll-label">{t("History")}</summary>'
        f'<ul class="ll-docs" aria-label="{t("Conversations")}">{rows}</ul>{feedback if is_judged else ""}</details>'
    )


def kept(visit: str, talks: Sequence[tuple[Conversation, str]]) -> str:
    """What the visitor's browser keeps of this visit, and room for what it has of others (assets/theme/kept.js).

    All that there is now, as text: what was deleted is not kept there either.
    """
    told = [{"id": talk.id, "title": talk.title, "at": talk.last_at, "text": text} for talk, text in talks]
    return f'<div data-visit="{escape(visit)}" data-talks="{escape(json.dumps(told, ensure_ascii=False))}"></div>'


def _row(item: Conversation, is_current: bool, is_renaming: bool, is_confirming: bool) -> str:
    title = (
        f'<input class="ll-input" data-act="title" data-arg="{escape(item.id)}" value="{escape(item.title)}" '
        f'aria-label="{t("Name of the conversation")}" autofocus maxlength="200">'
        if is_renaming
        else button(
            escape(item.title), "conversation", item.id, css="ll-doc-name", aria=t("Open {title}", title=item.title)
        )
    )
    css = "ll-talk ll-doc-chosen" if is_current else "ll-talk"
    return (
        f'<li class="{css}"><div class="ll-doc-body">{title}'
        f'<p class="ll-meta">{answers(item.num_answers)} · {escape(item.last_at[:10])}</p>'
        f"{_tools(item) if is_current else ''}{_confirm(item) if is_confirming else ''}</div></li>"
    )


def _tools(item: Conversation) -> str:
    place = f"/export/{escape(item.id)}"
    files = " ".join(
        f'<a class="ll-link" href="{place}.{ending}" download '
        f'title="{t("Export as {form}, with citations", form=label)}">{label}</a>'
        for ending, label in FORMS
    )
    hidden = " ".join(
        f'<a class="ll-link" href="{place}.{ending}?mask=1" download '
        f'title="{t("Export as {form} with e-mail addresses, phone, card and account numbers masked", form=label)}">'
        f"{label}</a>"
        for ending, label in FORMS
    )
    rename = button(t("Rename"), "rename", item.id, css="ll-link")
    delete = button(
        icon("bin"), "delete-conversation", item.id, css="ll-round", aria=t("Delete {title}", title=item.title)
    )
    masked = f'<p class="ll-talk-tools"><span class="ll-meta">{t("Masked")}</span>{hidden}</p>'
    return f'<p class="ll-talk-tools">{rename} {files}{delete}</p>{masked}'


def _confirm(item: Conversation) -> str:
    said = t("Delete {answers}? This cannot be undone.", answers=answers(item.num_answers))
    return (
        f'<div class="ll-confirm" role="alertdialog" aria-label="{t("Delete this conversation?")}"><p>{said}</p>'
        f"{button(t('Delete'), 'delete-conversation-yes', item.id, css='ll-button ll-danger')}"
        f"{button(t('Keep'), 'keep', item.id)}</div>"
    )
