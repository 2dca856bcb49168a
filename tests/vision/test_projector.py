"""The projector: doubtful glyphs become the words they spell, and mixtures where more than one is likely."""

import math

import numpy as np
import pytest

from ingest.document import Doubt
from vision import Projector, Vocabulary

TEXTS = ["t", "h", "b", "e", " ", "the", " the", "tbe", " cat", " cot", "c", "a", "o", "5", "3", "1", "l", " 5", "\n"]
IDS = {text: index for index, text in enumerate(TEXTS)}
COUNTS = {" the": 500, "the": 100, " cat": 40, " cot": 4, "tbe": 0.01, "5": 20, "3": 20, "1": 20}


@pytest.fixture(scope="module")
def projector() -> Projector:
    counts = np.array([COUNTS.get(text, 1.0) for text in TEXTS])
    return Projector(Vocabulary(dict(enumerate(TEXTS)), np.log(counts / counts.sum())), sharpness=1.0, prior=0.5)


def doubt(at: int, **readings: float) -> Doubt:
    return Doubt(at, tuple(readings.items()))


def test_a_misread_letter_is_read_as_the_word_it_stands_in(projector: Projector) -> None:
    assert projector.seen("tbe cat", [doubt(1, b=0.6, h=0.4)]).text == "the cat"


def test_what_recognition_is_sure_of_stays(projector: Projector) -> None:
    assert projector.seen("tbe cat", []).text == "tbe cat"
    assert projector.seen("tbe cat", [doubt(1, b=0.9999, h=0.0001)]).text == "tbe cat"


def test_digits_are_not_talked_into_other_digits(projector: Projector) -> None:
    seen = projector.seen("5", [doubt(0, **{"5": 0.7, "3": 0.3})])
    assert seen.text == "5"
    mixture = seen.mixture(0, 1, IDS["5"])
    assert mixture is not None
    assert mixture.token_ids == (IDS["5"], IDS["3"])
    assert mixture.weights == pytest.approx((0.7, 0.3), abs=1e-3)


def test_a_mixture_weighs_glyphs_and_words(projector: Projector) -> None:
    seen = projector.seen("the cot", [doubt(5, o=0.5, a=0.5)])
    assert seen.text == "the cat"
    mixture = seen.mixture(3, 7, IDS[" cat"])
    assert mixture is not None
    assert mixture.token_ids == (IDS[" cat"], IDS[" cot"])
    assert mixture.weights[0] / mixture.weights[1] == pytest.approx(math.sqrt(40 / 4), rel=1e-2)
    assert sum(mixture.weights) == pytest.approx(1)


def test_tokens_without_doubt_are_no_mixtures(projector: Projector) -> None:
    seen = projector.seen("the cot", [doubt(5, o=0.5, a=0.5)])
    assert seen.mixture(0, 3, IDS["the"]) is None
    assert projector.seen("the", [doubt(1, h=1.0)]).mixture(0, 3, IDS["the"]) is None


def test_lines_are_judged_one_by_one_and_keep_their_length(projector: Projector) -> None:
    text = "tbe cat\nthe cot\n5"
    seen = projector.seen(text, [doubt(1, b=0.6, h=0.4), doubt(13, o=0.5, a=0.5)])
    assert seen.text == "the cat\nthe cat\n5"


def test_words_of_a_reading_are_found_as_they_were_recognised(projector: Projector) -> None:
    seen = projector.seen("the cat\n tbe  cot", [doubt(10, b=0.6, h=0.4), doubt(15, o=0.5, a=0.5)])
    assert seen.text == "the cat\n the  cat"
    assert seen.as_recognised("The cat the") == "the cat tbe"
    assert seen.as_recognised("the dog") == ""
    assert seen.as_recognised(" ") == ""
    assert projector.seen("the cat", []).as_recognised("cat") == ""


def test_a_glyph_that_no_token_spells_stays_as_it_is(projector: Projector) -> None:
    seen = projector.seen("é cat", [doubt(0, é=0.6, è=0.4)])
    assert seen.text == "é cat"
    assert seen.mixture(0, 1, 0) is None


def test_its_identity_changes_with_what_it_depends_on(projector: Projector) -> None:
    other = Projector(projector.vocabulary, sharpness=0.5, prior=0.5)
    assert other.identity() != projector.identity()
