"""Who is answered next: questions in the order in which they came, one at a time, whoever puts them.

A lock alone is not fair: whoever comes back at once may take it again. Safe to use from several threads.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_EVERY_S = 0.2  # for a cancelled question


class Line:
    """The questions that wait for one model."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets: list[object] = []  # the first one is being answered

    def __len__(self) -> int:
        """How many wait or are being answered."""
        return len(self._tickets)

    @contextmanager
    def turn(self, cancel: threading.Event, on_wait: Callable[[int], None]) -> Iterator[bool]:
        """True inside: it is the caller's turn. False: cancelled while waiting. `on_wait` hears how many are before."""
        ticket = object()
        with self._changed:
            self._tickets.append(ticket)
        try:
            yield self._wait(ticket, cancel, on_wait)
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: object, cancel: threading.Event, on_wait: Callable[[int], None]) -> bool:
        told = None
        while not cancel.is_set():
            with self._changed:
                ahead = self._tickets.index(ticket)
                if ahead and ahead == told:
                    self._changed.wait(LOOK_EVERY_S)
                    continue
            if not ahead:
                return True
            on_wait(ahead)  # outside the lock: it may take its time
            told = ahead
        return False
