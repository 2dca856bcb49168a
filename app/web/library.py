"""The library panel: adding sources, watching them being read, choosing, opening and deleting documents.

Owns its components and their events. What other panels need to know goes through the page's states: `chosen` (the
documents a question goes to), `view` (what the viewer shows) and `ask` (a question to put now).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from app.errors import BadRequest, LongleafAppError, sentence_of
from app.jobs import Jobs, JobStatus
from app.service import Entry, Longleaf
from app.web.host.uploads import Uploads
from app.web.render import library as fragments
from app.web.samples import Sample
from app.web.state import Ask, PageState, Shelf, Starter, View
from app.web.theme import fragment
from ingest.options import PageRange, ReadOptions

log = logging.getLogger(__name__)
BUSY_S, IDLE_S = 1.0, 5.0  # how often the page looks for news
FAULT = "Longleaf failed at this; its log says more."
Choice = tuple[str, ...] | None  # None: nothing was chosen yet, neither by a person nor by us


@dataclass(frozen=True)
class Services:
    """What the panels work with. `paths_allowed`: a path on this computer's disk may be typed."""

    longleaf: Longleaf
    jobs: Jobs
    uploads: Uploads
    samples: tuple[Sample, ...]
    paths_allowed: bool


class LibraryPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        fragment("ll-library-title", '<h2 class="ll-label">Library</h2>')
        self.drop = fragment("ll-drop", fragments.drop_zone())
        self.notice = fragment("ll-notice")
        self.jobs = fragment("ll-jobs")
        self.documents = fragment("ll-documents")
        self.sample_links = fragment("ll-sample-links")
        with gr.Accordion("Options for what is added", open=False, elem_id="ll-options"):
            self.pages = gr.Textbox(label="Pages", placeholder="all, or 3-7,12", max_lines=1)
            self.password = gr.Textbox(
                label="Password", type="password", placeholder="of an encrypted file", max_lines=1
            )
            self.ocr = gr.Checkbox(True, label="Recognise text on scans and pictures")
            with gr.Group(visible=services.paths_allowed):
                self.path = gr.Textbox(label="Path on this computer", placeholder="/home/you/papers", max_lines=1)
                self.add_path = gr.Button("Add this path", size="sm", elem_id="ll-add-path")
        self.timer = gr.Timer(BUSY_S)

    def wire(self, page: gr.Blocks, state: PageState, welcome: gr.HTML) -> None:
        news = [self.documents, self.sample_links, self.jobs, state.chosen, state.shelf, state.ask, self.timer]
        seen = [state.chosen, state.shelf, state.ask]
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(self.refresh, seen, news, **hidden)
        self.timer.tick(self.refresh, seen, news, **hidden)
        options = [self.pages, self.password, self.ocr]
        added = [state.shelf, self.notice, self.timer, self.password]
        self.drop.select(self.add_upload, [state.shelf, *options], added, **hidden)
        gr.on(
            [self.add_path.click, self.path.submit], self.add_typed, [state.shelf, self.path, *options], added, **hidden
        )
        for panel in (welcome, self.sample_links):
            panel.select(self.add_sample, [state.shelf], added, **hidden)
        acted = [self.documents, self.jobs, self.notice, state.chosen, state.shelf, state.view]
        for panel in (self.documents, self.jobs, self.notice):
            panel.select(self.act, [state.chosen, state.shelf, state.view], acted, **hidden)

    def refresh(self, chosen: Choice, shelf: Shelf, ask: Ask) -> tuple[Any, ...]:
        """The lists as they are now; new documents of this page become the chosen ones; a ready starter is asked."""
        statuses = self._services.jobs.jobs()
        entries = self._entries()
        after = _choice(chosen, shelf, statuses, entries)
        starter = _job_of(shelf.starter, statuses)
        asked: Any = gr.skip()
        if shelf.starter is not None and starter is not None and starter.stage == "done" and starter.entry_id:
            asked, after = Ask(shelf.starter.question, ask.nonce + 1), (starter.entry_id,)
        busy = any(not job.is_finished for job in statuses)
        return (
            fragments.document_list(entries, after or (), shelf.confirming),
            self._sample_links(entries),
            fragments.job_list(_visible(statuses, shelf)),
            gr.skip() if after == chosen else after,
            replace(shelf, starter=None) if starter is not None and starter.is_finished else gr.skip(),
            asked,
            gr.Timer(BUSY_S if busy else IDLE_S),
        )

    def add_upload(self, event: gr.EventData, shelf: Shelf, pages: str, password: str, ocr: bool) -> tuple[Any, ...]:
        """A batch of files that the browser has finished sending; a refusal when it reports one."""
        act, arg = _act(event), _arg(event)
        if act == "refused":
            return gr.skip(), fragments.refusal(arg), gr.skip(), gr.skip()
        if act != "upload":
            return (gr.skip(),) * 4

        def submit() -> list[str]:
            options = _options(pages, password, ocr)
            sources = self._services.uploads.hand_over(arg)
            return self._submit(sources, options, batch_id=arg)

        return self._added(shelf, submit)

    def add_typed(self, shelf: Shelf, path: str, pages: str, password: str, ocr: bool) -> tuple[Any, ...]:
        """A path on the disk of the computer that Longleaf runs on."""

        def submit() -> list[str]:
            if not self._services.paths_allowed:
                raise BadRequest("paths can be typed only on the computer that Longleaf runs on; upload the files")
            if not path.strip():
                raise BadRequest("the path is empty; type where the file or folder is")
            source = Path(path.strip()).expanduser().absolute()
            return self._submit([(source, source.name)], _options(pages, password, ocr))

        return self._added(shelf, submit)

    def add_sample(self, event: gr.EventData, shelf: Shelf) -> tuple[Any, ...]:
        """A sample that ships with Longleaf; its first question is asked as soon as it is read."""
        sample = next((sample for sample in self._services.samples if sample.path.name == _arg(event)), None)
        if _act(event) != "sample" or sample is None:
            return (gr.skip(),) * 4
        shelf_after, *rest = self._added(shelf, lambda: self._submit([(sample.path, sample.path.name)], ReadOptions()))
        if isinstance(shelf_after, Shelf):
            shelf_after = replace(shelf_after, starter=Starter(next(iter(shelf_after.fresh)), sample.questions[0]))
        return shelf_after, *rest

    def _added(self, shelf: Shelf, submit: Callable[[], list[str]]) -> tuple[Any, ...]:
        try:
            job_ids = submit()
        except Exception as error:  # noqa: BLE001  _sentence logs what nobody can be blamed for
            return gr.skip(), fragments.refusal(_sentence(error)), gr.skip(), gr.skip()
        return replace(shelf, fresh=frozenset(job_ids), starter=None), "", gr.Timer(BUSY_S), ""

    def _submit(
        self, sources: Sequence[tuple[Path, str]], options: ReadOptions, batch_id: str | None = None
    ) -> list[str]:
        jobs = self._services.jobs
        job_ids = jobs.submit(sources, options)
        if batch_id is not None:
            self._services.uploads.discard_when(batch_id, lambda: all(_is_copied(jobs, job_id) for job_id in job_ids))
        return job_ids

    def act(self, event: gr.EventData, chosen: Choice, shelf: Shelf, view: View) -> tuple[Any, ...]:
        """A click in one of the lists: choose, open, delete, cancel, dismiss."""
        notice: Any = gr.skip()
        chosen_after, shelf_after, view_after = chosen or (), shelf, view
        try:
            match _act(event), _arg(event):
                case "choose", doc_id:
                    chosen_after = _toggled(chosen_after, doc_id, bool(event._data.get("checked")))
                    shelf_after = replace(shelf, fresh=frozenset())
                case "choose-all", _:
                    chosen_after = tuple(entry.id for entry in self._entries())
                    shelf_after = replace(shelf, fresh=frozenset())
                case "choose-none", _:
                    chosen_after, shelf_after = (), replace(shelf, fresh=frozenset())
                case "open", doc_id:
                    view_after = self._opened(doc_id)
                case "delete", doc_id:
                    shelf_after = replace(shelf, confirming=doc_id)
                case "delete-no", _:
                    shelf_after = replace(shelf, confirming=None)
                case "delete-yes", doc_id:
                    notice = fragments.receipt(self._services.longleaf.delete(doc_id))
                    chosen_after = tuple(other for other in chosen_after if other != doc_id)
                    shelf_after, view_after = replace(shelf, confirming=None), self._still_there(view)
                case "cancel", job_id:
                    self._services.jobs.cancel(job_id)
                case "dismiss", job_id:
                    shelf_after = replace(shelf, dismissed=shelf.dismissed | {job_id})
                case "dismiss-notice", _:
                    notice = ""
        except Exception as error:  # noqa: BLE001  _sentence logs what nobody can be blamed for
            notice = fragments.refusal(_sentence(error))
        return (
            fragments.document_list(self._entries(), chosen_after, shelf_after.confirming),
            fragments.job_list(_visible(self._services.jobs.jobs(), shelf_after)),
            notice,
            gr.skip() if chosen_after == (chosen or ()) else chosen_after,
            gr.skip() if shelf_after == shelf else shelf_after,
            gr.skip() if view_after == view else view_after,
        )

    def _entries(self) -> list[Entry]:
        """Newest first."""
        return self._services.longleaf.entries()[::-1]

    def _sample_links(self, entries: Sequence[Entry]) -> str:
        """While the library is empty, the ask panel offers the samples."""
        there = {entry.name for entry in entries}
        files = [sample.path.name for sample in self._services.samples if sample.path.name not in there]
        return fragments.sample_links(files) if entries else ""

    def _opened(self, doc_id: str) -> View:
        leaf = next((leaf for leaf in self._services.longleaf.document(doc_id).leaves() if leaf.pages), None)
        if leaf is None:
            raise BadRequest("this document has no page that could be shown")
        return View(document=doc_id, leaf=leaf.id)

    def _still_there(self, view: View) -> View:
        try:
            for doc_id in {view.document, view.leaf, *(cite.document for cite in view.citations)} - {None}:
                self._services.longleaf.document(str(doc_id))
        except LongleafAppError:
            return View()
        return view


