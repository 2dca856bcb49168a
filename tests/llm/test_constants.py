"""A constant's name is answered with the one literal value that the code gives it."""

import pytest

from ingest.document import Document, Kind, Page
from llm.constants import with_value


def code(*texts: str) -> list[Document]:
    return [Document(f"id-{n}", f"file{n}.py", Kind.CODE, (Page(1, text),)) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("MAX_AGE = 8085", "8085"),
        ("MAX_AGE: int = 60 * 60  # an hour", "60 * 60"),
        ('export const MAX_AGE = "a day";', "a day"),
        ("#define MAX_AGE 0x1F", "0x1F"),
        ("    public static final long MAX_AGE = 30L;", "30L"),
        ("const MAX_AGE: u32 = 7;", "7"),
        ("\tMAX_AGE := -1.5", "-1.5"),
    ],
)
def test_the_value_comes_with_its_name_and_its_line(line: str, value: str) -> None:
    documents = code("wait(MAX_AGE)\n", f"import time\n\n{line}\n\nprint(MAX_AGE)\n")
    found = with_value("MAX_AGE", documents)
    assert found is not None
    text, citation = found
    assert text == f"{value} (MAX_AGE)"
    assert (citation.source, citation.lines, citation.verified) == ("file1.py", (3, 3), True)
    assert citation.quote == line.strip()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("MAX_AGE", "MAX_AGE = compute()"),
        ("MAX_AGE", "if MAX_AGE == 5:\n    MAX_AGE += 1"),
        ("MAX_AGE", "NOT_MAX_AGE = 5"),
        ("MAX_AGE or MIN_AGE", "MAX_AGE = 5\nMIN_AGE = 5"),
        ("MAXAGE", "MAXAGE = 5"),
    ],
)
def test_what_is_no_constant_with_a_literal_value_stays_as_it_is(answer: str, text: str) -> None:
    assert with_value(answer, code(text)) is None


def test_a_name_within_an_answer_keeps_its_place() -> None:
    found = with_value("every MAX_AGE, or so", code("MAX_AGE = 30_000"))
    assert found is not None
    assert found[0] == "every MAX_AGE (30_000), or so"


def test_two_values_are_none_and_text_is_no_code() -> None:
    assert with_value("MAX_AGE", code("MAX_AGE = 5", "MAX_AGE = 6")) is None
    assert with_value("MAX_AGE", code("MAX_AGE = 5", "MAX_AGE = 5")) is not None
    assert with_value("MAX_AGE", [Document("id", "a.txt", Kind.TEXT, (Page(1, "MAX_AGE = 5"),))]) is None
