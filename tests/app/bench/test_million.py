"""Reading rates by segment, and the whole measurement on a tiny model and a few thousand characters."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.bench import million
from app.bench.corpus import document, pages_of, real_texts, take
from app.bench.journal import Journal
from app.bench.memory import Memory, MemoryWatch
from app.bench.million import Options, Segments, run
from app.bench.subject import Subject
from app.bench.visit import Decoding, Visit, decode_in_turn, visit
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


def visited(_: Any, __: Path, document: Document, questions: Sequence[str], limit: int) -> Visit:
    """Without a process: the first question takes 3 s, later ones 1 s."""
    return Visit(2.0, (3.0, *[1.0] * (len(questions) - 1)), Memory(2**30, 2**31))


def decoded(_: Any, __: Path, documents: Sequence[Document], question: str, *, rounds: int, tokens: int) -> Decoding:
    """The long document, which comes last, decodes at 12 ms a token."""
    assert len(documents[0].pages) < len(documents[1].pages)
    return Decoding(((0.010,) * rounds * tokens, (0.012,) * rounds * tokens), (0.2, 0.3), Memory(2**29, 2**32))


def test_everything_measured_is_in_the_table(
    data: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(million, "visit", visited)
    monkeypatch.setattr(million, "decode_in_turn", decoded)
    settings = Settings(cache_dir=tmp_path / "cache", model=str(tiny_checkpoint), dtype="float32", threads=1)
    found = run(settings, data, tmp_path, Options(6000, 2500, 2000), silent, NOTED)
    values = {row["what"]: row["value"] for row in found.rows}
    assert 6000 <= values["tokens read"] < 6012  # one word more at most
    assert values["blocks that repeat another"] == 0
    assert values["segments that were timed"] == 3
    last, first = values["reading, last segment"], values["reading, first segment"]
    assert values["reading, last / first"] == round(last / first, 3) > 0
    assert values["on disk"] > 0
    assert values["first token, new process"] == 3.0
    assert values["first token, warm"] == 1.0
    assert values["decoding at 6,000 tokens"] == 12.0
    assert values["decoding, long / short"] == 1.2
    assert values["anonymous memory while asking, peak"] == 1.0
    assert values["file-backed memory while asking, peak"] == 4.0
    assert [row["segment"] for row in found.details["segments"]] == [0, 1, 2]
    again = run(settings, data, tmp_path, Options(6000, 2500, 2000), silent, NOTED)
    assert again.details == found.details


@pytest.mark.slow
def test_new_processes_open_what_this_one_read(data: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache", model=str(tiny_checkpoint), dtype="float32", threads=1)
    subject = Subject.load(settings, tmp_path)
    texts = [document("a.txt", take(pages_of(real_texts(data)), "a.txt", tokens, len)) for tokens in (2000, 5000)]
    for text in texts:
        subject.read(text)
    read = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    seen = visit(settings, tmp_path, texts[1], ["What is it?", "Where is it?"], 4)
    assert all(first is not None and first > 0 for first in seen.first_token_s)
    assert (seen.load_s > 0, len(seen.first_token_s)) == (True, 2)
    steps = decode_in_turn(settings, tmp_path, texts, "What is it?", rounds=2, tokens=3)
    assert [len(seconds) for seconds in steps.token_s] == [6, 6]
    assert min(min(seconds) for seconds in steps.token_s) > 0
    assert read == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
