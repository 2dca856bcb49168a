"""Parsing ahead: while one document is asked about, the next ones are parsed in child processes, a few at most.

A source of the same bytes as an earlier one is left to its turn: its rows are usually copies, and nothing is parsed.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from app.batch.sources import Source
from app.service import Entry

Parse = Callable[[Source, threading.Event], Entry]
_AHEAD = 2  # sources for each worker; their documents wait in the catalogue, not in memory


class Ahead:
    """Sources in order, each with the way to its entry; that raises what parsing raised."""

    def __init__(self, sources: Sequence[Source], parse: Parse, workers: int) -> None:
        self._sources = sources
        self._parse = parse
        self._window = _AHEAD * workers
        self._cancel = threading.Event()
        self._pool = ThreadPoolExecutor(workers, "longleaf-parse")

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel.set()
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[Source, Callable[[], Entry]]]:
        waiting: deque[tuple[Source, Future[Entry] | None]] = deque()
        begun: set[str] = set()
        for source in self._sources:
            is_new = source.refused is None and source.entry_id is None and source.sha256 not in begun
            begun.add(source.sha256)
            waiting.append((source, self._pool.submit(self._parse, source, self._cancel) if is_new else None))
            if len(waiting) > self._window:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: deque[tuple[Source, Future[Entry] | None]]) -> tuple[Source, Callable[[], Entry]]:
        source, parsed = waiting.popleft()
        return source, parsed.result if parsed is not None else lambda: self._parse(source, self._cancel)
