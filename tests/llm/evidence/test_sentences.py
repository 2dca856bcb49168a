"""Units: where a sentence, a line, a row ends; every unit is an exact range of its page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Box, Kind, Page, Role, Span, TextOrigin
from llm.evidence.sentences import MAX_CHARS, sentences


def texts(page: Page, kind: Kind = Kind.TEXT) -> list[str]:
    return [page.text[unit.start : unit.end] for unit in sentences(page, kind=kind)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith paid. He left.", ["Dr. Smith paid.", "He left."]),
        ("It cost $ 4.50 in No. 7. Really? Yes!", ["It cost $ 4.50 in No. 7.", "Really?", "Yes!"]),
        ("J. R. Seifert signed (on 3 May). Then he left.", ["J. R. Seifert signed (on 3 May).", "Then he left."]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("She asked: “Why?” Nobody knew.", ["She asked: “Why?”", "Nobody knew."]),
        ("1. The Recipient shall wait.", ["1. The Recipient shall wait."]),
        ("契約は二年。東京で。", ["契約は二年。", "東京で。"]),
        ("e.g. this one, i.e. that", ["e.g. this one, i.e. that"]),
        ("", []),
        ("\n \n====\n", []),
    ],
)
def test_sentences_of_prose(text: str, expected: list[str]) -> None:
    assert texts(Page(1, text)) == expected


def test_wrapped_prose_is_joined_and_paragraphs_are_not() -> None:
    text = (
        "The quick brown fox jumps over the lazy dog and runs\naway from the farm. It was never seen\nagain.\n\n"
        "Another paragraph begins here and is also long enough\nto be wrapped. The end.\n- a list item\n- another item"
    )
    assert texts(Page(1, text)) == [
        "The quick brown fox jumps over the lazy dog and runs\naway from the farm.",
        "It was never seen\nagain.",
        "Another paragraph begins here and is also long enough\nto be wrapped.",
        "The end.",
        "- a list item",
        "- another item",
    ]


def test_lines_of_a_receipt_stay_apart_and_a_label_keeps_its_value() -> None:
    rows = [
        ("BOOK TA .K SDN BND", 10, 0),
        ("DATE:", 10, 30),
        ("25/12/2018", 90, 31),
        ("TOTAL", 10, 60),
        ("9.00", 90, 60),
    ]
    text, spans = "", []
    for words, x, y in rows:
        text += "\n" if text else ""
        spans.append(Span(len(text), len(text) + len(words), Box(x, y, x + 60, y + 14), confidence=0.9))
        text += words
    page = Page(1, text, tuple(spans), width_pt=200, height_pt=300, origin=TextOrigin.OCR)
    assert texts(page) == ["BOOK TA .K SDN BND", "DATE:\n25/12/2018", "TOTAL\n9.00"]


def test_roles_bound_units_and_running_headers_are_left_out() -> None:
    parts = [
        ("Manual, page 3", Role.HEADER), ("Results", Role.HEADING), ("a | b", Role.TABLE), ("1 | 2. Three", Role.TABLE),
        ("Text follows here.", Role.TEXT), ("x = 1. Y", Role.CODE), ("3", Role.FOOTER),
    ]  # fmt: skip
    text, spans = "", []
    for words, role in parts:
        text += "\n" if text else ""
        spans.append(Span(len(text), len(text) + len(words), role=role))
        text += words
    assert texts(Page(1, text, tuple(spans))) == ["Results", "a | b", "1 | 2. Three", "Text follows here.", "x = 1. Y"]


def test_code_is_cut_by_lines() -> None:
    assert texts(Page(1, "def f():\n    return 1. + 2\n\n}\n"), Kind.CODE) == ["def f():", "return 1. + 2", "}"]


def test_a_long_sentence_is_cut_where_a_clause_ends_and_leaves_no_crumb() -> None:
    clause = "the Recipient shall keep every part of the Information secret and safe from others"
    text = f"{clause}, {clause}; {clause}, {clause}, {clause} (the “Duty”)."
    assert texts(Page(1, text)) == [f"{clause}, {clause};", f"{clause}, {clause}, {clause} (the “Duty”)."]
    assert [len(piece) >= 80 for piece in texts(Page(1, "word " * 97 + "end."))] == [True, True]


@given(st.text(alphabet=st.sampled_from('ab Z.;:!?\n\t-1("。é'), max_size=1500))
def test_units_are_trimmed_ordered_ranges_and_lose_no_word(text: str) -> None:
    units = sentences(Page(1, text))
    ends = [0, *(unit.end for unit in units)]
    for unit, before in zip(units, ends, strict=False):
        assert before <= unit.start < unit.end <= unit.start + MAX_CHARS
        assert text[unit.start : unit.end].strip() == text[unit.start : unit.end]
    covered = {at for unit in units for at in range(unit.start, unit.end)}
    assert all(at in covered for at, character in enumerate(text) if character.isalnum())
