"""Forms: choices as they are, stretches of the text by a pattern, and what is no form."""

import re

import pytest

from llm.structured import Form
from llm.structured.form import MAX_STRINGS


def test_choices_are_what_they_are() -> None:
    assert Form(choices=("yes", "no", "yes")).strings(["whatever"]) == ["yes", "no"]


def test_a_pattern_finds_what_stands_in_the_texts_each_once() -> None:
    form = Form(pattern=r"(?i)\b\d+\s+days?\b")
    assert form.strings(["30 days, 30\n DAYS; 30 days", "1 day"]) == ["30 days", "30 DAYS", "1 day"]
    assert form.strings(["none"]) == []
    assert len(form.strings([" ".join(f"{number} days" for number in range(2 * MAX_STRINGS))])) == MAX_STRINGS


@pytest.mark.parametrize("named", [{}, {"choices": ("a",), "pattern": "a"}, {"choices": ("a", " ")}])
def test_what_is_no_form_is_refused(named: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"got|each must be"):
        Form(**named)  # type: ignore[arg-type]


def test_a_pattern_must_compile() -> None:
    with pytest.raises(re.error):
        Form(pattern="(")
