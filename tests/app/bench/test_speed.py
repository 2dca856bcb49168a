"""The table of speeds, from timings that are known."""

from pathlib import Path

import pytest

from app.bench import speed
from app.bench.peers import llama_cpp
from app.bench.timing import QUESTION_TOKENS, Task, Timing
from app.errors import BadRequest

OURS = Timing(read_s=2.0, token_s=0.01, save_s=0.0, restored_s=0.1)
SLOW = Timing(read_s=10.0, token_s=0.05, save_s=1.0, restored_s=0.4)
SLOWER = Timing(read_s=20.0, token_s=0.1, save_s=2.0, restored_s=0.2)


NAMES = ["Longleaf", "transformers", "llama.cpp f16"]


def rows() -> dict[str, dict[str, object]]:
    found = speed._rows(1000, {"Longleaf": OURS, "transformers": SLOW, "llama.cpp f16": SLOWER}, NAMES)
    return {str(row["measured"]): row for row in found}


def test_rates_and_times_are_set_beside_the_best_peer() -> None:
    reading, decoding = rows()["reading, tokens/s"], rows()["decoding, tokens/s"]
    assert (reading["Longleaf"], reading["transformers"], reading["times the best peer"]) == (500, 100, 5)
    assert decoding["times the best peer"] == pytest.approx(5)
    assert rows()["first token after restoring, s"]["times the best peer"] == pytest.approx(2)


def test_saving_while_reading_has_no_ratio() -> None:
    saving = rows()["saving, s"]
    assert (saving["Longleaf"], saving["times the best peer"]) == (0.0, None)


def test_a_question_on_what_was_read_is_compared_with_reading_from_scratch() -> None:
    question = rows()["first token of a question, Longleaf having read, s"]
    assert (question["Longleaf"], question["transformers"]) == (0.1, 10.05)
    assert question["times the best peer"] == pytest.approx(100.5)


def test_a_side_that_cannot_take_so_much_has_no_value() -> None:
    found = speed._rows(1000, {"Longleaf": OURS, "transformers": SLOW}, NAMES)
    assert {row["llama.cpp f16"] for row in found} == {None}
    assert all(list(row) == list(found[0]) for row in found)


def test_medians_are_taken_field_by_field() -> None:
    fields = [Timing(1, 9, 0, 5), Timing(2, 8, 0, 6), Timing(30, 7, 1, 4)]
    assert speed.median(fields) == Timing(2, 8, 0, 5)


def test_every_side_reads_the_same_tokens(tmp_path: Path) -> None:
    task = Task(tmp_path, 100, 8, 1)
    assert task.tokens() == task.with_kv_type("f16").tokens()
    assert len(task.tokens()) == 100 + QUESTION_TOKENS


def test_sides_are_visited_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def visit(_: object, task: Task) -> Timing:
        order.append(task.kv_type)
        return OURS

    monkeypatch.setattr(speed, "_in_child", visit)
    speed._measured(speed.SIDES, Task(tmp_path, 100, 8, 1), 2, lambda _: None)
    assert order == ["int8", "bfloat16", "f16", "q8_0"] * 2


def test_a_missing_peer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr(speed, "prepare", lambda *_: tmp_path)
    monkeypatch.setattr(speed, "_in_child", lambda *_: OURS)
    monkeypatch.setattr(llama_cpp, "is_installed", lambda: False)
    report = speed.run(tmp_path, 1, quick=True, on_text=lambda _: None)
    assert "llama.cpp f16" not in report.rows[0]
    assert "pip install -r requirements-dev.txt" in report.note


def test_a_count_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="repeats is 0 and threads 2; both must be 1 or more"):
        speed.run(tmp_path, 2, repeats=0)
