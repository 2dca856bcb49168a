"""Dealing documents out to workers: which has which, in what order, and what becomes of those that are lost.

Knows no Ray: a crew is whatever takes documents and gives rows. A document goes to the same worker again where that is
idle, since what was read lies there; one that has nothing left takes the last of the longest queue, so that what
another is parsing ahead stays with it. A worker that is lost costs the document it was at, which is given to a new one;
a document that costs two is given up.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Protocol

from app.batch.making import OnReading, Work
from app.batch.rows import Basis, Row, copied, failed
from app.batch.running import Batch, OnRow
from app.batch.sources import Source
from llm.answer import ReadingProgress

MAX_LOST = 2  # workers that one document may cost
_LOOKED_AT = 3  # workers; a look at a thousand would take longer than their documents
_log = logging.getLogger(__name__)


class WorkerLost(Exception):
    """A worker ended before its document was done."""


class AnyCrew(Protocol):
    """Workers that are given documents: what `Round` needs of a crew."""

    def __len__(self) -> int: ...

    def begin(self, index: int, work: Work, basis: Basis, ahead: Source | None) -> Any:
        """Gives a worker a document, and the one that it may parse meanwhile; what stands for the rows."""

    def first_done(self, begun: Collection[Any]) -> Any | None:
        """Waits a while for one of several; None where none is done by then."""

    def reading(self, index: int) -> tuple[Source, ReadingProgress] | None:
        """How far a worker is in reading a document; None while it does something else, or does not say."""

    def rows(self, begun: Any) -> list[Row]:
        """Waits for them. Raises WorkerLost, OSError."""

    def replace(self, index: int) -> None:
        """Another worker for one that was lost."""


class Round:
    """One run over what is missing."""

    def __init__(self, crew: AnyCrew, batch: Batch, on_row: OnRow, on_reading: OnReading) -> None:
        self._crew, self._batch, self._on_row, self._on_reading = crew, batch, on_row, on_reading
        self._queues: list[deque[Work]] = [deque() for _ in range(len(crew))]
        for work in batch.work():
            self._queues[int(work.source.sha256[:8], 16) % len(crew)].append(work)
        self._running: dict[Any, tuple[int, Work]] = {}
        self._idle = set(range(len(crew)))
        self._equal: defaultdict[str, list[Work]] = defaultdict(list)  # by SHA-256: wait for one that is running
        self._lost: Counter[str] = Counter()

    def run(self) -> None:
        while True:
            for index in sorted(self._idle):
                self._hand_out(index)
            if not self._running:
                break
            done = self._crew.first_done(self._running)
            if done is None:
                self._look()
            else:
                self._take(done)

    def _hand_out(self, index: int) -> None:
        """The next document for an idle worker, if there is one."""
        while (work := self._next_for(index)) is not None:
            work = self._without_known(work)
            if work.asked:
                begun = self._crew.begin(index, work, self._batch.basis, self._ahead_of(index))
                self._running[begun] = index, work
                self._idle.discard(index)
                return

    def _next_for(self, index: int) -> Work | None:
        """One whose place is at this worker, else one of the longest queue; equal files one behind the other."""
        at_work = {work.source.sha256 for _, work in self._running.values()}
        while True:
            own, longest = self._queues[index], max(self._queues, key=len)
            if not longest:
                return None
            work = own.popleft() if own else longest.pop()
            if work.source.sha256 not in at_work:
                return work
            self._equal[work.source.sha256].append(work)

    def _ahead_of(self, index: int) -> Source | None:
        """What the worker will be given next, if nothing comes between."""
        queue = self._queues[index]
        return queue[0].source if queue and queue[0].source.refused is None else None

    def _without_known(self, work: Work) -> Work:
        """What a worker must do; rows that another file has, or that cannot be made, are written here."""
        left = []
        for question, row_id in work.asked:
            known = self._batch.same(self._batch.basis.key(work.source, question))
            if known is not None:
                self._keep(copied(known, row_id, work.source, question))
            else:
                left.append((question, row_id))
        if work.source.refused is not None:
            self._fail(replace(work, asked=tuple(left)), work.source.refused)
            left = []
        return replace(work, asked=tuple(left))

    def _look(self) -> None:
        """How far the workers are that have been at work longest, while none is done."""
        for index, _ in list(self._running.values())[:_LOOKED_AT]:
            found = self._crew.reading(index)
            if found is not None:
                self._on_reading(*found)

    def _take(self, begun: Any) -> None:
        index, work = self._running.pop(begun)
        self._idle.add(index)
        try:
            for row in self._crew.rows(begun):
                self._keep(row)
        except WorkerLost:
            self._after_loss(index, work)
        self._queues[index].extendleft(self._equal.pop(work.source.sha256, ()))

    def _after_loss(self, index: int, work: Work) -> None:
        name = work.source.name
        _log.warning("the worker that had %s was lost", name)
        self._crew.replace(index)
        self._lost[name] += 1
        if self._lost[name] < MAX_LOST:
            self._queues[index].appendleft(work)
        else:
            self._fail(work, f"{name} could not be asked: {MAX_LOST} workers were lost at it; look into Ray's log")

    def _fail(self, work: Work, why: str) -> None:
        for question, row_id in work.asked:
            self._keep(failed(row_id, work.source, question, self._batch.basis.model, why))

    def _keep(self, row: Row) -> None:
        self._batch.keep(row)
        self._on_row(row)
