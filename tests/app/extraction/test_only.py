"""The only value of a kind goes to a required field that the model refused, with its place; two are none."""

import pytest

from app.extraction import load_schema
from app.extraction.only import with_only_value
from ingest.document import Document, Kind, Page
from llm.answer import Answer, Coverage, ModelName, Timing

REFUSED = Answer(
    "q", "Not found.", False, (), Coverage(1, 1, 1, 9, 9), Timing(0, 0, 0, 0, 0, 0, 0), ModelName("m", "r"), 0.3
)


def given(schema: str, text: str) -> Answer:
    (field,) = load_schema(schema)
    return with_only_value(REFUSED, field, [Document("id", "a.txt", Kind.TEXT, pages=(Page(1, text),))])


def test_the_only_date_is_the_date_however_often_it_stands_there() -> None:
    found = given("day date", "Milk 2.40\n12/03/2018 10:15\nThank you, 12 March 2018\n")
    assert (found.answer, found.found, found.confidence) == ("12/03/2018", True, 0.3)
    assert [(cited.quote, cited.lines, cited.verified) for cited in found.citations] == [("12/03/2018", (2, 2), True)]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("day date", "12/03/2018 and 13/03/2018"),  # two
        ("day date", "no day at all"),
        ("day date?", "12/03/2018"),  # it may be missing
        ("days: date[]", "12/03/2018"),
        ("name", "12/03/2018"),
        ("paid bool", "yes"),
    ],
)
def test_else_a_refusal_stays_one(schema: str, text: str) -> None:
    assert given(schema, text) is REFUSED
