"""Questions that names answer, and those that they must not answer."""

import pytest

from ingest.document import Document, Kind, Page
from llm.named import answer_from_names
from llm.named.parties import parties

LEASE = (
    "EXHIBIT 10.2\nThis Lease Agreement (the “Agreement”) is made as of May 4, 2019 by and between Birch Holdings, "
    "Inc., a Delaware corporation (the “Landlord”), and Anna Maria Berg, whose address is 12 Elm Street, Salem (the "
    "“Tenant”).\n"
    "RECITALS\nThe parties agree. Landlord bought the House from Cedar Trading Company (the “Seller”)."
)
FOUR = (
    "AGREEMENT between Alpha Foods Ltd. (“Alpha”), Beta Mills GmbH (“Beta”), Gamma Bakeries, LLC (“Gamma”) and John Q. "
    "Delta (“Delta”). NOW, THEREFORE, Epsilon Corp. agrees."
)


def agreement(*pages: str) -> Document:
    return Document("a", "a.pdf", Kind.PDF, pages=tuple(Page(number, text) for number, text in enumerate(pages, 1)))


@pytest.mark.parametrize(
    "question",
    [
        "Who are the parties?",
        "Who are the parties to this lease agreement?",
        "Between whom is the contract made?",
        "Who is this agreement between?",
        "Name both parties.",
        "Who signed the lease?",
    ],
)
def test_who_the_parties_are(question: str) -> None:
    answer = answer_from_names(question, [agreement(LEASE)])
    assert answer is not None
    assert answer.text == "Birch Holdings, Inc. and Anna Maria Berg"
    assert answer.citations[0].verified
    assert answer.citations[0].quote.startswith("Birch Holdings, Inc., a Delaware")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Who is the landlord?", "Birch Holdings, Inc."),
        ("Who is the tenant under this agreement?", "Anna Maria Berg"),
        ("Which company is the Seller?", "Cedar Trading Company"),
        ("Who is the guarantor?", None),
        ("Who are the parties that must be told?", None),
        ("Who is the landlord's lawyer?", None),
        ("What is the agreement about?", None),
        ("When was the lease signed?", None),
    ],
)
def test_whom_a_term_stands_for(question: str, said: str | None) -> None:
    answer = answer_from_names(question, [agreement("A cover.", LEASE)])
    assert (answer.text if answer else None) == said


def test_more_than_two_parties_are_listed_until_the_sentence_is_over() -> None:
    found = parties(agreement(FOUR))
    assert [one.text for one in found] == [
        "Alpha Foods Ltd.",
        "Beta Mills GmbH",
        "Gamma Bakeries, LLC",
        "John Q. Delta",
    ]


def test_a_term_of_two_and_several_agreements_are_left_to_the_model() -> None:
    twice = LEASE + " On leaving, Dune Partners LLP (the “Landlord”) stays."
    assert answer_from_names("Who is the landlord?", [agreement(twice)]) is None
    assert answer_from_names("Who are the parties?", [agreement(LEASE), agreement(FOUR)]) is None
    assert answer_from_names("Who are the parties?", [agreement("The parties agree on everything.")]) is None
