"""Fragments of the library panel: the documents, the work that goes on, receipts and the sample starters."""

from collections.abc import Collection, Sequence

from app.jobs import JobStatus
from app.service import Entry, Receipt
from app.web.render.basics import bar, button, count, duration, escape, icon, name, number, size
from ingest.document import Kind, Problem, Severity

KIND_NAMES = {
    Kind.PDF: "PDF",
    Kind.IMAGE: "Image",
    Kind.OFFICE: "Office",
    Kind.TEXT: "Text",
    Kind.CODE: "Code",
    Kind.MAP: "Map",
    Kind.FOLDER: "Folder",
}
SEVERITY_NAMES = {
    Severity.LEFT_OUT: "not read",
    Severity.DEGRADED: "read with doubts",
    Severity.NOTICE: "worth knowing",
}
STAGE_NAMES = {
    "waiting": "Waiting for its turn",
    "parse": "Opening",
    "read": "Reading",
    "index": "Indexing",
    "failed": "Not added",
    "cancelled": "Cancelled",
}
MAX_PROBLEMS_SHOWN = 200


def drop_zone() -> str:
    """Where files are dropped or chosen; the browser sends them (assets/theme/longleaf.js)."""
    return (
        '<div class="ll-dropzone" data-drop><p class="ll-drop-title">Drop files, a folder or a zip</p>'
        '<p class="ll-drop-buttons"><button type="button" class="ll-button" data-pick="files">Choose files</button>'
        '<button type="button" class="ll-button" data-pick="folder">Choose a folder</button></p>'
        '<input type="file" multiple hidden data-files="files" aria-label="Files to add">'
        '<input type="file" webkitdirectory hidden data-files="folder" aria-label="Folder to add">'
        '<div class="ll-sending" hidden role="status"><p class="ll-meta" data-sending></p>'
        '<div class="ll-bar"><i></i></div>'
        '<button type="button" class="ll-link" data-stop-sending>Stop</button></div></div>'
    )


def document_list(entries: Sequence[Entry], chosen: Collection[str], confirming: str | None) -> str:
    """Newest first. `confirming` is the document whose deletion waits for a yes."""
    if not entries:
        return '<p class="ll-quiet">No documents yet.</p>'
    rows = "".join(_row(entry, entry.id in chosen, entry.id == confirming) for entry in entries)
    return f'{_choose_all(entries, chosen)}<ul class="ll-docs" aria-label="Documents">{rows}</ul>'


def _choose_all(entries: Sequence[Entry], chosen: Collection[str]) -> str:
    if len(entries) < 2:
        return ""
    chosen_count = sum(entry.id in chosen for entry in entries)
    everything = chosen_count == len(entries)
    label = "Choose none" if everything else "Choose all"
    return (
        f'<p class="ll-choose"><span>{chosen_count} of {len(entries)} chosen</span>'
        f"{button(label, 'choose-none' if everything else 'choose-all', css='ll-link')}</p>"
    )


def _row(entry: Entry, is_chosen: bool, is_confirming: bool) -> str:
    checked = " checked" if is_chosen else ""
    return (
        f'<li class="ll-doc{" ll-doc-chosen" if is_chosen else ""}">'
        f'<input type="checkbox" data-act="choose" data-arg="{escape(entry.id)}" '
        f'aria-label="Ask about {escape(entry.name)}"{checked}>'
        f'<div class="ll-doc-body">'
        f"{button(name(entry.name), 'open', entry.id, css='ll-doc-name', aria='Show ' + entry.name)}"
        f'<p class="ll-meta">{_facts(entry)}</p>{problems(entry.problems)}</div>'
        f"{button(icon('bin'), 'delete', entry.id, css='ll-round', aria='Delete ' + entry.name)}"
        f"{_confirm(entry) if is_confirming else ''}</li>"
    )


def _facts(entry: Entry) -> str:
    facts = [KIND_NAMES[entry.kind], count(entry.pages, "page")]
    if entry.tokens is not None:
        facts.append(count(entry.tokens, "token"))
    if not entry.is_read:
        facts.append("not read yet")
    return " · ".join(facts)


def sample_links(files: Sequence[str]) -> str:
    """Samples that are not in the library, as small links."""
    if not files:
        return ""
    links = " ".join(button(name(file), "sample", file, css="ll-link", aria=f"Add the sample {file}") for file in files)
    return f'<p class="ll-samples">Samples: {links}</p>'


