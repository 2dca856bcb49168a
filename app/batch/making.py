"""The rows of one document: parsed, asked every question over one reading, each answer settled. Keeps no row itself.

A document that cannot be read, or takes too long, costs its own rows only; a full disk is raised, since every later row
would fail with it.
"""

import errno
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from app.batch.questions import Question
from app.batch.rows import Basis, Row, answered, copied, failed
from app.batch.sources import Source
from app.errors import sentence_of
from app.extraction import settled
from app.service import Entry, Longleaf
from ingest.options import ReadOptions
from llm.answer import Answer, Answered, AskOptions, ReadingProgress
from llm.structured import Form

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What a person may choose about a batch."""

    ask: AskOptions
    read: ReadOptions
    whole: bool = False  # read documents whole that are longer than the model's context, before they are asked about
    timeout_s: float | None = None  # for parsing one file, and for one row; None: the limit of parsing alone
    workers: int = 1  # files that are parsed at the same time, ahead of answering; on Ray, models that answer


@dataclass(frozen=True, slots=True)
class Work:
    """One source, and what is to be asked of it: each question with the id of its row."""

    source: Source
    asked: tuple[tuple[Question, str], ...]


class TimeUp(Exception):
    """A row took longer than --timeout-s before its answer began; `str(error)` is one sentence."""


OnReading = Callable[[Source, ReadingProgress], None]
FindSame = Callable[[str], Row | None]  # a row by `Basis.key`, that another source with the same bytes has


class RowMaker:
    """Makes rows with one library and its model."""

    def __init__(self, longleaf: Longleaf, basis: Basis, options: BatchOptions) -> None:
        self._longleaf, self._basis, self._options = longleaf, basis, options

    def rows(self, work: Work, find: Callable[[], Entry], same: FindSame, on_reading: OnReading) -> Iterator[Row]:
        """The rows in order; an error that ends the document ends all that are left."""
        source = work.source
        entry: Entry | None = None
        over: str | None = source.refused
        for question, row_id in work.asked:
            known = same(self._basis.key(source, question))
            if known is not None:
                yield copied(known, row_id, source, question)
                continue
            try:
                if over is None:
                    entry = entry or find()
                    answer = self._settled(entry, question, lambda step: on_reading(source, step))
                    yield answered(row_id, source, question, entry.id, answer, self._texts(entry))
                    continue
            except Exception as error:  # noqa: BLE001  one row must not end the run
                why = self._why(source, error)
                if entry is None or isinstance(error, TimeUp):
                    over = why
            yield failed(row_id, source, question, self._basis.model, over or why)

    def parse(self, source: Source, cancel: threading.Event) -> Entry:
        """The library's entry of a source, made if need be. Raises IngestError, ReadingCancelled, OSError."""
        if source.entry_id is not None:
            return self._longleaf.entry(source.entry_id)
        options = self._options.read
        if self._options.timeout_s is not None:
            options = replace(options, limits=replace(options.limits, read_timeout_s=self._options.timeout_s))
        return self._longleaf.add(source.path, name=source.name, options=options, cancel=cancel)

    def _settled(self, entry: Entry, question: Question, on_reading: Callable[[ReadingProgress], None]) -> Answer:
        """The answer; of a field, the one that gives its value."""
        form = question.field.form if question.field is not None else None
        answer = self._answer(entry, question, form, on_reading)
        if question.field is None:
            return answer

        def ask_again(form: Form) -> Answer:
            try:
                return self._answer(entry, question, form, on_reading)
            except TimeUp:  # the first answer stays
                return replace(answer, found=False)

        return settled(answer, question.field, [self._longleaf.document(entry.id)], ask_again)

    def _answer(
        self, entry: Entry, question: Question, form: Form | None, on_reading: Callable[[ReadingProgress], None]
    ) -> Answer:
        with self._time_limit() as is_over:
            if self._options.whole:
                for step in self._longleaf.read([entry.id], is_over):
                    on_reading(step)
            for event in self._longleaf.ask([entry.id], question.text, replace(self._options.ask, form=form), is_over):
                if isinstance(event, ReadingProgress):
                    on_reading(event)
                elif isinstance(event, Answered) and not (event.answer.stopped and not event.answer.found):
                    return event.answer
        raise TimeUp(
            f"{entry.name} took longer than {self._options.timeout_s:g} s to be read and asked; raise --timeout-s and "
            "run again with --retry-failed: what was read by then is kept"
        )

    def _texts(self, entry: Entry) -> Iterator[str]:
        for leaf in self._longleaf.document(entry.id).leaves():
            yield from (page.text for page in leaf.pages)

    @contextmanager
    def _time_limit(self) -> Iterator[threading.Event]:
        """An event that is set when the time for one row is up."""
        is_over = threading.Event()
        if self._options.timeout_s is None:
            yield is_over
            return
        timer = threading.Timer(self._options.timeout_s, is_over.set)
        timer.daemon = True
        timer.start()
        try:
            yield is_over
        finally:
            timer.cancel()

    def _why(self, source: Source, error: Exception) -> str:
        """One sentence for a row. Raises what no later row would survive."""
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise error
        sentence = str(error) if isinstance(error, TimeUp) else sentence_of(error)
        if sentence is None:
            _log.exception("a row of %s failed", source.name)
            return f"{source.name} could not be asked: an unexpected {type(error).__name__}; see the log"
        return sentence
