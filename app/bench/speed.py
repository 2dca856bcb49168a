"""Speed beside peers with the same weights on the same machine: transformers, and llama.cpp where it is installed.

Each visit to a side is a child process of its own, one at a time; repeats are interleaved, so that a machine that
slows down slows all sides; medians are reported, and how often Longleaf's median is better than the best peer's.
Tokens are drawn at random: no step of any side depends on what they say. Reading includes keeping what was read, on
disk, since Longleaf always does; the peers' saving is timed apart. Beyond the trained context Longleaf reads through a
window, transformers attends to everything, and llama.cpp takes no more.
"""

import multiprocessing
import statistics
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from app.bench.peers import llama_cpp, ours, through_transformers
from app.bench.report import Report
from app.bench.timing import QUESTION_TOKENS, Task, Timing
from app.errors import BadRequest
from llm.answer import ModelName
from llm.packaged import PACKAGED_NAME, prepare, sha256_of

LENGTHS = (2048, 7168)  # tokens
_TRAINED = 8192  # llama.cpp takes no more, what is decoded included
LONG = 32768  # read by each side once: llama.cpp takes minutes
_QUICK = (512,)

OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """Something that reads and decodes."""

    name: str
    visit: Callable[[Task], Timing]
    kv_type: str  # of keys and values, in the side's own words


SIDES = (
    Side("Longleaf", ours.visit, "int8"),
    Side("transformers", through_transformers.visit, "bfloat16"),
    Side("llama.cpp f16", llama_cpp.visit, "f16"),
    Side("llama.cpp q8_0", llama_cpp.visit, "q8_0"),
)


def run(
    cache_dir: Path,
    threads: int,
    *,
    lengths: Sequence[int] = (*LENGTHS, LONG),
    repeats: int = 3,
    quick: bool = False,
    on_text: OnText = print,
) -> Report:
    """All sides at all lengths; `quick`: one short length, once. Raises ModelNotFound; BadRequest for a bad count."""
    if repeats < 1 or threads < 1:
        raise BadRequest(f"repeats is {repeats} and threads {threads}; both must be 1 or more")
    weights = sha256_of(prepare(cache_dir, on_text) / "model.safetensors")
    sides = [side for side in SIDES if side.visit is not llama_cpp.visit or llama_cpp.is_installed()]
    rows = []
    for length in _QUICK if quick else lengths:
        task = Task(cache_dir, length, num_decoded=8 if quick else 64, threads=threads)
        times = 1 if quick or length >= LONG else repeats
        fitting = [
            side
            for side in sides
            if side.visit is not llama_cpp.visit or length + QUESTION_TOKENS + task.num_decoded <= _TRAINED
        ]
        rows += _rows(length, _measured(fitting, task, times, on_text), [side.name for side in sides])
    return Report(
        "Speed beside peers",
        ModelName(PACKAGED_NAME, weights[:16]),
        rows,
        _note(threads, repeats, len(sides) < len(SIDES)),
    )


def _measured(sides: Sequence[Side], task: Task, times: int, on_text: OnText) -> dict[str, Timing]:
    """The median timing of each side, over visits in turn."""
    visits: dict[str, list[Timing]] = {side.name: [] for side in sides}
    for number in range(1, times + 1):
        for side in sides:
            on_text(f"{side.name}, {task.length:,} tokens, {number} of {times}")
            visits[side.name].append(_in_child(side.visit, task.with_kv_type(side.kv_type)))
    return {name: median(timings) for name, timings in visits.items()}


def _in_child(visit: Callable[[Task], Timing], task: Task) -> Timing:
    """In a process that is started for it, so that no side inherits threads or memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(visit, task).result()


def median(timings: Sequence[Timing]) -> Timing:
    """The median of each field."""
    return Timing(**{each.name: statistics.median(_values(timings, each.name)) for each in fields(Timing)})


def _values(timings: Iterable[Timing], name: str) -> list[float]:
    return [getattr(timing, name) for timing in timings]


def _rows(length: int, found: dict[str, Timing], names: Sequence[str]) -> list[dict[str, Any]]:
    """One row a measured thing; a side among `names` that was not visited has no value."""
    own, peers = found["Longleaf"], [timing for name, timing in found.items() if name != "Longleaf"]
    shown: list[tuple[str, Callable[[Timing], float], bool]] = [
        ("reading, tokens/s", lambda timing: length / timing.read_s, True),
        ("decoding, tokens/s", lambda timing: 1 / timing.token_s, True),
        ("saving, s", lambda timing: timing.save_s, False),
        ("first token after restoring, s", lambda timing: timing.restored_s, False),
    ]
    rows = []
    for name, value, more_is_better in shown:
        best = max(map(value, peers)) if more_is_better else min(map(value, peers))
        values = {side: value(found[side]) if side in found else None for side in names}
        row: dict[str, Any] = {"tokens": length, "measured": name} | values
        rows.append(row | {"times the best peer": _ratio(value(own), best, more_is_better)})
    scratch = min(timing.read_s + timing.token_s for timing in peers)
    unread = {side: found[side].read_s + found[side].token_s if side in found else None for side in names}
    rows.append(
        {"tokens": length, "measured": "first token of a question, Longleaf having read, s"}
        | unread
        | {"Longleaf": own.restored_s, "times the best peer": _ratio(own.restored_s, scratch, False)}
    )
    return rows


def _ratio(own: float, other: float, more_is_better: bool) -> float | None:
    numerator, denominator = (own, other) if more_is_better else (other, own)
    return numerator / denominator if denominator else None


def _note(threads: int, repeats: int, is_alone: bool) -> str:
    note = (
        f"Same weights, {threads} threads, each visit in a new process, interleaved, medians of {repeats} visits "
        f"(one at {LONG:,} tokens). Longleaf writes what it reads to disk while it reads, so its saving takes no "
        "time of its own; beyond 8,192 tokens it reads through a window, transformers attends to everything, and "
        "llama.cpp stops."
    )
    return f"{note} {llama_cpp.MISSING}" if is_alone else note
