"""The use cases, once: add, read, ask, list, show, delete. The page, the command line and HTTP call these.

Plain values in and out, no gradio or click. Safe to call from several threads; two processes may share one data
folder. The model is loaded when it is first needed.
"""

import copy
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import BadRequest, NotInLibrary
from app.service.allowance import Allowance
from app.service.answers import store_answer
from app.service.engine import LazyEngine, LoadEngine, load_engine, model_key, state_dir
from app.service.history import History
from app.service.library import Library, OnSource
from app.service.line import Line
from app.service.marks import Pacer, ReadingMarks
from app.service.originals import private_dir
from app.service.page_images import PageImages
from app.service.suggesting import suggested_questions
from app.service.tags import checked_tags
from app.service.turns import Turns
from app.service.values import Entry, Receipt, Room
from app.service.watching import Watcher
from app.settings import Settings
from ingest.document import Document, Page
from ingest.options import ReadOptions
from llm.answer import Answer, Answered, AskOptions, Citation, Event, ExpertUse, ReadingProgress
from llm.errors import BadQuestion
from llm.remote.address import is_remote

if TYPE_CHECKING:
    from app.service.engine import AnyEngine
    from llm.attribution import Influence

PICTURE_SIZES_PX = (512, 768, 1024, 1536)  # what a page's picture may be, beside the size that was set


def _ignore(_: object) -> None:
    pass


