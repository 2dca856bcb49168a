"""Haystacks: nested, with every question's own context inside, about contexts that no training saw."""

from itertools import pairwise
from pathlib import Path

import pytest

from app.bench.corpus import contexts
from app.bench.pools import Haystack, Pools, draw_questions
from app.errors import BadRequest
from llm.training.sources import part_of

SIZES = (1000, 4000, 16000)


@pytest.fixture
def pools(data: Path) -> Pools:
    passages = contexts(data)
    return Pools(passages, draw_questions(passages, 8, seed=1), 1, len)


def texts(haystack: Haystack) -> set[str]:
    return {page.text for page in haystack.document.pages}


@pytest.mark.parametrize("size", SIZES)
def test_every_question_is_asked_once_where_its_context_is(pools: Pools, size: int) -> None:
    haystacks = list(pools.of_size(size))
    asked = [question for haystack in haystacks for question in haystack.questions]
    assert len(asked) == len(set(asked)) == 8
    for haystack in haystacks:
        for question in haystack.questions:
            assert haystack.document.pages[haystack.gold_page(question)].text == question.context
        assert 0.5 * size < sum(len(page.text) for page in haystack.document.pages) < 1.5 * size


def test_a_smaller_haystack_lies_in_a_larger_one(pools: Pools) -> None:
    for smaller, larger in pairwise(SIZES):
        around = [texts(haystack) for haystack in pools.of_size(larger)]
        assert all(any(texts(inner) < outer for outer in around) for inner in pools.of_size(smaller))


def test_a_size_that_nearly_all_contexts_fill_takes_the_rest(pools: Pools) -> None:
    (whole,) = pools.of_size(int(pools.num_tokens / 1.05))
    assert len(whole.document.pages) == 120


def test_the_right_contexts_do_not_stand_in_front(pools: Pools) -> None:
    (largest,) = pools.of_size(16000)
    places = [largest.gold_page(question) for question in largest.questions]
    assert max(places) > len(largest.document.pages) / 2


def test_questions_are_held_out_and_follow_the_seed(data: Path) -> None:
    passages = contexts(data)
    kinds = {passage.context: passage.kind for passage in passages}
    drawn = draw_questions(passages, 8, seed=1)
    assert all(part_of(kinds[question.context], question.context) == "test" for question in drawn)
    assert drawn == draw_questions(passages, 8, seed=1) != draw_questions(passages, 8, seed=2)
    with pytest.raises(BadRequest, match=r"500 questions were asked for, and \d+ are about contexts that training"):
        draw_questions(passages, 500, seed=1)
