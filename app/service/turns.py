"""Whose turn it is to read: one process a library, and within it one caller a document.

Guarantees: two callers never read the same document at once, whatever folders hold it; callers with different
documents read side by side, a step at a time (the engine orders the steps); another process waits until this one
reads nothing more.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

POLL_S = 0.2
TOLD_AFTER_S = 1.0


class Turns:
    """The readings of one process. Safe to call from several threads."""

    def __init__(self, data_dir: Path, on_wait: Callable[[str], None]) -> None:
        # Not bound to a thread: a generator that holds a turn may be resumed, and closed, on another one.
        self._lock = FileLock(data_dir / "reading.lock", thread_local=False, mode=0o600)
        self._on_wait = on_wait
        self._changed = threading.Condition()
        self._taken: set[str] = set()
        self._num_holders = 0

    @contextmanager
    def reading(self, leaf_ids: Collection[str], cancel: threading.Event) -> Iterator[bool]:
        """True inside: these documents are the caller's to read. False: cancelled while waiting."""
        wanted = frozenset(leaf_ids)
        is_ours = self._wait(wanted, cancel)
        try:
            yield is_ours
        finally:
            if is_ours:
                self._give_back(wanted)

    def _wait(self, wanted: frozenset[str], cancel: threading.Event) -> bool:
        since, told = time.monotonic(), False
        while not cancel.is_set():
            with self._changed:
                if self._takes(wanted):
                    return True
                self._changed.wait(POLL_S)
            if not told and time.monotonic() - since > TOLD_AFTER_S:
                self._on_wait("Waiting for another reading of this library to finish")
                told = True
        return False

    def _takes(self, wanted: frozenset[str]) -> bool:
        """Whether it could be had at once. Under the condition's lock."""
        if wanted & self._taken:
            return False
        if not self._num_holders:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return False
        self._taken |= wanted
        self._num_holders += 1
        return True

    def _give_back(self, wanted: frozenset[str]) -> None:
        with self._changed:
            self._taken -= wanted
            self._num_holders -= 1
            if not self._num_holders:
                self._lock.release()
            self._changed.notify_all()