class Longleaf:
    """One library and one model. Raises LibraryUnusable when the data folder cannot be opened."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_text: Callable[[str], None] = _ignore,
        load: LoadEngine = load_engine,
        allowance: Allowance | None = None,
        watchers: Sequence[Watcher] = (),
        line: Line | None = None,
        page_images: PageImages | None = None,
    ) -> None:
        """`on_text` gets one line now and then while the model is made ready, or another process is waited for.

        `allowance`: how much may be added and asked; None: anything. `watchers` are told what happened. `line`: one
        that several libraries share, so that all their questions are answered in the order in which they came.
        `page_images`: the memory for pictures of pages, which they may share, too.
        """
        self.settings = settings
        self._allowance, self._watchers = allowance, tuple(watchers)
        self._line = Line() if line is None else line  # an empty one is false
        self._on_text, self._load = on_text, load
        self._library = Library(settings.data_dir, page_images)
        private_dir(state_dir(settings))
        self._engine = LazyEngine(settings, self._loaded, on_text)
        self._beside = {settings.model: self}  # by the name of the model; one table for all of them
        self._model = model_key(settings)
        self.history = History(self._library.catalogue)
        self._turns = Turns(settings.data_dir, on_text)
        self._marks = ReadingMarks(self._library.catalogue, self._model)

    def engine(self) -> "AnyEngine":
        """Loads the model if it is not there yet. Raises ModelNotFound."""
        if self._engine.is_loaded:
            return self._engine()
        engine = self._engine()
        self._forget_removed()  # what a deletion left that was cut short
        return engine

    def with_model(self, model: str | None) -> "Longleaf":
        """The same library answered by another model, which stays loaded beside this one; closed with this one.

        An adapter stays with the model that it was given for.
        """
        other = copy.copy(self)
        other.settings = replace(self.settings, model=model, adapter=None)
        other._engine = LazyEngine(other.settings, self._loaded, self._on_text)
        other._model = model_key(other.settings)
        other._marks = ReadingMarks(self._library.catalogue, other._model)
        return self._beside.setdefault(model, other)

    def add(
        self,
        source: Path,
        *,
        name: str | None = None,
        options: ReadOptions = ReadOptions(),  # noqa: B008  frozen
        on_progress: OnSource = _ignore,
        cancel: threading.Event | None = None,
    ) -> Entry:
        """Parses a source and keeps a copy of it; the same bytes again cost nothing.

        Raises SourceNotFound, IngestError, OriginalMissing, OSError; BadRequest where the allowance is used up.
        """
        if self._allowance is not None:
            self._allowance.check_room(self.entries())
            options = replace(options, limits=self._allowance.caps.limits)
        entry_id, removed = self._library.add(
            Path(source), name=name, options=options, on_progress=on_progress, cancel=cancel,
            count_tokens=lambda text: self.engine().count_tokens(text),
        )  # fmt: skip
        for engine in self._loaded_engines() if removed.changed else ():
            engine.forget(removed.changed)  # it may hold what it made of the other pages
        if self._allowance is not None:
            try:
                self._allowance.check_pages(self.entries())
            except BadRequest:
                self.delete(entry_id)
                raise
        entry = self.entry(entry_id)
        for watcher in self._watchers:
            watcher.added(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Everything in the library, oldest first."""
        return self._library.catalogue.entries(self._model)

    def entry(self, key: str) -> Entry:
        """By id, by the beginning of one, or by name. Raises NotInLibrary."""
        return self._library.entry(key, self._model)

    def document(self, document_id: str) -> Document:
        """Any catalogued document, or member of one, by id. Raises NotInLibrary."""
        return self._library.document(document_id)

    def place_of(self, leaf_prefix: str) -> tuple[str, str]:
        """The ids of an entry and of its leaf, the latter from how it begins (at least 8 characters). NotInLibrary."""
        return self._library.place_of(leaf_prefix)

    def page_of(self, cite: Citation) -> Page | None:
        """The page that is cited, if it is there still."""
        try:
            pages = self.document(cite.document).pages
        except NotInLibrary:
            return None
        return pages[cite.page_index] if cite.page_index < len(pages) else None

    def page_image(self, leaf_id: str, page_index: int, dpi: int = 110) -> bytes:
        """PNG of one page of a PDF or image. Raises NotInLibrary, BadRequest, OriginalMissing, IngestError."""
        return self._library.page_image(leaf_id, page_index, dpi)

    def files(self, key: str) -> dict[str, Path]:
        """The library's own copies of a document's files, by their names in it; not to be changed. NotInLibrary."""
        return self._library.files(self.entry(key).id)

    def answers(self, ids: Sequence[str]) -> list[Answer]:
        """What was answered about exactly these documents together, newest last."""
        return [kept.answer for kept in self.history.about(ids)]

    def read(self, ids: Sequence[str], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Reads documents into the model's memory and keeps that on disk. What was read before costs nothing.

        Ends early when `cancel` is set. Raises NotInLibrary (also when one is deleted meanwhile), ModelNotFound.
        """
        return self._reading(ids, self._documents(ids), cancel or threading.Event())

    def prepare(self, ids: Sequence[str], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Does what a question about the documents needs; the reading of a long one is left to `read`.

        Ends early when `cancel` is set. Raises NotInLibrary, ModelNotFound.
        """
        return self._preparing(ids, self._documents(ids), cancel or threading.Event())

    def ask(
        self,
        ids: Sequence[str],
        question: str,
        options: AskOptions = AskOptions(),  # noqa: B008  frozen
        cancel: threading.Event | None = None,
        conversation: str | None = None,
        on_wait: Callable[[int], None] = _ignore,
    ) -> Iterator[Event]:
        """Reads what is not read yet, then answers; the answer is kept, in the conversation of that id if one is given.

        `on_wait` is told how many questions are before this one, whenever that changes, until its turn comes.
        `cancel` while reading ends without an answer; while answering, with what had come so far. Raises NotInLibrary,
        ModelNotFound, BadQuestion, ContextOverflow.
        """
        if not question.strip():
            raise BadQuestion("the question is empty; write what you want to know")
        documents = self._documents(ids)
        if self._allowance is not None:
            self._allowance.count_question()
        return self._asking(ids, documents, question, options, cancel or threading.Event(), conversation, on_wait)

    def influences(self, ids: Sequence[str], answer: Answer) -> "tuple[Influence, ...]":
        """How much each part of the passages around its citations weighed in an answer that this model gave.

        Takes a pass forwards and one backwards. Raises NotInLibrary, BadQuestion for one that cites nothing.
        """
        return self.engine().influences(self._documents(ids), answer)

    def search(self, query: str, limit: int = 8) -> tuple[Citation, ...]:
        """The passages of the whole library that fit best, best first; of documents that are indexed.

        Raises BadRequest, ModelNotFound.
        """
        if not query.strip():
            raise BadRequest("there is nothing to look for; type some words")
        documents = {entry.id: self.document(entry.id) for entry in self.entries() if entry.tokens is not None}
        return self.engine().search(list(documents.values()), query, limit) if documents else ()

    def room(self, entries: Sequence[Entry]) -> Room | None:
        """How these fit; None while no model is loaded, or before their tokens are counted."""
        if not self._engine.is_loaded or any(entry.tokens is None for entry in entries):
            return None
        engine = self._engine()
        pictures = None
        if self.settings.page_images != "none":
            pictures = engine.pictures([self.document(entry.id) for entry in entries], PICTURE_SIZES_PX)
        return Room(
            engine.exact_tokens, engine.memory(sum(entry.tokens or 0 for entry in entries)),
            shutil.disk_usage(self.settings.data_dir).free, pictures,
        )  # fmt: skip

    def show_pictures(self, page_px: int, ids: Sequence[str]) -> None:
        """From now on the model sees pages as pictures of that size; the tokens of these documents are counted anew.

        What was read at another size stays, and counts again at that size. Raises BadSetting, BadRequest, NotInLibrary.
        """
        if self.settings.page_images == "none":
            raise BadRequest("this model is shown no pages as pictures; start Longleaf with --page-images")
        documents = self._documents(ids)
        settings = replace(self.settings, page_px=page_px)
        engine = self.engine()
        self._show_pages(engine, settings)
        self.settings, self._model = settings, model_key(settings)
        self._marks = ReadingMarks(self._library.catalogue, self._model)
        with self._turns.reading({leaf.id for document in documents for leaf in document.leaves()}, threading.Event()):
            self._marks.note(engine, ids, documents)

    def suggestions(self, document_id: str) -> list[str]:
        """Questions that a document may answer, from its headings or the names it defines. Raises NotInLibrary."""
        return suggested_questions(self.document(document_id))

    def tag(self, key: str, tags: Sequence[str]) -> Entry:
        """Gives a document these tags instead of those it has. Raises NotInLibrary, BadRequest."""
        entry = self.entry(key)
        self._library.catalogue.set_tags(entry.id, checked_tags(tags))
        return self.entry(entry.id)

    def delete(self, key: str) -> Receipt:
        """Removes a document and every trace of it: copy, text, KV, index and answers. Raises NotInLibrary."""
        entry = self._entry_to_delete(key)
        document_ids = self._library.catalogue.reached(entry.id)
        removed, files, file_bytes = self._library.delete(entry)
        receipt = Receipt(
            id=entry.id, name=entry.name, documents=len(removed.ids), kept=len(document_ids) - len(removed.ids),
            originals=files, original_bytes=file_bytes, parsed_bytes=removed.parsed_bytes,
            reading_bytes=self._forget_removed(), answers=removed.answers,
        )  # fmt: skip
        for watcher in self._watchers:
            watcher.deleted(receipt)
        return receipt

    def expert_uses(self) -> dict[str, ExpertUse]:
        """By the name of the model, of those that are loaded and fetch their routed experts."""
        return {one.model.name: use for one in self._loaded_engines() if (use := one.expert_use) is not None}

    def close(self) -> None:
        self._library.close()

    def _loaded(self, settings: Settings, on_text: Callable[[str], None]) -> "AnyEngine":
        """A `LoadEngine` whose model sees pages of this library, if that was asked for."""
        engine = self._load(settings, on_text)
        if settings.page_images != "none":
            self._show_pages(engine, settings)
        return engine

    def _show_pages(self, engine: "AnyEngine", settings: Settings) -> None:
        all_pages = settings.page_images == "all"
        engine.show_pages(self._library.page_image, all_pages=all_pages, page_px=settings.page_px)

    def _documents(self, ids: Sequence[str]) -> list[Document]:
        if not ids:
            raise BadRequest("no document was named; choose at least one of the library")
        return [self.document(document_id) for document_id in dict.fromkeys(ids)]

    def _reading(
        self, ids: Sequence[str], documents: list[Document], cancel: threading.Event
    ) -> Iterator[ReadingProgress]:
        engine = self.engine()
        yield from self._preparing(ids, documents, cancel)  # a turn of its own: then questions need not wait for this
        yield from self._working(ids, documents, engine.read(documents, cancel), cancel)
        if self.settings.kv_disk_gb is not None:
            self._marks.check_others(engine, ids, self.document)

    def _preparing(
        self, ids: Sequence[str], documents: list[Document], cancel: threading.Event
    ) -> Iterator[ReadingProgress]:
        yield from self._working(ids, documents, self.engine().prepare(documents, cancel), cancel)

    def _working(
        self, ids: Sequence[str], documents: list[Document], steps: Iterator[ReadingProgress], cancel: threading.Event
    ) -> Iterator[ReadingProgress]:
        """The steps, while nobody else reads these documents; how far they came is noted in the catalogue."""
        leaf_ids = {leaf.id for document in documents for leaf in document.leaves()}
        pacer = Pacer()
        with self._turns.reading(leaf_ids, cancel) as is_ours:
            if not is_ours:
                return
            try:
                for progress in steps:
                    self._check_still_there(ids, cancel)
                    yield progress
                    if len(documents) == 1 and pacer.is_due():
                        self._marks.note(self.engine(), ids, documents)
            finally:
                self._marks.note(self.engine(), ids, documents)

    def _asking(
        self,
        ids: Sequence[str],
        documents: list[Document],
        question: str,
        options: AskOptions,
        cancel: threading.Event,
        conversation: str | None,
        on_wait: Callable[[int], None],
    ) -> Iterator[Event]:
        engine = self.engine()
        if not engine.is_ready(documents):
            yield from self._preparing(ids, documents, cancel)
            if cancel.is_set():
                return
        with self._turn_to_ask(cancel, on_wait) as is_ours:
            if not is_ours:
                return
            for event in engine.ask(documents, question, options, cancel):
                self._check_still_there(ids, cancel)
                if isinstance(event, Answered):
                    store_answer(self._library.catalogue, ids, event.answer, conversation)
                    for watcher in self._watchers:
                        watcher.answered(ids, event.answer)
                yield event

    def _turn_to_ask(self, cancel: threading.Event, on_wait: Callable[[int], None]) -> AbstractContextManager[bool]:
        """A server answers many at once; the model of this machine one after the other."""
        return nullcontext(True) if is_remote(self.settings.model) else self._line.turn(cancel, on_wait)

    def _check_still_there(self, ids: Sequence[str], cancel: threading.Event) -> None:
        """A document that somebody deletes must not be read on: its KV would outlive it."""
        if not self._library.catalogue.has(ids):
            cancel.set()
            raise NotInLibrary("a document was deleted while it was being read; ask again without it")

    def _entry_to_delete(self, key: str) -> Entry:
        try:
            return self.entry(key)
        except NotInLibrary:
            folders = self._library.catalogue.folders_of(key)
            if not folders:
                raise
            raise NotInLibrary(
                f"{key[:12]} is part of {' and '.join(folders)}; only the whole of that can be deleted"
            ) from None

    def _forget_removed(self) -> int:
        """Removes KV and index of deleted documents, also of a deletion that was cut short earlier. Bytes removed."""
        pending = self._library.catalogue.pending_removals()
        removed_bytes = 0
        if pending:
            with self._turns.reading(pending, threading.Event()):
                if any(state_dir(self.settings).iterdir()):  # else nothing was ever read, and no model is needed
                    removed_bytes = self._forget(pending)
        self._library.catalogue.removed(pending)
        return removed_bytes

    def _forget(self, document_ids: Collection[str]) -> int:
        """Through the engines that are loaded, since they may hold them in memory; else without any model."""
        if engines := self._loaded_engines():
            return sum(engine.forget(document_ids) for engine in engines)
        from llm.storage import forget

        return forget(state_dir(self.settings), document_ids)

    def _loaded_engines(self) -> "list[AnyEngine]":
        """Of this library, whatever the model."""
        return [one._engine() for one in tuple(self._beside.values()) if one._engine.is_loaded]
