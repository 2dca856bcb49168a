"""What slows down those who guess: after some failures one has to wait, each time twice as long.

Counts by several keys at once (the name from one address, the address, the name), in memory only. Waiting costs the
server nothing: who comes too early is refused before any password is looked at.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

LONGEST_S = 900.0
FORGOTTEN_AFTER_S = 3600.0
MAX_KEYS = 10_000


class Throttle:
    """Failures by key. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float, float]] = OrderedDict()  # how many, last, open again at
        self._lock = threading.Lock()

    def wait_s(self, keys: Mapping[str, int]) -> float:
        """How long the caller must wait before it may try again; 0: not at all."""
        now = self._clock()
        with self._lock:
            return max([0.0, *(self._failures[key][2] - now for key in keys if key in self._failures)])

    def failed(self, keys: Mapping[str, int]) -> None:
        """`keys`: key -> how many failures are free."""
        now = self._clock()
        with self._lock:
            for key, free in keys.items():
                count, last, _ = self._failures.pop(key, (0, now, now))
                count = 1 if now - last > FORGOTTEN_AFTER_S else count + 1
                wait_s = min(LONGEST_S, 2.0 ** min(count - free, 20)) if count >= free else 0.0
                self._failures[key] = count, now, now + wait_s
            while len(self._failures) > MAX_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, keys: Mapping[str, int]) -> None:
        """Forgets the failures of the first key alone: one who knows a password must not clear the way for guesses."""
        with self._lock:
            for key in list(keys)[:1]:
                self._failures.pop(key, None)
