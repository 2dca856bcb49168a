"""The lines below an answer, and progress: what was left out is named, and standard output stays clean."""

from dataclasses import replace

import pytest

from app.cli import progress as progress_file
from app.cli.output import after_answer, citation_line, coverage_line, expert_line, seen_line, size, timing_line
from app.cli.progress import Progress, duration
from app.cli.streaming import Draft
from ingest.document import Box
from llm.answer import Answer, Citation, Coverage, ExpertUse, LeftOut, ModelName, ReadingProgress, Timing


def test_a_citation_says_where() -> None:
    page = Citation("a.pdf", "f" * 64, 3, None, Box(1, 2, 3, 4), "Two\nlines  here", True)
    lines = Citation("a.py", "f" * 64, None, (4, 6), None, "x = 1", True)
    doubted = Citation("a.py", "f" * 64, None, (4, 4), None, "x = 1", False)
    assert citation_line(page) == "a.pdf, page 3: “Two lines here”"
    assert citation_line(lines) == "a.py, lines 4-6: “x = 1”"
    assert citation_line(doubted) == "a.py, line 4: “x = 1” (not found there word for word)"


def test_fetched_experts_are_counted_since_the_model_was_loaded() -> None:
    assert expert_line("scout", ExpertUse(750, 250, 2_500_000)) == (
        "Of 1,000 uses of routed experts in scout, 750 (75%) found theirs in place; 2.5 MB were fetched."
    )
    assert expert_line("scout", ExpertUse()) == (
        "Of 0 uses of routed experts in scout, 0 found theirs in place; 0 bytes were fetched."
    )


def test_how_an_answer_was_computed_comes_first() -> None:
    timing, coverage = Timing(0, 0, 0, 0, 0, 0, 0), Coverage(1, 1, 1, 5, 5)
    answer = Answer("How many?", "3", True, (), coverage, timing, ModelName("m", "r"), how="number of rows")
    assert list(after_answer(answer)) == ["From the table: number of rows.", "Read all 1 page (5 tokens)."]


def test_an_answer_that_no_model_wrote_says_so_and_names_none() -> None:
    nothing, empty = LeftOut("a.pdf", None, "the model read nothing for it"), LeftOut("a.pdf", 2, "no text")
    answer = Answer(
        "Who?", "Ada", True, (), Coverage(1, 9, 1, 900, 0, (nothing,)), Timing(0, 0, 0, 0.3, 0.3, 0, 0),
        ModelName("m", "r"), derived=True,
    )  # fmt: skip
    looked_up = "Looked up in the document, not written by the model."
    assert seen_line(answer) == looked_up
    assert timing_line(answer) == "0.3 s in all, without the model."
    assert seen_line(replace(answer, how="number of rows", coverage=Coverage(1, 9, 1, 900, 0, (nothing, empty)))) == (
        "Worked out from a table, not written by the model. Left out: a.pdf, page 2: no text."
    )
    looked_over = replace(answer, coverage=Coverage(1, 9, 9, 900, 900))
    assert seen_line(looked_over) == f"{looked_up} Read all 9 pages (900 tokens)."
    assert "with m." in timing_line(looked_over)
    assert "not written" not in seen_line(replace(answer, derived=False))


def test_coverage_says_what_was_not_read() -> None:
    assert coverage_line(Coverage(1, 12, 12, 3456, 3456)) == "Read all 12 pages (3,456 tokens)."
    left_out = (LeftOut("a.pdf", 3, "no text found."), LeftOut("b.bin", None, "binary"))
    assert coverage_line(Coverage(2, 12, 11, 3456, 1200, left_out)) == (
        "Read 11 of 12 pages (1,200 of 3,456 tokens) of 2 files. Left out: a.pdf, page 3: no text found; b.bin: binary."
    )
    many = tuple(LeftOut(f"{number}.bin", None, "binary") for number in range(9))
    assert coverage_line(Coverage(1, 1, 1, 2, 2, many)).endswith("4.bin: binary; and 4 more (--json lists them all).")


@pytest.mark.parametrize(
    ("num_bytes", "text"), [(1, "1 byte"), (812, "812 bytes"), (1400, "1.4 kB"), (2**40, "1099.5 GB")]
)
def test_sizes(num_bytes: int, text: str) -> None:
    assert size(num_bytes) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress_file.time, "monotonic", lambda: clock[0])
    with Progress() as shown:
        for second in range(31):
            clock[0] = 100.0 + second
            shown.reading(ReadingProgress("read", second * 10, 300, "tokens", 10.0, 30.0 - second))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Reading: 20 of 300 tokens, 10 a second, 28 s left",
        "Reading: 120 of 300 tokens, 10 a second, 18 s left",
        "Reading: 220 of 300 tokens, 10 a second, 8 s left",
    ]


def test_progress_on_a_terminal_is_a_bar_that_goes_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_file, "QUIET_S", 0.0)
    monkeypatch.setattr(progress_file.sys.stderr, "isatty", lambda: True, raising=False)
    with Progress() as shown:
        shown.reading(ReadingProgress("index", 5, 10, "passages", 2.0, 2.5))
        shown.text("a [note] in between")
        shown.pause()
    out, err = capsys.readouterr()
    assert out == ""
    assert "Indexing" in err
    assert "a [note] in between" in err


def test_a_draft_is_shown_on_a_terminal_and_taken_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Draft() as draft:
        draft.add("nothing of this is seen in a pipe")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress_file.sys.stdout, "isatty", lambda: True, raising=False)
    with Draft() as draft:
        draft.add("The World Cup")
        draft.add(" was won\nby nobody.")
    out = capsys.readouterr().out
    assert "The World Cup was won" in out
    assert out.endswith("\x1b[1A\x1b[2K")  # the last line written is erased again