def _confirm(entry: Entry) -> str:
    return (
        f'<div class="ll-confirm" role="alertdialog" aria-label="Delete {escape(entry.name)}?">'
        "<p>Delete it with its pages, what was read, and the answers that used it? This cannot be undone.</p>"
        f"{button('Delete', 'delete-yes', entry.id, css='ll-button ll-danger')}"
        f"{button('Keep', 'delete-no', entry.id)}</div>"
    )


def problems(items: Sequence[Problem]) -> str:
    """A badge with the count that opens into the list; nothing where there are none."""
    if not items:
        return ""
    worst = min((list(Severity).index(item.severity) for item in items), default=0)
    shown = "".join(_problem(item) for item in items[:MAX_PROBLEMS_SHOWN])
    more = f"<li>… and {number(len(items) - MAX_PROBLEMS_SHOWN)} more.</li>" if len(items) > MAX_PROBLEMS_SHOWN else ""
    label = count(len(items), "problem") if worst < 2 else count(len(items), "note")
    return (
        f'<details class="ll-problems ll-severity-{list(Severity)[worst].value}"><summary>{label}</summary>'
        f"<ul>{shown}{more}</ul></details>"
    )


def _problem(item: Problem) -> str:
    where = name(item.source) + (f", page {item.page_no}" if item.page_no is not None else "")
    return (
        f'<li><b>{where}</b> <span class="ll-tag">{SEVERITY_NAMES[item.severity]}</span><br>'
        f"{escape(item.what)}: {escape(item.why)}</li>"
    )


def job_list(jobs: Sequence[JobStatus]) -> str:
    """The work that goes on, and what failed until it is dismissed."""
    if not jobs:
        return ""
    return f'<ul class="ll-jobs" aria-label="Being read">{"".join(_job(job) for job in jobs)}</ul>'


def _job(job: JobStatus) -> str:
    over = job.stage in ("failed", "cancelled")
    act, verb = ("dismiss", "Dismiss") if over else ("cancel", "Cancel")
    detail = f'<p class="ll-error">{escape(job.error)}</p>' if job.error else ""
    progress = "" if over else bar(job.done, job.total if job.stage != "waiting" else 0, f"Progress of {job.name}")
    return (
        f'<li class="ll-job ll-job-{escape(job.stage)}"><div class="ll-doc-body">'
        f'<p class="ll-job-name">{name(job.name)}</p>'
        f'<p class="ll-meta">{job_facts(job)}</p>{progress}{detail}</div>'
        f"{button(icon('cross'), act, job.id, css='ll-round', aria=f'{verb} {job.name}')}</li>"
    )


def job_facts(job: JobStatus) -> str:
    """ "Reading 2,048 of 8,120 tokens · 310 tokens/s · about 20 s left"."""
    if job.stage == "parse" and job.entry_id is not None:
        return "Getting the model ready"
    facts = STAGE_NAMES.get(job.stage, job.stage.capitalize())
    if job.stage not in ("parse", "read", "index") or job.total <= 0:
        return escape(facts)
    facts += f" {number(job.done)} of {number(job.total)} {job.unit}"
    if job.rate_per_s:
        facts += f" · {number(job.rate_per_s) if job.rate_per_s >= 10 else f'{job.rate_per_s:.1f}'} {job.unit}/s"
    if job.eta_s:
        facts += f" · about {duration(max(1.0, job.eta_s)).replace('.0 s', ' s')} left"
    return escape(facts)


def receipt(removed: Receipt) -> str:
    """What a deletion removed, item by item."""
    rows = [
        (count(removed.originals, "original"), size(removed.original_bytes)),
        ("extracted text and positions", size(removed.parsed_bytes)),
        ("what the model had read", size(removed.reading_bytes)),
        (count(removed.answers, "answer"), ""),
    ]
    items = "".join(f"<li><span>{label}</span><span>{amount}</span></li>" for label, amount in rows)
    kept = f"<p>{count(removed.kept, 'file')} stay: other documents hold them too.</p>" if removed.kept else ""
    return notice(f"<p>Deleted {name(removed.name)}.</p><ul class='ll-receipt'>{items}</ul>{kept}")


def notice(body: str, css: str = "") -> str:
    """A message that stays until it is dismissed; `body` is HTML already."""
    closing = button(icon("cross"), "dismiss-notice", css="ll-round", aria="Dismiss this message")
    return f'<div class="ll-notice {css}" role="status"><div>{body}</div>{closing}</div>'


def refusal(sentence: str) -> str:
    return notice(f"<p>{escape(sentence)}</p>", "ll-notice-error")
