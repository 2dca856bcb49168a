"""The administration's page: it stands alone, runs no script, and shows counts and sizes, never what is in them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.people import MAX_PASSWORD, MIN_PASSWORD
from app.settings import Settings
from app.web.render.basics import escape, size
from app.web.render.entrance import STYLE
from app.web.render.page import MARK
from app.web.texts import language, noted, number, t, tn
from ingest.options import Limits

if TYPE_CHECKING:
    from app.web.host.admin import HomeFacts

_MORE = """
body{display:block;padding:2rem clamp(1rem,4vw,3rem)}main{max-width:84rem;margin:auto}
h2{margin:2.2rem 0 .5rem;font-size:1.1rem}.scroll+p{margin-top:.8rem}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.6rem}table{border-collapse:collapse;width:100%;
font-size:.92rem;font-variant-numeric:tabular-nums}th,td{padding:.5rem .65rem;text-align:left;white-space:nowrap;
border-bottom:1px solid var(--line)}tr:last-child>*{border-bottom:0}thead th{color:var(--quiet);font-weight:600}
td form{display:inline-flex;gap:.4rem;margin:0;vertical-align:middle}td button{margin:0;
width:auto;padding:.3rem .7rem;font-size:.88rem}td input{width:4.6rem;padding:.3rem .5rem}
small{color:var(--quiet);font-weight:400}td:nth-child(2){white-space:normal;min-width:14rem}summary{cursor:pointer}

dl{display:grid;
grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:0}dt{color:var(--quiet)}dd{margin:0}a{color:var(--pine)}
.quiet{background:none;color:var(--pine);border:1px solid var(--line)}
"""


STAGES = {
    "waiting": noted("waiting"),
    "parse": noted("being opened"),
    "index": noted("being indexed"),
    "read": noted("being read"),
}


def page(who: str, homes: "Sequence[HomeFacts]", settings: Settings, *, has_audit: bool, said: str = "") -> str:
    """`said`: why the last change was not made."""
    refused = f'<p class="bad" role="alert">{escape(said)}</p>' if said else ""
    audit = f'<p><a href="/admin/audit.jsonl" download>{t("Download the audit log")}</a></p>' if has_audit else ""
    return (
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8"><title>{t("Administration")} · Longleaf'
        "</title>"
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{STYLE}{_MORE}</style></head><body><main>{MARK}<h1>{t('Administration')}</h1>"
        f'<p>{t("Signed in as {person}.", person=escape(who))} <a href="/">{t("Back to your library")}</a></p>{refused}'
        f"{_people(homes)}{audit}"
        f"{_limits(settings)}</main></body></html>"
    )


def _people(homes: "Sequence[HomeFacts]") -> str:
    total = size(sum(home.total_bytes for home in homes))
    heads = (
        t("Person"), t("Stored"), t("Documents"), t("Answers"), t("At work"), t("Signed in"), t("Kept, in hours"),
    )  # fmt: skip
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    rows = "".join(map(_row, homes))
    return (
        f"<h2>{t('People and storage')}: {total}</h2>"
        f"<div class='scroll' tabindex='0' role='region' aria-label='{t('People')}'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(home: "HomeFacts") -> str:
    account = home.account
    named = escape(account.name) if account else f"<i>{t('removed')}</i>"
    admin = f" <small>{t('administrator')}</small>" if account and account.is_admin else ""
    parts = "; ".join(
        f"{size(amount)} {escape(t(label))}" for label, amount in sorted((home.sizes or {}).items()) if amount
    )
    jobs = ", ".join(f"{amount} {escape(t(STAGES.get(stage, stage)))}" for stage, amount in (home.jobs or {}).items())
    working = t("not opened") if home.jobs is None else jobs or t("nothing")
    return (
        f'<tr><th scope="row">{named}{admin}<br><small>people/{escape(home.home)}</small></th>'
        f"<td>{size(home.total_bytes)}<br><small>{parts}</small></td><td>{number(home.documents)}</td>"
        f"<td>{number(home.answers)}</td><td>{working}</td>{_forms(home)}</tr>"
    )


def _forms(home: "HomeFacts") -> str:
    account = home.account
    if account is None:
        return (
            f'<td></td><td><details><summary>{t("Delete")}</summary><form method="post" action="/admin">'
            '<input type="hidden" name="act" value="delete-home">'
            f'<input type="hidden" name="home" value="{escape(home.home)}">'
            f'<button class="quiet">{t("For good")}</button></form></details></td>'
        )
    who = f'<input type="hidden" name="name" value="{escape(account.name)}">'
    out = (
        f'<form method="post" action="/admin">{who}<input type="hidden" name="act" value="sign-out">'
        f'<button class="quiet">{t("Sign out")}</button></form>'
        if home.sessions
        else ""
    )
    hours = "" if account.keep_hours is None else f"{account.keep_hours:g}"
    keep = (
        f'<form method="post" action="/admin">{who}<input type="hidden" name="act" value="keep">'
        f'<input name="hours" inputmode="decimal" value="{hours}" placeholder="{t("as all")}" '
        f'aria-label="{t("Hours that the documents of {person} are kept", person=escape(account.name))}">'
        f'<button class="quiet">{t("Set")}</button></form>'
    )
    signed_in = tn("{n} session", "{n} sessions", home.sessions) if home.sessions else t("no")
    return f"<td>{signed_in} {out}</td><td>{keep}</td>"


def _limits(settings: Settings) -> str:
    limits = Limits()
    hours, gigabytes = settings.keep_hours, settings.kv_disk_gb
    kept = t("for good") if hours is None else t("{hours} hours", hours=f"{hours:g}")
    disk = t("no limit") if gigabytes is None else t("{gb} GB of readings for each person", gb=f"{gigabytes:g}")
    one = (size(limits.max_file_bytes), number(limits.max_pages))
    many = (size(limits.max_archive_bytes), number(limits.max_archive_members))
    rows = (
        (t("Documents and answers are kept"), t("{kept}, unless a person has hours of their own above", kept=kept)),
        (t("Disk"), disk),
        (t("One file"), t("{size}, {pages} pages", size=one[0], pages=one[1])),
        (t("One upload, or what an archive holds"), t("{size}, {files} files", size=many[0], files=many[1])),
        (
            t("At once"),
            t("one answer, one reading, two sources parsed; questions go in the order in which they came"),
        ),
        (t("Passwords"), t("{least} to {most} characters", least=MIN_PASSWORD, most=MAX_PASSWORD)),
        (t("Audit log"), t("kept") if settings.audit else t("not kept")),
    )
    items = "".join(f"<dt>{escape(term)}</dt><dd>{escape(fact)}</dd>" for term, fact in rows)
    return f"<h2>{t('Limits')}</h2><dl>{items}</dl>"
