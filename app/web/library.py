"""The library panel: what is being read, and choosing, opening and deleting documents.

Owns its components and their events. What other panels need to know goes through the page's states: `chosen` (the
documents a question goes to), `view` (what the viewer shows) and `ask` (a question to put now).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from app.errors import BadRequest, LongleafAppError
from app.jobs import JobStatus
from app.service import Entry
from app.web.adding import BUSY_S, IDLE_S, MAX_NAMED
from app.web.events import act_of, arg_of, position, sentence, text_of, ticked_of
from app.web.render import library as fragments
from app.web.render.answer import failed
from app.web.render.sharing import share_tool, shared_list
from app.web.services import Services
from app.web.state import Ask, PageState, Shelf, Starter, View
from app.web.texts import t
from app.web.theme import HIDDEN, fragment

MAX_QUERY = 200  # characters
Choice = tuple[str, ...] | None  # None: nothing was chosen yet, neither by a person nor by us


class LibraryPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.notice = fragment("ll-notice")
        self.query = gr.Textbox(
            show_label=False, label=t("Find in the library"), placeholder=t("Find by name, tag or content"),
            max_lines=1, max_length=MAX_QUERY, container=False, elem_id="ll-find",
        )  # fmt: skip
        self.hits = fragment("ll-hits")
        self.jobs = fragment("ll-jobs")
        self.documents = fragment("ll-documents")
        self.sample_links = fragment("ll-sample-links")
        self.shared = fragment("ll-shared")
        self.timer = gr.Timer(BUSY_S)

    def wire(self, page: gr.Blocks, state: PageState, answer: gr.HTML) -> None:
        """`answer` says why a sample's question was not asked."""
        news = [
            self.documents, self.sample_links, self.jobs, state.chosen, state.shelf, state.ask, self.timer, answer,
            self.shared,
        ]  # fmt: skip
        seen = [state.chosen, state.shelf, state.ask]
        page.load(self.arrive, seen, news, **HIDDEN)
        self.timer.tick(self.refresh, seen, news, **HIDDEN)
        acted = [self.documents, self.jobs, self.notice, state.chosen, state.shelf, state.view, self.shared]
        for panel in (self.documents, self.jobs, self.notice, self.shared):
            panel.select(self.act, [state.chosen, state.shelf, state.view], acted, **HIDDEN)
        found = [self.documents, state.shelf, self.hits]
        self.query.input(self.find_name, [self.query, state.chosen, state.shelf], found, **HIDDEN)
        self.query.submit(self.find_content, [self.query], [self.hits], **HIDDEN)
        self.hits.select(self.open_hit, [self.query], [state.view], **HIDDEN)
        state.chosen.change(self.show_new, [state.chosen, state.shelf, state.view], [state.view], **HIDDEN)

    def arrive(self, chosen: Choice, shelf: Shelf, ask: Ask, request: gr.Request) -> tuple[Any, ...]:
        """The lists, with the documents of the readings that the address names chosen."""
        named = str(request.query_params.get("job") or "")[:200].split(",")[:MAX_NAMED]
        known = tuple(job.id for job in self._services.jobs.jobs() if job.id in named)
        if known:
            shelf = replace(shelf, fresh=frozenset(known), jobs=known)
        lists = list(self.refresh(chosen, shelf, ask))
        lists[4] = shelf if known else lists[4]
        return tuple(lists)

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
            self._listing(after, shelf),
            self._sample_links(entries),
            fragments.job_list(_visible(statuses)),
            gr.skip() if after == chosen else after,
            replace(shelf, starter=None) if starter is not None and starter.is_finished else gr.skip(),
            asked,
            gr.Timer(BUSY_S if busy else IDLE_S),
            _not_asked(shelf.starter, starter),
            self._shared(entries),
        )

    def show_new(self, chosen: Choice, shelf: Shelf, view: View) -> Any:
        """The first page of a document that was added while nothing is shown; a sample's answer shows its own."""
        if not shelf.fresh or shelf.starter is not None or view != View() or len(chosen or ()) != 1:
            return gr.skip()
        try:
            return self._opened((chosen or ())[0])
        except LongleafAppError:  # deleted meanwhile, or without pages: what is shown was not asked for
            return gr.skip()

    def act(self, event: gr.EventData, chosen: Choice, shelf: Shelf, view: View) -> tuple[Any, ...]:
        """A click in one of the lists: choose, open, delete, cancel, dismiss."""
        notice: Any = gr.skip()
        chosen_after, shelf_after, view_after = chosen or (), shelf, view
        try:
            match act_of(event), arg_of(event):
                case "choose", _:
                    listed = set(self._listed(shelf))
                    kept = tuple(other for other in chosen_after if other not in listed)  # hidden by the search
                    chosen_after = (*kept, *(other for other in ticked_of(event) if other in listed))
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
                case "read", doc_id:
                    shelf_after = replace(shelf, jobs=(self._services.jobs.read(doc_id),))
                case "cancel", job_id:
                    self._services.jobs.cancel(job_id)
                case "dismiss", job_id:
                    self._services.jobs.dismiss(job_id)
                case "tag", doc_id:
                    shelf_after = replace(shelf, tagging=doc_id)
                case "tags", doc_id:
                    self._services.longleaf.tag(doc_id, text_of(event).replace(",", " ").split())
                    shelf_after = replace(shelf, tagging=None)
                case "share", doc_id:
                    shelf_after = replace(shelf, sharing=doc_id)
                case ("share-in" | "withdraw" | "take") as deed, arg:
                    shelf_after = replace(self._share(deed, arg, text_of(event), shelf), sharing=None)
                case "dismiss-notice", _:
                    notice = ""
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            notice = fragments.refusal(sentence(error))
        return (
            self._listing(chosen_after, shelf_after),
            fragments.job_list(_visible(self._services.jobs.jobs())),
            notice,
            gr.skip() if chosen_after == (chosen or ()) else chosen_after,
            gr.skip() if shelf_after == shelf else shelf_after,
            gr.skip() if view_after == view else view_after,
            self._shared(self._entries()),
        )

    def _share(self, deed: str, arg: str, text: str, shelf: Shelf) -> Shelf:
        """Shares a document in a collection, withdraws one, or takes a copy of another's. BadRequest, OSError."""
        sharing = self._services.sharing
        if sharing is None:
            raise BadRequest(t("there is nobody here to share with"))
        if deed == "withdraw":
            sharing.withdraw(arg)
        elif deed == "take":
            return replace(shelf, fresh=frozenset(self._services.jobs.submit([sharing.source(arg)])))
        elif text.strip():
            sharing.share(self._services.longleaf.entry(arg), self._services.longleaf.files(arg), text)
        return shelf

    def _shared(self, entries: Sequence[Entry]) -> str:
        sharing = self._services.sharing
        return "" if sharing is None else shared_list(sharing.others(), {entry.id for entry in entries})

    def find_name(self, query: str, chosen: Choice, shelf: Shelf) -> tuple[Any, ...]:
        """The documents whose names or tags hold what is being typed."""
        shelf = replace(shelf, query=(query or "")[:MAX_QUERY])
        return self._listing(chosen, shelf), shelf, ""

    def find_content(self, query: str) -> str:
        """The passages of all documents that fit best."""
        if not (query or "").strip():
            return ""
        try:
            longleaf = self._services.longleaf
            return fragments.hits([(cite, longleaf.page_of(cite)) for cite in longleaf.search(query)])
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            return fragments.refusal(sentence(error))

    def open_hit(self, event: gr.EventData, query: str) -> Any:
        """A passage that was found, with the others to step through."""
        found = self._services.longleaf.search(query)
        at = position(event, len(found))
        return gr.skip() if at is None or act_of(event) != "hit" else View.of(found, at)

    def _listed(self, shelf: Shelf) -> list[str]:
        return [entry.id for entry in self._entries() if fragments.is_named(entry, shelf.query)]

    def _listing(self, chosen: Choice, shelf: Shelf) -> str:
        statuses = self._services.jobs.jobs()
        jobs = {job.entry_id: job for job in statuses if job.entry_id is not None}
        named = [job.id for job in statuses if job.id in shelf.jobs and not job.is_finished]
        sharing = self._services.sharing
        shared = {one.document: one for one in sharing.own()} if sharing is not None else {}
        return fragments.named_jobs(named) + fragments.document_list(
            self._entries(), chosen or (), shelf.confirming, jobs, tagging=shelf.tagging, query=shelf.query,
            share_tool=lambda entry: share_tool(entry, shared, shelf.sharing == entry.id) if sharing else "",
        )  # fmt: skip

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
            raise BadRequest(t("this document has no page that could be shown"))
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


def _visible(statuses: Sequence[JobStatus]) -> list[JobStatus]:
    """The work on what is not in the library yet; the rest is shown at its document."""
    return [job for job in statuses if job.stage not in ("done", "cancelled") and job.entry_id is None]


def _not_asked(starter: Starter | None, job: JobStatus | None) -> Any:
    """What stands in the answer's place when a sample could not be read after all."""
    if starter is None or job is None or job.stage not in ("failed", "cancelled"):
        return gr.skip()
    return failed(starter.question, job.error or t("Not asked: reading the sample was cancelled."))
