"""Fragments of the library panel: the documents, the work that goes on, receipts and the sample starters."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from app.jobs import JobStatus
from app.service import Entry, Receipt
from app.web.render.answer import place
from app.web.render.basics import bar, button, count, duration, escape, icon, name, number, size
from ingest.document import Kind, Problem, Severity
from llm.answer import Citation

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
# The browser shows it as long as it was never asked whether it may (assets/theme/longleaf.js).
NOTIFY = '<button type="button" class="ll-link ll-notify" data-toggle="notify" hidden>Tell me when it is done</button>'


def drop_zone() -> str:
    """Where files are dropped or chosen; the browser sends them (assets/theme/longleaf.js)."""
    return (
        '<div class="ll-dropzone" data-drop><p class="ll-drop-title">Drop or paste files, a folder, a zip</p>'
        '<p class="ll-drop-buttons"><button type="button" class="ll-button" data-pick="files">Choose files</button>'
        '<button type="button" class="ll-button" data-pick="folder">Choose a folder</button></p>'
        '<input type="file" multiple hidden data-files="files" aria-label="Files to add">'
        '<input type="file" webkitdirectory hidden data-files="folder" aria-label="Folder to add">'
        '<div class="ll-sending" hidden role="status"><p class="ll-meta" data-sending></p>'
        '<div class="ll-bar"><i></i></div>'
        '<button type="button" class="ll-link" data-stop-sending>Stop</button></div></div>'
    )


def document_list(
    entries: Sequence[Entry],
    chosen: Collection[str],
    confirming: str | None,
    jobs: Mapping[str, JobStatus] = MappingProxyType({}),
    *,
    tagging: str | None = None,
    query: str = "",
    share_tool: Callable[[Entry], str] = lambda entry: "",
) -> str:
    """Newest first. `confirming` is the document whose deletion waits for a yes, `tagging` whose tags are written.

    `jobs` are by document; with a `query`, only documents whose name or tags hold it are listed. `share_tool` is what
    can be done about sharing a document that is chosen.
    """
    if not entries:
        return '<p class="ll-quiet">No documents yet.</p>'
    found = [entry for entry in entries if is_named(entry, query)]
    rows = "".join(
        _row(
            entry,
            entry.id in chosen,
            entry.id == confirming,
            jobs.get(entry.id),
            _tags(entry, entry.id in chosen, entry.id == tagging, share_tool),
        )
        for entry in found
    )
    nothing = '<p class="ll-quiet">No name or tag holds that.</p>' if query and not found else ""
    return f'{_choose_all(entries, chosen)}{nothing}<ul class="ll-docs" aria-label="Documents">{rows}</ul>'


def is_named(entry: Entry, query: str) -> bool:
    """Whether every word of the query stands in the name or is the beginning of a tag."""
    low = entry.name.lower()
    return all(
        word in low or any(tag.startswith(word.lstrip("#")) for tag in entry.tags) for word in query.lower().split()
    )


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


def _row(entry: Entry, is_chosen: bool, is_confirming: bool, job: JobStatus | None, tags: str) -> str:
    checked = " checked" if is_chosen else ""
    return (
        f'<li class="ll-doc{" ll-doc-chosen" if is_chosen else ""}"{_noticed(entry, job)}>'
        f'<input type="checkbox" data-act="choose" data-arg="{escape(entry.id)}" '
        f'aria-label="Ask about {escape(entry.name)}"{checked}>'
        f'<div class="ll-doc-body">'
        f"{button(name(entry.name), 'open', entry.id, css='ll-doc-name', aria='Show ' + entry.name)}"
        f'<p class="ll-meta">{_facts(entry)}</p>{_reading(entry, job)}{tags}'
        f"{problems(entry.problems)}</div>"
        f"{button(icon('bin'), 'delete', entry.id, css='ll-round', aria='Delete ' + entry.name)}"
        f"{_confirm(entry) if is_confirming else ''}</li>"
    )


def _noticed(entry: Entry, job: JobStatus | None) -> str:
    """What the browser tells a person who looks elsewhere, once the reading is done (assets/theme/longleaf.js)."""
    key = f' data-key="{escape(entry.id)}"'
    if job is not None and job.stage == "failed":
        return f'{key} data-done="{escape(entry.name)} could not be read"'
    if job is not None and not job.is_finished:
        return f'{key} data-under-way="{escape(entry.name)}"'
    return f'{key} data-done="{escape(entry.name)} is read whole"' if entry.is_read else ""


def _facts(entry: Entry) -> str:
    facts = [KIND_NAMES[entry.kind], count(entry.pages, "page")]
    if entry.tokens is not None:
        facts.append(count(entry.tokens, "token"))
    facts.append(size(entry.size_bytes))
    if entry.kv_bytes:
        facts.append(f"{size(entry.kv_bytes)} kept")
    return " · ".join(facts)


def _reading(entry: Entry, job: JobStatus | None) -> str:
    """How far its reading is, and what can be done about that; nothing for what is read whole."""
    if job is not None and not job.is_finished:
        stop = button("Stop", "cancel", job.id, css="ll-link", aria=f"Stop reading {entry.name}")
        shown = bar(job.done, job.total, f"Progress of {entry.name}")
        facts = f'<p class="ll-meta">{job_facts(job)} {NOTIFY}</p>'
        return f'<div class="ll-reading"><div class="ll-progress">{shown}{stop}</div>{facts}</div>'
    if entry.is_read:
        return ""
    failed = job is not None and job.stage == "failed"
    error = f'<p class="ll-error">{escape(job.error)}</p>' if job is not None and failed else ""
    share = f"{100 * entry.tokens_read / entry.tokens:.0f} % read" if entry.tokens and entry.tokens_read else ""
    verb = "Try again" if failed else "Go on reading" if share else "Read whole"
    read = button(verb, "read", entry.id, css="ll-link", aria=f"{verb}: {entry.name}")
    state = f'<p class="ll-meta ll-progress"><span>{share or "not read whole yet"}</span>{read}</p>'
    return f'<div class="ll-reading">{error}{state}</div>'


def _tags(entry: Entry, is_chosen: bool, is_tagging: bool, share_tool: Callable[[Entry], str]) -> str:
    """Tags; of a chosen document they can be changed, and it can be shared."""
    if is_tagging:
        return (
            f'<input class="ll-input" data-act="tags" data-arg="{escape(entry.id)}" '
            f'value="{escape(" ".join(entry.tags))}" '
            'aria-label="Tags, with spaces between" placeholder="Tags, with spaces between" autofocus>'
        )
    shown = "".join(f'<span class="ll-tag">{escape(tag)}</span>' for tag in entry.tags)
    change = button("Change tags" if entry.tags else "Add tags", "tag", entry.id, css="ll-link") if is_chosen else ""
    change += share_tool(entry) if is_chosen else ""
    return f'<p class="ll-tags">{shown}{change}</p>' if shown or change else ""


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
    rows = "".join(_job(job, sum(not before.is_finished for before in jobs[:at])) for at, job in enumerate(jobs))
    return f'<ul class="ll-jobs" aria-label="Being read">{rows}</ul>'


def _job(job: JobStatus, ahead: int) -> str:
    """`ahead`: how many are worked on before it."""
    over = job.stage in ("failed", "cancelled")
    act, verb = ("dismiss", "Dismiss") if over else ("cancel", "Cancel")
    again = button("Try again", "retry", job.id, css="ll-link", aria=f"Try again: {job.name}, with the options above")
    detail = f'<p class="ll-error">{escape(job.error)}</p><p class="ll-meta">{again}</p>' if job.error else ""
    progress = "" if over else bar(job.done, job.total if job.stage != "waiting" else 0, f"Progress of {job.name}")
    return (
        f'<li class="ll-job ll-job-{escape(job.stage)}"><div class="ll-doc-body">'
        f'<p class="ll-job-name">{name(job.name)}</p>'
        f'<p class="ll-meta">{job_facts(job)}{_after(job, ahead)}</p>{progress}{detail}</div>'
        f"{button(icon('cross'), act, job.id, css='ll-round', aria=f'{verb} {job.name}')}</li>"
    )


def _after(job: JobStatus, ahead: int) -> str:
    return f", after {count(ahead, 'other')}" if job.stage == "waiting" and ahead else ""


def job_facts(job: JobStatus) -> str:
    """ "Reading 2,048 of 8,120 tokens · 310 tokens/s · about 20 s left"."""
    if job.stage == "parse" and job.entry_id is not None:
        return "Getting the model ready"
    if job.stage == "waiting" and job.total:
        return f"Ready for questions; {number(job.done)} of {number(job.total)} tokens read, waiting to be read whole"
    facts = STAGE_NAMES.get(job.stage, job.stage.capitalize())
    if job.stage not in ("parse", "read", "index") or job.total <= 0:
        return escape(facts)
    facts += f" {number(job.done)} of {number(job.total)} {job.unit}"
    if job.rate_per_s:
        facts += f" · {number(job.rate_per_s) if job.rate_per_s >= 10 else f'{job.rate_per_s:.1f}'} {job.unit}/s"
    if job.eta_s:
        facts += f" · about {duration(max(1.0, job.eta_s)).replace('.0 s', ' s')} left"
    return escape(facts)


def hits(found: Sequence[Citation]) -> str:
    """Passages that fit what was looked for."""
    if not found:
        return '<p class="ll-quiet">Nothing in the documents fits that.</p>'
    rows = "".join(
        f'<li><button type="button" class="ll-hit" data-act="hit" data-arg="{index}"><span class="ll-place">'
        f"{name(cite.source)}{place(cite)}</span><q>{escape(' '.join(cite.quote.split())[:200])}</q></button></li>"
        for index, cite in enumerate(found)
    )
    return f'<h3 class="ll-label">Found in the documents</h3><ul class="ll-docs">{rows}</ul>'


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
