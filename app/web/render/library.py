"""Fragments of the library panel: the documents, the work that goes on, receipts and the sample starters."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from app.jobs import JobStatus
from app.service import Entry, Receipt
from app.web.render.answer import how_far
from app.web.render.basics import (
    answers,
    bar,
    button,
    escape,
    icon,
    name,
    pages,
    place,
    size,
    time_left,
    tokens,
)  # fmt: skip
from app.web.render.quotes import quoted
from app.web.texts import noted, number, t, tn
from ingest.document import Kind, Page, Problem, Severity
from ingest.options import Limits
from llm.answer import Citation

KIND_NAMES = {
    Kind.PDF: noted("PDF"),
    Kind.IMAGE: noted("Image"),
    Kind.OFFICE: noted("Office"),
    Kind.TEXT: noted("Text"),
    Kind.CODE: noted("Code"),
    Kind.MAP: noted("Map"),
    Kind.FOLDER: noted("Folder"),
}
SEVERITY_NAMES = {
    Severity.LEFT_OUT: noted("not read"),
    Severity.DEGRADED: noted("read with doubts"),
    Severity.NOTICE: noted("worth knowing"),
}
STAGE_NAMES = {
    "waiting": noted("Waiting for its turn"),
    "parse": noted("Opening"),
    "read": noted("Reading"),
    "index": noted("Indexing"),
    "failed": noted("Not added"),
    "cancelled": noted("Cancelled"),
}
MAX_PROBLEMS_SHOWN, QUOTE_SHOWN = 200, 200


def drop_zone(limits: Limits) -> str:
    """Where files are dropped or chosen; the browser sends them (assets/theme/longleaf.js), unless they are too large.

    What is over a limit is refused there before a byte of it is sent, and by the server all the same.
    """
    room = f'data-max-file="{limits.max_file_bytes}" data-max-all="{limits.max_archive_bytes}"'
    return (
        f'<div class="ll-dropzone" data-drop {room} data-max-file-said="{size(limits.max_file_bytes)}" '
        f'data-max-all-said="{size(limits.max_archive_bytes)}">'
        f'<p class="ll-drop-title">{t("Drop or paste files, a folder, a zip")}</p>'
        f'<p class="ll-drop-buttons"><button type="button" class="ll-button" data-pick="files">{t("Choose files")}'
        f'</button><button type="button" class="ll-button" data-pick="folder">{t("Choose a folder")}</button></p>'
        f'<input type="file" multiple hidden data-files="files" aria-label="{t("Files to add")}">'
        f'<input type="file" webkitdirectory hidden data-files="folder" aria-label="{t("Folder to add")}">'
        '<div class="ll-sending" hidden role="status"><p class="ll-meta" data-sending></p>'
        '<div class="ll-bar"><i></i></div>'
        f'<button type="button" class="ll-link" data-stop-sending>{t("Stop")}</button></div></div>'
    )


def notify() -> str:
    """The browser shows it as long as it was never asked whether it may (assets/theme/longleaf.js)."""
    said = t("Tell me when it is done")
    return f'<button type="button" class="ll-link ll-notify" data-toggle="notify" hidden>{said}</button>'


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
        return f'<p class="ll-quiet">{t("No documents yet.")}</p>'
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
    nothing = f'<p class="ll-quiet">{t("No name or tag holds that.")}</p>' if query and not found else ""
    return f'{_choose_all(entries, chosen)}{nothing}<ul class="ll-docs" aria-label="{t("Documents")}">{rows}</ul>'


def named_jobs(job_ids: Sequence[str]) -> str:
    """Which readings the page's address names, so that a reload or another device finds them (assets/theme)."""
    return f'<span hidden data-jobs="{escape("job=" + ",".join(job_ids) if job_ids else "")}"></span>'


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
    label = t("Choose none") if everything else t("Choose all")
    said = t("{chosen} of {total} chosen", chosen=number(chosen_count), total=number(len(entries)))
    return (
        f'<p class="ll-choose"><span>{said}</span>'
        f"{button(label, 'choose-none' if everything else 'choose-all', css='ll-link')}</p>"
    )


def _row(entry: Entry, is_chosen: bool, is_confirming: bool, job: JobStatus | None, tags: str) -> str:
    checked = " checked" if is_chosen else ""
    shown = t("Show {document}", document=entry.name)
    return (
        f'<li class="ll-doc{" ll-doc-chosen" if is_chosen else ""}"{_noticed(entry, job)}>'
        f'<input type="checkbox" data-act="choose" data-arg="{escape(entry.id)}" '
        f'aria-label="{t("Ask about {document}", document=escape(entry.name))}"{checked}>'
        f'<div class="ll-doc-body">'
        f"{button(name(entry.name), 'open', entry.id, css='ll-doc-name', aria=shown)}"
        f'<p class="ll-meta">{_facts(entry)}</p>{_reading(entry, job)}{tags}'
        f"{problems(entry.problems)}</div>"
        f"{button(icon('bin'), 'delete', entry.id, css='ll-round', aria=t('Delete {document}', document=entry.name))}"
        f"{_confirm(entry) if is_confirming else ''}</li>"
    )


