"""The administration's page: it stands alone, runs no script, and shows counts and sizes, never what is in them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.people import MAX_PASSWORD, MIN_PASSWORD
from app.settings import Settings
from app.web.render.basics import count, escape, number, size
from app.web.render.entrance import STYLE
from app.web.render.page import MARK
from ingest.options import Limits

if TYPE_CHECKING:
    from app.web.host.admin import HomeFacts

_MORE = """
body{display:block;padding:2rem clamp(1rem,4vw,3rem)}main{max-width:84rem;margin:auto}
h2{margin:2.2rem 0 .5rem;font-size:1.1rem}
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


def page(who: str, homes: "Sequence[HomeFacts]", settings: Settings, *, has_audit: bool, said: str = "") -> str:
    """`said`: why the last change was not made."""
    refused = f'<p class="bad" role="alert">{escape(said)}</p>' if said else ""
    audit = '<p><a href="/admin/audit.jsonl" download>Download the audit log</a></p>' if has_audit else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Administration · Longleaf</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{STYLE}{_MORE}</style></head><body><main>{MARK}<h1>Administration</h1>"
        f'<p>Signed in as {escape(who)}. <a href="/">Back to your library</a></p>{refused}{_people(homes)}{audit}'
        f"{_limits(settings)}</main></body></html>"
    )


def _people(homes: "Sequence[HomeFacts]") -> str:
    total = size(sum(home.total_bytes for home in homes))
    heads = ("Person", "Stored", "Documents", "Answers", "At work", "Signed in", "Kept, in hours")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    rows = "".join(map(_row, homes))
    return (
        f"<h2>People and storage: {total}</h2><div class='scroll' tabindex='0' role='region' aria-label='People'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(home: "HomeFacts") -> str:
    account = home.account
    named = escape(account.name) if account else "<i>removed</i>"
    admin = " <small>administrator</small>" if account and account.is_admin else ""
    parts = "; ".join(
        f"{size(amount)} {escape(label)}" for label, amount in sorted((home.sizes or {}).items()) if amount
    )
    jobs = ", ".join(f"{amount} {escape(stage)}" for stage, amount in (home.jobs or {}).items())
    working = "not opened" if home.jobs is None else jobs or "nothing"
    return (
        f'<tr><th scope="row">{named}{admin}<br><small>people/{escape(home.home)}</small></th>'
        f"<td>{size(home.total_bytes)}<br><small>{parts}</small></td><td>{number(home.documents)}</td>"
        f"<td>{number(home.answers)}</td><td>{working}</td>{_forms(home)}</tr>"
    )


def _forms(home: "HomeFacts") -> str:
    account = home.account
    if account is None:
        return (
            '<td></td><td><details><summary>Delete</summary><form method="post" action="/admin">'
            '<input type="hidden" name="act" value="delete-home">'
            f'<input type="hidden" name="home" value="{escape(home.home)}">'
            '<button class="quiet">For good</button></form></details></td>'
        )
    who = f'<input type="hidden" name="name" value="{escape(account.name)}">'
    out = (
        f'<form method="post" action="/admin">{who}<input type="hidden" name="act" value="sign-out">'
        '<button class="quiet">Sign out</button></form>'
        if home.sessions
        else ""
    )
    hours = "" if account.keep_hours is None else f"{account.keep_hours:g}"
    keep = (
        f'<form method="post" action="/admin">{who}<input type="hidden" name="act" value="keep">'
        f'<input name="hours" inputmode="decimal" value="{hours}" placeholder="as all" '
        f'aria-label="Hours that the documents of {escape(account.name)} are kept"><button class="quiet">Set</button>'
        "</form>"
    )
    return f"<td>{count(home.sessions, 'session') if home.sessions else 'no'} {out}</td><td>{keep}</td>"


def _limits(settings: Settings) -> str:
    limits = Limits()
    kept = "for good" if settings.keep_hours is None else f"{settings.keep_hours:g} hours"
    disk = "no limit" if settings.kv_disk_gb is None else f"{settings.kv_disk_gb:g} GB of readings for each person"
    rows = (
        ("Documents and answers are kept", f"{kept}, unless a person has hours of their own above"),
        ("Disk", disk),
        ("One file", f"{size(limits.max_file_bytes)}, {number(limits.max_pages)} pages"),
        (
            "One upload, or what an archive holds",
            f"{size(limits.max_archive_bytes)}, {number(limits.max_archive_members)} files",
        ),
        ("At once", "one answer, one reading, two sources parsed; questions go in the order in which they came"),
        ("Passwords", f"{MIN_PASSWORD} to {MAX_PASSWORD} characters"),
        ("Audit log", "kept" if settings.audit else "not kept"),
    )
    items = "".join(f"<dt>{escape(term)}</dt><dd>{escape(fact)}</dd>" for term, fact in rows)
    return f"<h2>Limits</h2><dl>{items}</dl>"
