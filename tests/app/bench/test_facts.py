"""Needles: every one has its own question and a value that stands in it and nowhere else."""

import pytest

from app.bench.facts import MAX_NEEDLES, needles
from app.errors import BadRequest


@pytest.mark.parametrize("seed", range(20))
def test_no_two_needles_can_be_confused(seed: int) -> None:
    some = needles(MAX_NEEDLES, seed)
    assert len({needle.question for needle in some}) == MAX_NEEDLES
    for needle in some:
        holders = [other for other in some if needle.value in other.sentence]
        assert holders == [needle]
        assert needle.value not in needle.question


def test_the_first_ten_are_of_ten_forms() -> None:
    openings = {tuple(needle.question.split()[:4]) for needle in needles(10, 3)}
    assert len(openings) >= 9  # a person's name is the fourth word of some


def test_a_seed_decides_and_too_many_are_refused() -> None:
    assert needles(10, 1) == needles(10, 1) != needles(10, 2)
    with pytest.raises(BadRequest, match="41 needles were asked for, and at most 40 differ enough; lower --needles"):
        needles(41, 0)