def _noticed(entry: Entry, job: JobStatus | None) -> str:
    """What the browser tells a person who looks elsewhere, once the reading is done (assets/theme/longleaf.js)."""
    key = f' data-key="{escape(entry.id)}"'
    if job is not None and job.stage == "failed":
        return f'{key} data-done="{t("{document} could not be read", document=escape(entry.name))}"'
    if job is not None and not job.is_finished:
        return f'{key} data-under-way="{escape(entry.name)}"'
    said = t("{document} is read whole", document=escape(entry.name))
    return f'{key} data-done="{said}"' if entry.is_read else ""


def _facts(entry: Entry) -> str:
    """A line of them that breaks between two, not between a number and its unit."""
    facts = [t(KIND_NAMES[entry.kind]), pages(entry.pages)]
    if entry.tokens is not None:
        facts.append(tokens(entry.tokens))
    facts.append(size(entry.size_bytes))
    if entry.kv_bytes:
        facts.append(t("{size} kept", size=size(entry.kv_bytes)))
    last = len(facts) - 1
    return " ".join(f'<span class="ll-fact">{fact}{" ·" * (at < last)}</span>' for at, fact in enumerate(facts))


def _reading(entry: Entry, job: JobStatus | None) -> str:
    """How far its reading is, and what can be done about that; nothing for what is read whole."""
    if job is not None and not job.is_finished:
        said = t("Stop reading {document}", document=entry.name)
        stop = "" if job.stopping else button(t("Stop"), "cancel", job.id, css="ll-link", aria=said)
        shown = bar(job.done, job.total, t("Progress of {document}", document=entry.name))
        told = job_facts(job).replace(" ·", "\u00a0·")  # no line begins with the dot
        facts = f'<p class="ll-meta">{told} {notify()}</p>'
        return f'<div class="ll-reading"><div class="ll-progress">{shown}{stop}</div>{facts}</div>'
    if entry.is_read:
        return ""
    failed = job is not None and job.stage == "failed"
    error = f'<p class="ll-error">{escape(job.error)}</p>' if job is not None and failed else ""
    share = ""
    if entry.tokens and entry.tokens_read:
        share = t("{percent} % read", percent=number(100 * entry.tokens_read / entry.tokens))
    verb = t("Try again") if failed else t("Go on reading") if share else t("Read whole")
    read = button(verb, "read", entry.id, css="ll-link", aria=f"{verb}: {entry.name}")
    state = f'<p class="ll-meta ll-progress"><span>{share or t("not read whole yet")}</span>{read}</p>'
    return f'<div class="ll-reading">{error}{state}</div>'


def _tags(entry: Entry, is_chosen: bool, is_tagging: bool, share_tool: Callable[[Entry], str]) -> str:
    """Tags; of a chosen document they can be changed, and it can be shared."""
    if is_tagging:
        return (
            f'<input class="ll-input" data-act="tags" data-arg="{escape(entry.id)}" '
            f'value="{escape(" ".join(entry.tags))}" '
            f'aria-label="{t("Tags, with spaces between")}" placeholder="{t("Tags, with spaces between")}" autofocus>'
        )
    shown = "".join(f'<span class="ll-tag">{escape(tag)}</span>' for tag in entry.tags)
    change = (
        button(t("Change tags") if entry.tags else t("Add tags"), "tag", entry.id, css="ll-link") if is_chosen else ""
    )
    change += share_tool(entry) if is_chosen else ""
    return f'<p class="ll-tags">{shown}{change}</p>' if shown or change else ""


def sample_links(files: Sequence[str]) -> str:
    """Samples that are not in the library, as small links."""
    if not files:
        return ""
    links = " ".join(
        button(name(file), "sample", file, css="ll-link", aria=t("Add the sample {file}", file=file)) for file in files
    )
    return f'<p class="ll-samples">{t("Samples")}: {links}</p>'


def _confirm(entry: Entry) -> str:
    said = t("Delete it with its pages, what was read, and the answers that used it? This cannot be undone.")
    label = t("Delete {document}?", document=escape(entry.name))
    return (
        f'<div class="ll-confirm" role="alertdialog" aria-label="{label}"><p>{said}</p>'
        f"{button(t('Delete'), 'delete-yes', entry.id, css='ll-button ll-danger')}"
        f"{button(t('Keep'), 'delete-no', entry.id)}</div>"
    )


def problems(items: Sequence[Problem]) -> str:
    """A badge with the count that opens into the list; nothing where there are none."""
    if not items:
        return ""
    worst = min((list(Severity).index(item.severity) for item in items), default=0)
    shown = "".join(_problem(item) for item in items[:MAX_PROBLEMS_SHOWN])
    hidden = len(items) - MAX_PROBLEMS_SHOWN
    more = f"<li>{t('… and {n} more.', n=number(hidden))}</li>" if hidden > 0 else ""
    problem, note = tn("{n} problem", "{n} problems", len(items)), tn("{n} note", "{n} notes", len(items))
    label = problem if worst < 2 else note
    return (
        f'<details class="ll-problems ll-severity-{list(Severity)[worst].value}"><summary>{label}</summary>'
        f"<ul>{shown}{more}</ul></details>"
    )


