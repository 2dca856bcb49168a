"""BM25 over counts: equal to bm25s, which knows the whole set when it indexes, wherever the set is cut into leaves."""

import random
from itertools import pairwise

import bm25s
import numpy as np
import pytest

from llm.evidence.words import WordIndex, WordSearch

WORDS = [f"word{number}" for number in range(60)]


def passages(number: int) -> list[list[str]]:
    chooser = random.Random(number)
    frequent = [1 / (1 + at) for at in range(len(WORDS))]
    return [chooser.choices(WORDS, frequent, k=chooser.randrange(40)) for _ in range(number)]


@pytest.mark.parametrize("cuts", [[], [1], [100], [3, 50, 51, 199]])
def test_scores_are_those_of_bm25s(cuts: list[int]) -> None:
    texts = passages(200)
    reference = bm25s.BM25(k1=1.2, b=0.75)
    reference.index([text or [""] for text in texts], show_progress=False)
    borders = [0, *cuts, len(texts)]
    search = WordSearch([WordIndex.of(texts[start:end]) for start, end in pairwise(borders)])
    for asked in (["word0"], ["word59", "word3", "word7"], WORDS[::5]):
        np.testing.assert_allclose(search.scores(asked), reference.get_scores(asked), rtol=1e-5, atol=1e-6)
    assert search.num_passages == 200


def test_a_term_weighs_by_the_passages_of_all_leaves() -> None:
    first, second = WordIndex.of([["a", "b"], ["a"]]), WordIndex.of([["a", "a"], ["c"]])
    search = WordSearch([first, second])
    assert search.idf("a") == pytest.approx(np.log(1 + 1.5 / 3.5))
    assert search.idf("c") == search.idf("b") == pytest.approx(np.log(1 + 3.5 / 1.5))
    assert search.idf("nowhere") == pytest.approx(np.log(1 + 4.5 / 0.5))
    assert search.scores(["nowhere"]).tolist() == [0, 0, 0, 0]
    assert [bool(score) for score in search.scores(["a"])] == [True, True, True, False]


def test_leaves_without_words_and_no_leaves_score_nothing() -> None:
    assert WordSearch([]).scores(["a"]).shape == (0,)
    empty = WordIndex.of([[], []])
    assert empty.vocabulary == []
    assert WordSearch([WordIndex.of([]), empty]).scores(["a"]).tolist() == [0, 0]
