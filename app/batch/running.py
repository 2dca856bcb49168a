"""The batch itself: what is to be asked of what, and which rows of that are missing; makes them, one after the other.

All questions of a document are asked one behind the other, over one reading and one index. Each row is in the journal
before the next is begun.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.batch.ahead import Ahead
from app.batch.journal import RowJournal
from app.batch.making import BatchOptions, OnReading, RowMaker, Work
from app.batch.questions import Question
from app.batch.rows import Basis, Row
from app.batch.sources import Source
from app.errors import BadRequest
from app.service import Entry, Longleaf
from llm.answer import ModelName


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


OnRow = Callable[[Row], None]


class Batch:
    """Questions of sources. Raises ModelNotFound when the model that names the rows cannot be loaded."""

    def __init__(
        self,
        longleaf: Longleaf,
        sources: Sequence[Source],
        questions: Sequence[Question],
        journal: RowJournal,
        options: BatchOptions,
        model: ModelName | None = None,
    ) -> None:
        """`model`: the one that answers, where that is not the library's own."""
        self._journal, self.options = journal, options
        self.basis = Basis(model or longleaf.engine().model, options.ask, options.read, options.whole)
        self._maker = RowMaker(longleaf, self.basis, options)
        self._plan = {source: list(self._asked(source, questions)) for source in sources}

    def check(self, words: Sequence[str]) -> None:
        """Raises BadRequest where there is nothing to do; `words` are what named the sources."""
        if not self._plan:
            raise BadRequest(f"there is no document in {', '.join(words)}; name a file, or a folder with files")
        if not any(self._plan.values()):
            raise BadRequest("no question fits the name of any source; check the globs in the questions file")

    def rows(self) -> Iterable[Row]:
        """The rows that are there, source by source, in the order of the questions; each time read from the disk."""
        return _Rows(self._journal, self._ids)

    def counts(self) -> Counts:
        of_status = Counter(map(self._journal.status, self._ids()))
        return Counts(of_status["ok"], of_status["partial"], of_status["failed"], of_status[None])

    def missing(self) -> dict[Source, list[Question]]:
        """What is still to be asked, of sources of which something is."""
        return {each.source: [question for question, _ in each.asked] for each in self.work()}

    def drop_stale(self, *, retry_failed: bool) -> int:
        """Takes rows out that a changed file or option has replaced, and failed ones to be made again; how many."""
        current = set(self._ids())
        names = {(source.name, question.text) for source, asked in self._plan.items() for question, _ in asked}

        def is_stale(row_id: str) -> bool:
            if row_id in current:
                return retry_failed and self._journal.status(row_id) == "failed"
            row = self._journal.get(row_id)
            assert row is not None, f"row {row_id} is one of the journal's"
            is_asked_anew = (row["source"], row["question"]) in names
            return is_asked_anew and bool(row["model"]["name"] == self.basis.model.name)

        return self._journal.drop(set(filter(is_stale, self._journal.ids())))

    def work(self) -> list[Work]:
        """What is still to be made, source by source."""
        plan = ((source, self._missing_of(asked)) for source, asked in self._plan.items())
        return [Work(source, missing) for source, missing in plan if missing]

    def run(self, on_row: OnRow, on_reading: OnReading) -> None:
        """Makes every row that is missing. Raises OSError when the disk is full; what was made stays."""
        work = {each.source: each for each in self.work()}
        with Ahead(list(work), self.parse, self.options.workers) as ahead:
            for source, find in ahead:
                for row in self._maker.rows(work[source], find, self.same, on_reading):
                    self.keep(row)
                    on_row(row)

    def parse(self, source: Source, cancel: threading.Event) -> Entry:
        """As `RowMaker.parse`."""
        return self._maker.parse(source, cancel)

    def same(self, key: str) -> Row | None:
        """A row of the same bytes and question that is there, under any name."""
        return self._journal.same(key)

    def keep(self, row: Row) -> None:
        """Writes a row; when this returns, it is on the disk."""
        self._journal.append(row)

    def _missing_of(self, asked: Sequence[tuple[Question, str]]) -> tuple[tuple[Question, str], ...]:
        return tuple((question, row_id) for question, row_id in asked if row_id not in self._journal)

    def _ids(self) -> Iterator[str]:
        """Of all rows that there will be, in their order."""
        for asked in self._plan.values():
            yield from (row_id for _, row_id in asked)

    def _asked(self, source: Source, questions: Sequence[Question]) -> Iterator[tuple[Question, str]]:
        seen = set()
        for question in questions:
            row_id = self.basis.row_id(source, question)
            if question.fits(source.name) and row_id not in seen:
                seen.add(row_id)
                yield question, row_id


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows that may be gone through more than once, and are never all in memory."""

    journal: RowJournal
    ids: Callable[[], Iterator[str]]

    def __iter__(self) -> Iterator[Row]:
        for row_id in self.ids():
            if (row := self.journal.get(row_id)) is not None:
                yield row
