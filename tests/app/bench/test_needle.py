"""Needles: hidden once, evenly, between sentences; asked once; a resumed run asks nothing again."""

from itertools import accumulate
from pathlib import Path

import pytest

from app.bench.corpus import pages_of, real_texts
from app.bench.facts import needles
from app.bench.needle import NeedleBench, hide, line
from app.bench.subject import Subject
from app.errors import BadRequest
from tests.app.bench.conftest import silent, texts_of


def test_every_needle_stands_where_it_is_said_to_and_nothing_is_lost(data: Path) -> None:
    pages = list(pages_of(real_texts(data)))
    some = needles(12, 0)
    hidden_in, hidden = hide(some, pages, seed=0)
    assert [place.needle for place in hidden] == some
    for place in hidden:
        page = hidden_in.pages[place.at.page_index].text
        assert page[place.at.start : place.at.end] == place.needle.sentence
        before = page[: place.at.start].rstrip()
        assert not before or before.endswith((".", "?"))
    without = texts_of([page.text for page in hidden_in.pages])
    for needle in some:
        without = " ".join(without.replace(needle.sentence, "").split())
    assert without == texts_of(pages)


def test_depths_are_even(data: Path) -> None:
    pages = list(pages_of(real_texts(data)))
    _, hidden = hide(needles(6, 0), pages, seed=5)
    starts = [0, *accumulate(map(len, pages))]
    for number, place in enumerate(hidden):
        depth = (starts[place.at.page_index] + place.at.start) / starts[-1]
        assert number / 6 < depth < (number + 1) / 6


def test_a_length_read_whole_stands_beside_one_read_as_asked(data: Path, subject: Subject, tmp_path: Path) -> None:
    bench = NeedleBench(subject, data, tmp_path, number=2, seed=0)
    report = bench.run([6000], [3000], silent)
    assert [(row["tokens"], row["read"], row["needles"]) for row in report.rows] == [
        (3000, "whole, exact", 2), (6000, "as asked", 2),
    ]  # fmt: skip
    whole, asked = (cell["rows"] for cell in report.details["answers"])
    assert all(2950 < row["tokens"] < 3050 for row in whole)
    assert all(5950 < row["tokens"] < 6050 and row["selected"] is not None for row in asked)


def test_a_resumed_run_asks_nothing_again(
    data: Path, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = NeedleBench(subject, data, tmp_path, number=1, seed=0).run([2000], [], silent)
    monkeypatch.setattr(Subject, "ask", None)
    monkeypatch.setattr(Subject, "read", None)
    assert NeedleBench(subject, data, tmp_path, number=1, seed=0).run([2000], [], silent) == first
    with pytest.raises(TypeError):
        NeedleBench(subject, data, tmp_path, number=1, seed=1).run([2000], [], silent)


def test_a_size_that_cannot_hold_the_needles_is_refused(data: Path, subject: Subject, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="1,000 tokens hold 10 needles of"):
        NeedleBench(subject, data, tmp_path, number=10, seed=0).run([1000], [], silent)


def test_what_is_kept_is_a_share_of_what_the_model_can() -> None:
    rows = [
        {"answered": True, "selected": True, "evidence": True, "first_token_s": 0.1},
        {"answered": False, "selected": True, "evidence": False, "first_token_s": 0.3},
    ]
    found = line(8192, False, rows, ceiling=0.8)
    assert (found["answered"], found["selected"], found["evidence"], found["kept"]) == (0.5, 1.0, 0.5, 0.625)
    assert line(4096, True, rows, ceiling=0.8)["kept"] is None
