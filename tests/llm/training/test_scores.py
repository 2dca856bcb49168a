import pytest

from llm.prompt import NOT_FOUND
from llm.training.scores import exact, f1, is_refusal, score


def test_case_punctuation_and_articles_do_not_count() -> None:
    assert exact("The Eiffel tower.", ["eiffel Tower"])
    assert not exact("Eiffel", ["Eiffel tower"])
    assert f1("the tower", ["Tower!"]) == 1


def test_f1_is_the_best_overlap() -> None:
    assert f1("red big house", ["house", "big house"]) == pytest.approx(0.8)
    assert f1("cat", ["dog"]) == 0
    assert f1("", ["dog"]) == 0


def test_refusals_and_answers_count_alike_however_many_there_are() -> None:
    assert is_refusal(NOT_FOUND)
    assert not is_refusal("found in Rome")
    said = [("Rome", ("Rome",)), (NOT_FOUND, ("Paris",)), (NOT_FOUND, ()), (NOT_FOUND, ()), (NOT_FOUND, ()), ("x", ())]
    result = score(said)
    assert (result.answered, result.unanswered) == (2, 4)
    assert result.f1 == result.exact == 0.5
    assert result.refusal_balanced_accuracy == pytest.approx((0.75 + 0.5) / 2)
