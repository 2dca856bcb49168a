"""Prefill in chunks: tokens go through the model a chunk at a time, so that progress shows and a stop takes effect."""

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from llm.answer import ReadingProgress
from llm.pictures import end_of_pictures
from llm.runtime.policy import ReadingPolicy
from llm.runtime.reading_kv import ReadingKV
from llm.runtime.runner import Runner

CHUNK_TOKENS = 1024  # a commit costs as much as 60 tokens; a kill loses at most this
_PACE_CHUNKS = 64  # the last chunks, from which the pace is estimated


def prefill(
    runner: Runner, kv: ReadingKV, token_ids: Sequence[int], policy: ReadingPolicy, cancel: threading.Event | None
) -> Iterator[ReadingProgress]:
    """Reads `token_ids` from `kv.num_tokens` on; yields after every chunk, which is committed then. Modifies `kv`.

    Stops between two chunks when `cancel` is set. Raises OSError when the disk is full.
    """
    total, reused = len(token_ids), kv.num_tokens
    pace = Pace(policy)
    while (done := kv.num_tokens) < total and not (cancel and cancel.is_set()):
        end = end_of_pictures(token_ids, done, min(done + kv.room(CHUNK_TOKENS), total))
        started = time.perf_counter()
        runner.forward(token_ids[done:end], kv)
        pace.add(done, end, time.perf_counter() - started)
        yield ReadingProgress("read", end, total, "tokens", pace.rate, pace.remaining_s(end, total), reused)


class Pace:
    """How fast a reading goes on: a token costs a constant and a share of the tokens that it sees."""

    def __init__(self, policy: ReadingPolicy) -> None:
        self._policy = policy
        self._chunks: list[tuple[float, float]] = []  # tokens seen on average, seconds a token
        self.rate = 0.0  # tokens a second, of the last chunk

    def add(self, start: int, end: int, seconds: float) -> None:
        """Tokens [start, end) took that long."""
        self.rate = (end - start) / max(seconds, 1e-9)
        self._chunks = [*self._chunks, (self._policy.mean_shown(start, end), 1 / self.rate)][-_PACE_CHUNKS:]

    def remaining_s(self, done: int, total: int) -> float:
        """Seconds from token `done` to `total`."""
        if done >= total:
            return 0.0
        ahead = self._policy.mean_shown(done, total)
        seen, cost = np.array(self._chunks).T
        if len(seen) >= 3 and float(np.ptp(seen)) > CHUNK_TOKENS / 2:
            slope, constant = np.polyfit(seen, cost, 1)
            per_token = max(float(constant + max(slope, 0.0) * ahead), float(cost.min()) / 2)
        else:
            per_token = float(np.median(cost))
        return (total - done) * per_token
