"""Reading rates by segment, and the whole measurement on a tiny model and a few thousand characters."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.bench import million
from app.bench.journal import Journal
from app.bench.memory import Memory, MemoryWatch
from app.bench.million import Options, Segments, run
from app.bench.visit import Timed, Visit, visit
from app.settings import Settings
from ingest.document import Document
from llm.answer import ReadingProgress
from tests.app.bench.conftest import silent

NOTED: Callable[[ReadingProgress], None] = lambda _: None  # noqa: E731


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(million.time, "perf_counter", lambda: clock.now)
    return clock


def report(segments: Segments, clock: SimpleNamespace, *events: tuple[float, int, str], total: int = 400) -> None:
    for seconds, done, stage in events:
        clock.now += seconds
        segments.note(ReadingProgress(stage, done, total, "tokens", 1.0, 1.0))


def rates(segments: Segments) -> list[tuple[int, int, float]]:
    return [(row["segment"], row["tokens"], row["tokens_per_s"]) for row in segments.rows()]


def test_rates_are_of_what_was_read_while_reading(clock: SimpleNamespace, tmp_path: Path) -> None:
    segments = Segments(100, Journal(tmp_path, "million", {}), MemoryWatch())
    report(
        segments, clock,
        (9, 50, "index"), (9, 50, "read"),  # the first chunk, after opening: not counted
        (1, 100, "read"), (2, 150, "read"), (2, 200, "read"),
        (30, 70, "index"), (1, 250, "read"), (1, 300, "read"), (5, 400, "read"),
    )  # fmt: skip
    assert rates(segments) == [(0, 50, 50.0), (1, 100, 25.0), (2, 100, 50.0), (3, 100, 20.0)]


def test_a_rest_too_short_for_a_rate_is_left_out(clock: SimpleNamespace, tmp_path: Path) -> None:
    segments = Segments(100, Journal(tmp_path, "million", {}), MemoryWatch())
    report(segments, clock, (1, 50, "read"), (1, 100, "read"), (1, 200, "read"), (9, 230, "read"), total=230)
    assert rates(segments) == [(0, 50, 50.0), (1, 100, 100.0)]


def test_a_segment_that_a_kill_cut_counts_if_half_of_it_was_seen(clock: SimpleNamespace, tmp_path: Path) -> None:
    journal = Journal(tmp_path, "million", {})
    report(Segments(100, journal, MemoryWatch()), clock, (1, 50, "read"), (1, 100, "read"), (1, 160, "read"))
    resumed = Segments(100, journal, MemoryWatch())
    report(resumed, clock, (7, 170, "read"), (1, 200, "read"), (1, 300, "read"), (1, 400, "read"))
    assert rates(resumed) == [(0, 50, 50.0), (2, 100, 100.0), (3, 100, 100.0)]


def test_a_resumed_reading_adds_to_what_was_measured(clock: SimpleNamespace, tmp_path: Path) -> None:
    killed = Segments(100, Journal(tmp_path, "million", {}), MemoryWatch())
    report(killed, clock, (1, 50, "read"), (1, 100, "read"), (1, 120, "read"))
    resumed = Segments(100, Journal(tmp_path, "million", {}), MemoryWatch())
    report(resumed, clock, (7, 140, "read"), (1, 200, "read"), (1, 300, "read"), (1, 400, "read"))
    assert rates(resumed) == [(0, 50, 50.0), (1, 60, 60.0), (2, 100, 100.0), (3, 100, 100.0)]


def visited(_: Any, __: Path, documents: Sequence[Document], questions: Any, limit: int) -> Visit:
    """Without a process: the first question takes 3 s, later ones 1 s; the long document decodes at 12 ms."""
    asked = tuple(
        Timed(at, 3.0 if number == 0 else 1.0, (0.010 + 0.002 * at,) * 5) for number, (at, _) in enumerate(questions)
    )
    assert len(documents[0].pages) < len(documents[1].pages)
    return Visit(2.0, asked, Memory(2**30, 2**31))


def test_everything_measured_is_in_the_table(
    data: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(million, "visit", visited)
    settings = Settings(cache_dir=tmp_path / "cache", model=str(tiny_checkpoint), dtype="float32", threads=1)
    found = run(settings, data, tmp_path, Options(6000, 2500, 2000), silent, NOTED)
    values = {row["what"]: row["value"] for row in found.rows}
    assert 6000 <= values["tokens read"] < 6012  # one word more at most
    assert values["blocks that repeat another"] == 0
    assert values["reading, last / first"] > 0
    assert values["on disk"] > 0
    assert values["first token, new process"] == 3.0
    assert values["first token, warm"] == 1.0
    assert values["decoding at 6,000 tokens"] == 12.0
    assert values["decoding, long / short"] == 1.2
    assert values["anonymous memory while asking, peak"] == 1.0
    assert [row["segment"] for row in found.details["segments"]] == [0, 1, 2]
    again = run(settings, data, tmp_path, Options(6000, 2500, 2000), silent, NOTED)
    assert again.details == found.details


@pytest.mark.slow
def test_a_visit_opens_what_another_process_read(data: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache", model=str(tiny_checkpoint), dtype="float32", threads=1)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(million, "QUESTIONS", million.QUESTIONS[:2])
        patch.setattr(million, "_VISITS", 1)
        started = time.perf_counter()
        found = run(settings, data, tmp_path, Options(3000, 1500, 1000), silent, NOTED)
    values = {row["what"]: row["value"] for row in found.rows}
    assert 0 < values["first token, new process"] < time.perf_counter() - started
    assert values["loading the model"] > 0
    assert visit is million.visit
