"""Answers that break off, completed from the document: only where they do, and only with what stands there."""

import pytest

from ingest.document import Document, Kind, Page
from llm.evidence.ending import ended
from llm.evidence.passages import cut
from llm.evidence.ranking import Ranked

TEXT = (
    "1. Purpose. This Agreement sets forth the handling, protection, and\nsafe-\nguarding of what is told; "
    "it binds both.\n"
    "The lessee shall pay the rent to the lessor, and the lessor shall keep the roof. "
    "What is not of the\n\nList of things stands here."
)


def ranked(text: str) -> list[Ranked]:
    document = Document(id="d", name="a.txt", kind=Kind.TEXT, pages=(Page(1, text),))
    return [Ranked(passage, document, 1, 1, 1, 1, 1, 1, (), {}, 1) for passage in cut(document)]


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (
            "the handling, protection, and",
            "the handling, protection, and safeguarding of what is told",
        ),
        ("The lessee shall pay the rent to", "The lessee shall pay the rent to the lessor"),
        ("the lessor shall keep the roof", "the lessor shall keep the roof"),  # ends as clauses do
        ("pay the", "pay the"),  # two words may be all
        ("it binds everybody and", "it binds everybody and"),  # stands nowhere
        ("it binds both. The", "it binds both. The lessee shall pay the rent to the lessor"),
        ("What is not of the", "What is not"),  # nothing follows
    ],
)
def test_an_answer_ends_where_its_clause_does(answer: str, whole: str) -> None:
    assert ended(answer, ranked(TEXT)) == whole


def test_a_clause_without_an_end_in_sight_loses_the_words_that_lead_nowhere() -> None:
    endless = "They shall report to the " + "very " * 60 + "end."
    assert ended("They shall report to the", ranked(endless)) == "They shall report"
