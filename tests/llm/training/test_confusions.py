"""Confusions: what recognition made of known lines comes back in other texts, as often and no other."""

import random
from pathlib import Path

import pytest

from ingest.document import Doubt
from llm.training.confusions import Confusions
from llm.training.patches import Printed, printed_lines

DOUBT = (("c", 0.6), ("e", 0.4))


@pytest.fixture
def confusions() -> Confusions:
    return Confusions.measured([
        Printed(1, "eel", "cel", (Doubt(0, DOUBT),)),
        Printed(1, "ten", "len", ()),
        Printed(1, "toe", "toe", ()),
    ])  # fmt: skip


def test_a_blurred_text_shows_what_was_seen_and_keeps_its_length(confusions: Confusions) -> None:
    rng = random.Random(0)
    seen = [confusions.blurred("tee", rng) for _ in range(300)]
    texts = {text for text, _ in seen}
    assert texts == {a + b + c for a in "tl" for b in "ec" for c in "ec"}
    for text, doubts in seen:
        assert [doubt.at for doubt in doubts] == [at for at, character in enumerate(text) if character == "c"]
        assert all(doubt.readings == DOUBT for doubt in doubts)
    misread = sum(text[0] == "l" for text, _ in seen) / len(seen)
    assert misread == pytest.approx(1 / 2, abs=0.1)


def test_a_text_of_characters_never_printed_stays(confusions: Confusions) -> None:
    assert confusions.blurred("xyz", random.Random(1)) == ("xyz", ())


def test_what_is_saved_is_what_is_loaded(confusions: Confusions, tmp_path: Path) -> None:
    path = tmp_path / "confusions.json"
    assert Confusions.load(path) is None
    confusions.save(path)
    loaded = Confusions.load(path)
    assert loaded is not None
    assert loaded.blurred("tee" * 20, random.Random(5)) == confusions.blurred("tee" * 20, random.Random(5))


def test_printed_lines_are_recognised_again() -> None:
    lines = ["The agreement starts on 3 May 2019.", "Total due: 418.20 EUR"]
    printed = list(printed_lines(lines, level=0, num_pages=1, seed=4))
    assert len(printed) > 25
    right = sum(line.text == line.true for line in printed)
    assert right > 0.7 * len(printed)
