"""What a visit to one side of the speed measurement is asked to do, and what it found. Plain values: they travel."""

import dataclasses
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_FIRST_WORD, _VOCABULARY = 1000, 40000  # tokens of the packaged model that are words, not signs
QUESTION_TOKENS = 40
WARM_UP_TOKENS = 64  # read before any time is taken, as llama.cpp does by itself
WARM_UP_DECODED = 4


@dataclass(frozen=True, slots=True)
class Task:
    """One visit."""

    cache_dir: Path  # holds the prepared model
    length: int  # tokens to read
    num_decoded: int
    threads: int
    kv_type: str = ""

    def with_kv_type(self, kv_type: str) -> "Task":
        return dataclasses.replace(self, kv_type=kv_type)

    def tokens(self) -> list[int]:
        """The document, the same for every side, and QUESTION_TOKENS more."""
        drawn = random.Random(self.length)
        return [drawn.randrange(_FIRST_WORD, _VOCABULARY) for _ in range(self.length + QUESTION_TOKENS)]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds."""

    read_s: float  # all tokens, the model being loaded
    token_s: float  # one decoded token, right after reading
    save_s: float  # 0 where it is part of reading
    restored_s: float  # from opening what was saved to the first token of a question of 40 tokens


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