def _choice(chosen: Choice, shelf: Shelf, statuses: Sequence[JobStatus], entries: Sequence[Entry]) -> Choice:
    """What this page added last; else what was chosen; at first the newest document. Only what is in the library."""
    known = {entry.id for entry in entries}
    fresh = [job.entry_id for job in statuses if job.id in shelf.fresh and job.entry_id in known]
    if fresh:
        return tuple(dict.fromkeys(doc_id for doc_id in fresh if doc_id))
    if chosen is None:
        return (entries[0].id,) if entries else None
    return tuple(doc_id for doc_id in chosen if doc_id in known)


def _job_of(starter: Starter | None, statuses: Sequence[JobStatus]) -> JobStatus | None:
    return next((job for job in statuses if starter is not None and job.id == starter.job_id), None)


def _visible(statuses: Sequence[JobStatus], shelf: Shelf) -> list[JobStatus]:
    return [job for job in statuses if job.stage not in ("done", "cancelled") and job.id not in shelf.dismissed]


def _toggled(chosen: tuple[str, ...], doc_id: str, is_on: bool) -> tuple[str, ...]:
    rest = tuple(other for other in chosen if other != doc_id)
    return (*rest, doc_id) if is_on else rest


def _options(pages: str, password: str, ocr: bool) -> ReadOptions:
    return ReadOptions(
        password=password or None, pages=PageRange.parse(pages) if (pages or "").strip() else None, ocr=bool(ocr)
    )


def _is_copied(jobs: Jobs, job_id: str) -> bool:
    """The library holds its own copy, or will never make one."""
    try:
        status = jobs.job(job_id)
    except BadRequest:
        return True
    return status.is_finished or status.entry_id is not None


def _act(event: gr.EventData) -> str:
    return str(event._data.get("act", ""))[:40]


def _arg(event: gr.EventData) -> str:
    return str(event._data.get("arg", ""))[:4000]


def _sentence(error: Exception) -> str:
    sentence = str(error) if isinstance(error, ValueError) else sentence_of(error)
    if sentence is None:
        log.exception("an action of the library panel failed")
    return sentence or FAULT
