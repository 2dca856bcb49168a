"""What is looked up for an answer that must be of a form: the one stretch of it, else nothing."""

import pytest

from ingest.document import Document, Kind, Page
from llm.derived import derive_of_form
from llm.named.patterns import DURATION
from llm.structured.form import Form

QUESTION = "How long do the obligations of confidentiality last?"


def agreement(text: str) -> Document:
    return Document(id="nda", name="nda.txt", kind=Kind.TEXT, pages=(Page(1, text),))


@pytest.mark.parametrize(
    ("says", "looked_up"),
    [
        (
            "The obligations of confidentiality shall continue for a period of two (2) years after its date.",
            "two (2) years",
        ),
        ("The obligations of confidentiality shall survive until the information is public.", None),
        ("The tenant shall paint the roof every two years.", None),
    ],
)
def test_a_duration_is_taken_out_of_the_provision_that_states_it(says: str, looked_up: str | None) -> None:
    found = derive_of_form(QUESTION, [agreement(says)], Form(pattern=DURATION))
    assert (found.text if found else None) == looked_up
    assert found is None or found.citations[0].quote == says


def test_choices_and_schemas_are_not_looked_up() -> None:
    says = "The obligations of confidentiality shall continue for two years."
    assert derive_of_form(QUESTION, [agreement(says)], Form(choices=("two years", "three years"))) is None
