"""How many threads carry a few tokens: one or all, whichever was faster a moment ago on this machine.

One token is 300 products of 10 to 100 microseconds. Where a core is free, a second thread gains a fifth at 2,048 tokens
and more beyond; where another job keeps it busy, waiting for it costs two or three times (docs/LOG.md). That changes
while a program runs, so both are tried again and again. Results do not depend on the number.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

_TRIED = 2  # passes with each number, of which the faster counts: the first has to wake the threads
_CYCLE = 64  # passes from one trial to the next


class FastestThreads:
    """The choice of one runner. Not for several threads at once."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._num_passes = 0
        self._seconds = (0.0, 0.0)  # of a pass with one thread and with all, when last tried

    @contextmanager
    def carrying(self, *, is_trial: bool) -> Iterator[None]:
        """Runs a pass with the threads that are best for it. `is_trial`: its time may be compared with others'."""
        before = torch.get_num_threads()
        at = self._num_passes % _CYCLE
        trying = at // _TRIED if is_trial and at < 2 * _TRIED else None
        with_all = self._seconds[1] < self._seconds[0] if trying is None else trying == 1
        began = self._clock()
        torch.set_num_threads(before if with_all else 1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
        self._num_passes += is_trial
        if trying is not None:
            self._note(trying, self._clock() - began, is_first=at % _TRIED == 0)

    def _note(self, trying: int, seconds: float, *, is_first: bool) -> None:
        one, most = self._seconds
        known = (one, most)[trying]
        best = seconds if is_first else min(known, seconds)
        self._seconds = (best, most) if trying == 0 else (one, best)
