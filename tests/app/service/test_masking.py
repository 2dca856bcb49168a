"""Personal data is masked by its form; what only looks like it is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.service.masking import masked, masked_value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to ada.lovelace+x@mail.example.org.", "Write to [e-mail]."),
        ("Call +44 20 7946 0958 today", "Call [phone] today"),
        ("IBAN DE89 3704 0044 0532 0130 00, please", "IBAN [IBAN], please"),
        ("Card 4111 1111 1111 1111 was charged", "Card [card] was charged"),
        ("from 203.0.113.7 and 2001:db8::8a2e:370:7334", "from [IP address] and [IP address]"),
        ("a@b.co, +1 650-253-0000", "[e-mail], [phone]"),
    ],
)
def test_what_is_recognised_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The rent is 900 crowns, from 2024-03-01 to 2026-02-28, at 12:30:45.",
        "Invoice 4111 1111 1111 1112 of version 1.2.3.4.5",
        "Section 12.4.1, lines 10-14, 38,211 tokens",
        "127.0.0.1 port 7860",
    ],
)
def test_figures_dates_and_versions_stay(text: str) -> None:
    assert masked(text) == text


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_masked_and_twice_is_once(text: str) -> None:
    assert masked(masked(text)) == masked(text)


def test_every_text_of_a_value_is_masked_and_numbers_stay() -> None:
    row = {"answer": "a@b.example", "value": 4111111111111111, "citations": [{"quote": "x@y.example"}]}
    assert masked_value(row) == {
        "answer": "[e-mail]", "value": 4111111111111111, "citations": [{"quote": "[e-mail]"}],
    }  # fmt: skip
