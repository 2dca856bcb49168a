"""Terms: what matches what."""

import pytest

from llm.evidence.lexical import question_terms, terms


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("boxes", "a box"),
        ("Who founded it?", "the founding"),
        ("max_file_bytes", "limits.max_file_bytes = 1"),
        ("file bytes", "max_file_bytes"),
        ("snapshot path", "getSnapshotPath()"),
        ("HTTP server", "class HTTPServer"),
        ("5664", "5,664 contexts"),
        ("cafe", "Café"),
        ("東京", "東京都で"),
        ("in the US", "US law"),
    ],
)
def test_question_meets_text(question: str, text: str) -> None:
    assert set(question_terms(question)) & set(terms(text))


@pytest.mark.parametrize(("question", "text"), [("12.5", "125"), ("us", "he told us"), ("cat", "concatenate")])
def test_question_misses_text(question: str, text: str) -> None:
    assert not set(question_terms(question)) & set(terms(text))


def test_terms_keep_order_and_repetition_and_drop_stop_words() -> None:
    assert terms("The cat and the cats of THE_CAT") == ["cat", "cat", "the_cat", "cat"]


def test_a_question_of_stop_words_keeps_them_and_capitals_do_not_hide_them() -> None:
    assert question_terms("Who is it?") == ["who", "is", "it"]
    assert question_terms("WHAT IS THE TOTAL") == ["total"]
