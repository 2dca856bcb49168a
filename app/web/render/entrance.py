"""What strangers see: the page to sign in, or a demo's terms. It stands alone, runs no script, and names nobody."""

from app.web.render.basics import escape
from app.web.render.page import MARK
from app.web.texts import language, t

STYLE = """
:root{color-scheme:light dark;--ground:#f7f6f1;--ink:#1c2520;--quiet:#566059;--line:#cdc9bc;--field:#fff;--pine:#24523c;
--on:#fff;--bad:#9a2b1f}
@media(prefers-color-scheme:dark){:root{--ground:#101512;--ink:#e5ebe6;--quiet:#9da196;--line:#3d4741;--field:#19201c;
--pine:#8fbba2;--on:#0c1f17;--bad:#f0a79d}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;
background:var(--ground);color:var(--ink);font:16px/1.5 ui-sans-serif,system-ui,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:23rem}svg{width:3rem;height:3rem;fill:none;stroke:var(--pine);stroke-width:1.8;
stroke-linecap:round}h1{margin:.4rem 0 0;font-size:1.5rem}p{margin:.2rem 0 1.4rem;color:var(--quiet)}
label{display:block;margin:.9rem 0 .25rem;font-weight:600}
input{width:100%;padding:.6rem .7rem;font:inherit;color:inherit;
background:var(--field);border:1px solid var(--line);border-radius:.5rem}
button{margin-top:1.3rem;width:100%;padding:.65rem;font:inherit;font-weight:600;color:var(--on);background:var(--pine);
border:0;border-radius:.5rem;cursor:pointer}:focus-visible{outline:2px solid var(--pine);outline-offset:2px}
.bad{margin:0 0 .5rem;color:var(--bad)}li{margin:.3rem 0}ul{padding-left:1.2rem;color:var(--quiet)}
"""


def sign_in(refused: str | None, to: str, who: str = "") -> str:
    """`refused`: why the last try failed; `to`: where the person wanted to go; `who`: the name of the last try."""
    at_name, at_password = (" autofocus", "") if not who else ("", " autofocus")
    return _page(
        t("Sign in"),
        f'<p>{t("Sign in to your library.")}</p>{_refusal(refused)}<form method="post" action="/login">{_to(to)}'
        f'<label for="name">{t("Name")}</label><input id="name" name="name" autocomplete="username" '
        f'autocapitalize="none" value="{escape(who)}" required{at_name} maxlength="64">'
        f'<label for="password">{t("Password")}</label><input id="password" name="password" '
        f'type="password" autocomplete="current-password" required{at_password} maxlength="200">'
        f"<button>{t('Sign in')}</button></form>",
    )


def welcome(refused: str | None, terms: str) -> str:
    """The terms of a public demo, and the way in."""
    return _page(
        t("Demo"),
        f"<p>{t('Reads whole documents. Answers with citations it has checked.')}</p>{_refusal(refused)}"
        f'<p>{escape(terms)}</p><form method="post" action="/login"><button>{t("Look around")}</button></form>',
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8"><title>'
        f"{escape(title)} · Longleaf</title>"
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{STYLE}</style></head><body><main>{MARK}<h1>Longleaf</h1>{body}</main></body></html>"
    )


def _refusal(sentence: str | None) -> str:
    return f'<p class="bad" role="alert">{escape(sentence)}</p>' if sentence else ""


def _to(to: str) -> str:
    return f'<input type="hidden" name="to" value="{escape(to)}">'
