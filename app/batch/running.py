"""The batch itself: makes the rows that are missing, one after the other, and puts each into the journal at once.

All questions of a document are asked one behind the other, over one reading and one index. A document that cannot be
read, or takes too long, costs its own rows only; a full disk ends the run, since every later row would fail with it.
"""

import errno
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from app.batch.ahead import Ahead
from app.batch.journal import RowJournal
from app.batch.questions import Question
from app.batch.rows import Basis, Row, answered, copied, failed
from app.batch.sources import Source
from app.errors import BadRequest, sentence_of
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
    workers: int = 1  # files that are parsed at the same time, ahead of answering


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a batch by status, those of earlier runs included."""

    ok: int = 0
    partial: int = 0
    failed: int = 0
    missing: int = 0

    @property
    def total(self) -> int:
        return self.ok + self.partial + self.failed + self.missing


class TimeUp(Exception):
    """A row took longer than --timeout-s before its answer began; `str(error)` is one sentence."""


OnRow = Callable[[Row], None]
OnReading = Callable[[Source, ReadingProgress], None]
_Asked = tuple[Question, str]  # a question and the id of its row


class Batch:
    """Questions of sources. Raises ModelNotFound when the model that names the rows cannot be loaded."""

    def __init__(
        self,
        longleaf: Longleaf,
        sources: Sequence[Source],
        questions: Sequence[Question],
        journal: RowJournal,
        options: BatchOptions,
    ) -> None:
        self._longleaf, self._journal, self.options = longleaf, journal, options
        self.basis = Basis(longleaf.engine().model, options.ask, options.read, options.whole)
        self._plan = {source: list(self._asked(source, questions)) for source in sources}

    def check(self, words: Sequence[str]) -> None:
        """Raises BadRequest where there is nothing to do; `words` are what named the sources."""
        if not self._plan:
            raise BadRequest(f"there is no document in {', '.join(words)}; name a file, or a folder with files")
        if not any(self._plan.values()):
            raise BadRequest("no question fits the name of any source; check the globs in the questions file")

    def rows(self) -> Iterator[Row]:
        """The rows that are there, source by source, in the order of the questions."""
        for asked in self._plan.values():
            for _, row_id in asked:
                if (row := self._journal.get(row_id)) is not None:
                    yield row

    def counts(self) -> Counts:
        statuses = [row["status"] for row in self.rows()]
        total = sum(map(len, self._plan.values()))
        ok, partial, failures = (statuses.count(status) for status in ("ok", "partial", "failed"))
        return Counts(ok, partial, failures, total - len(statuses))

    def missing(self) -> dict[Source, list[Question]]:
        """What is still to be asked, of sources of which something is."""
        return {
            source: missing
            for source, asked in self._plan.items()
            if (missing := [question for question, row_id in asked if self._journal.get(row_id) is None])
        }

    def drop_stale(self, *, retry_failed: bool) -> int:
        """Takes rows out that a changed file or option has replaced, and failed ones to be made again; how many."""
        current = {row_id for asked in self._plan.values() for _, row_id in asked}
        names = {(source.name, question.text) for source, asked in self._plan.items() for question, _ in asked}

        def is_stale(row: Row) -> bool:
            if row["id"] in current:
                return retry_failed and row["status"] == "failed"
            is_asked_anew = (row["source"], row["question"]) in names
            return is_asked_anew and row["model"]["name"] == self.basis.model.name

        return self._journal.drop(is_stale)

    def run(self, on_row: OnRow, on_reading: OnReading) -> None:
        """Makes every row that is missing. Raises OSError when the disk is full; what was made stays."""
        with Ahead(list(self.missing()), self.parse, self.options.workers) as ahead:
            for source, entry in ahead:
                for row in self._rows_of(source, entry, on_reading):
                    self._journal.append(row)
                    on_row(row)

    def _asked(self, source: Source, questions: Sequence[Question]) -> Iterator[_Asked]:
        seen = set()
        for question in questions:
            row_id = self.basis.row_id(source, question)
            if question.fits(source.name) and row_id not in seen:
                seen.add(row_id)
                yield question, row_id

    def _rows_of(self, source: Source, find: Callable[[], Entry], on_reading: OnReading) -> Iterator[Row]:
        """The missing rows of one source; an error that ends the document ends all that are left."""
        entry: Entry | None = None
        over: str | None = source.refused
        for question, row_id in self._plan[source]:
            if self._journal.get(row_id) is not None:
                continue
            known = self._journal.same(self.basis.key(source, question))
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
            yield failed(row_id, source, question, self.basis.model, over or why)

    def parse(self, source: Source, cancel: threading.Event) -> Entry:
        """The library's entry of a source, made if need be. Raises IngestError, ReadingCancelled, OSError."""
        if source.entry_id is not None:
            return self._longleaf.entry(source.entry_id)
        options = self.options.read
        if self.options.timeout_s is not None:
            options = replace(options, limits=replace(options.limits, read_timeout_s=self.options.timeout_s))
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
            if self.options.whole:
                for step in self._longleaf.read([entry.id], is_over):
                    on_reading(step)
            for event in self._longleaf.ask([entry.id], question.text, replace(self.options.ask, form=form), is_over):
                if isinstance(event, ReadingProgress):
                    on_reading(event)
                elif isinstance(event, Answered) and not (event.answer.stopped and not event.answer.found):
                    return event.answer
        raise TimeUp(
            f"{entry.name} took longer than {self.options.timeout_s:g} s to be read and asked; raise --timeout-s and "
            "run again with --retry-failed: what was read by then is kept"
        )

    def _texts(self, entry: Entry) -> Iterator[str]:
        for leaf in self._longleaf.document(entry.id).leaves():
            yield from (page.text for page in leaf.pages)

    @contextmanager
    def _time_limit(self) -> Iterator[threading.Event]:
        """An event that is set when the time for one row is up."""
        is_over = threading.Event()
        if self.options.timeout_s is None:
            yield is_over
            return
        timer = threading.Timer(self.options.timeout_s, is_over.set)
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