def _problem(item: Problem) -> str:
    where = name(item.source) + (", " + t("page {n}", n=item.page_no) if item.page_no is not None else "")
    return (
        f'<li><b>{where}</b> <span class="ll-tag">{t(SEVERITY_NAMES[item.severity])}</span><br>'
        f"{escape(item.what)}: {escape(item.why)}</li>"
    )


def job_list(jobs: Sequence[JobStatus]) -> str:
    """The work that goes on, and what failed until it is dismissed."""
    if not jobs:
        return ""
    rows = "".join(_job(job, sum(not before.is_finished for before in jobs[:at])) for at, job in enumerate(jobs))
    return f'<ul class="ll-jobs" aria-label="{t("Being read")}">{rows}</ul>'


def _job(job: JobStatus, ahead: int) -> str:
    """`ahead`: how many are worked on before it."""
    over = job.stage in ("failed", "cancelled")
    act, said = (
        ("dismiss", t("Dismiss {name}", name=job.name)) if over else ("cancel", t("Cancel {name}", name=job.name))
    )
    aria = t("Try again: {name}, with the options above", name=job.name)
    again = button(t("Try again"), "retry", job.id, css="ll-link", aria=aria)
    detail = f'<p class="ll-error">{escape(job.error)}</p><p class="ll-meta">{again}</p>' if job.error else ""
    total = job.total if job.stage != "waiting" else 0
    progress = "" if over else bar(job.done, total, t("Progress of {document}", document=job.name))
    return (
        f'<li class="ll-job ll-job-{escape(job.stage)}"><div class="ll-doc-body">'
        f'<p class="ll-job-name">{name(job.name)}</p>'
        f'<p class="ll-meta">{job_facts(job)}{_after(job, ahead)}</p>{progress}{detail}</div>'
        f"{button(icon('cross'), act, job.id, css='ll-round', aria=said)}</li>"
    )


def _after(job: JobStatus, ahead: int) -> str:
    return ", " + tn("after {n} other", "after {n} others", ahead) if job.stage == "waiting" and ahead else ""


def job_facts(job: JobStatus) -> str:
    """ "Reading 2,048 of 8,120 tokens · 310 tokens/s · about 20 s left"."""
    if job.stopping:
        return t("Stopping after this step")
    if job.stage == "parse" and job.entry_id is not None:
        return t("Getting the model ready")
    if job.stage == "waiting" and job.total:
        return t(
            "Ready for questions; {done} of {total} tokens read, waiting to be read whole",
            done=number(job.done), total=number(job.total),
        )  # fmt: skip
    facts = t(STAGE_NAMES.get(job.stage, job.stage.capitalize()))
    if job.stage not in ("parse", "read", "index") or job.total <= 0:
        return escape(facts)
    facts += " " + how_far(job.done, job.total, job.unit)
    if job.rate_per_s:
        facts += f" · {number(job.rate_per_s, 0 if job.rate_per_s >= 10 else 1)} {t(job.unit)}/s"
    if job.eta_s:
        facts += f" · {time_left(job.eta_s)}"
    return escape(facts)


def hits(found: Sequence[tuple[Citation, Page | None]]) -> str:
    """Passages that fit what was looked for, each with its page."""
    if not found:
        return f'<p class="ll-quiet">{t("Nothing in the documents fits that.")}</p>'
    rows = "".join(
        f'<li><button type="button" class="ll-hit" data-act="hit" data-arg="{index}"><span class="ll-place">'
        f"{name(cite.source)}{place(cite)}</span><q>{quoted(cite, page, QUOTE_SHOWN)}</q></button></li>"
        for index, (cite, page) in enumerate(found)
    )
    return f'<h3 class="ll-label">{t("Found in the documents")}</h3><ul class="ll-docs">{rows}</ul>'


def receipt(removed: Receipt) -> str:
    """What a deletion removed, item by item."""
    rows = [
        (tn("{n} original", "{n} originals", removed.originals), size(removed.original_bytes)),
        (t("extracted text and positions"), size(removed.parsed_bytes)),
        (t("what the model had read"), size(removed.reading_bytes)),
        (answers(removed.answers), ""),
    ]
    items = "".join(f"<li><span>{label}</span><span>{amount}</span></li>" for label, amount in rows)
    said = tn(
        "{n} file stays: another document holds it too.", "{n} files stay: other documents hold them too.", removed.kept
    )
    kept = f"<p>{said}</p>" if removed.kept else ""
    return notice(
        f"<p>{t('Deleted {document}.', document=name(removed.name))}</p><ul class='ll-receipt'>{items}</ul>{kept}"
    )


def notice(body: str, css: str = "") -> str:
    """A message that stays until it is dismissed; `body` is HTML already."""
    closing = button(icon("cross"), "dismiss-notice", css="ll-round", aria=t("Dismiss this message"))
    return f'<div class="ll-notice {css}" role="status"><div>{body}</div>{closing}</div>'


def refusal(sentence: str) -> str:
    return notice(f"<p>{escape(sentence)}</p>", "ll-notice-error")
