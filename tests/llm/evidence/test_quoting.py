"""Quotes: word for word, the sentence that carries the answer, none inside another."""

import hashlib
from itertools import pairwise

import pytest

from ingest.document import Document, Kind, Page
from llm.evidence.examples import embed_all
from llm.evidence.locating import locate
from llm.evidence.quoting import quotes
from llm.evidence.ranking import Ranked, Searcher

LEASE = Page(
    2,
    "This lease is made between Anna Berg and Tom\nLee. The rent is due on the first day of each month. The rent is\n"
    "950 euros, and the deposit is two\nmonths' rent. Pets are not allowed in the flat.",
)
RECEIPT = Page(1, "ACME STORE\nTOTAL\n9.00\nCASH\n10.00\nTHANK YOU")


def ranked(words: object, question: str, *pages: Page, kind: Kind = Kind.TEXT) -> list[Ranked]:
    documents = [
        Document(hashlib.sha256(page.text.encode()).hexdigest(), f"{at}.txt", kind, pages=(Page(1, ""), page))
        for at, page in enumerate(pages)
    ]
    return Searcher(list(embed_all(documents, words).values()), words).rank(question, 8)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("When is the rent due?", None, "The rent is due on the first day of each month."),
        ("When is the rent due?", "first day of each month", "The rent is due on the first day of each month."),
        ("How much is it?", "950 Euros.", "The rent is\n950 euros, and the deposit is two\nmonths' rent."),
        ("Who are the parties?", "Tom Lee", "This lease is made between Anna Berg and Tom\nLee."),
        ("What about dogs?", "Dogs and other pets are not allowed.", "Pets are not allowed in the flat."),
    ],
)
def test_the_sentence_that_carries_the_answer_comes_first(words, question, answer, expected) -> None:
    found = quotes(ranked(words, question, LEASE, RECEIPT), answer)
    assert found[0].text == expected
    assert found[0].page_index == 1
    assert found[0].holds_answer == (answer is not None and not answer.startswith("Dogs"))


def test_a_label_is_quoted_with_its_value(words) -> None:
    assert quotes(ranked(words, "What is the total?", RECEIPT), "9.00")[0].text == "TOTAL\n9.00"


def test_a_line_without_a_word_is_no_quote(words) -> None:
    code = Page(1, "def open_source(\n    source: Path,\n    *,\n    name: str,\n)\n")
    found = quotes(ranked(words, "Which function opens a source?", code, kind=Kind.CODE), limit=9)
    assert {quote.text for quote in found} == {"def open_source(", "source: Path,", "name: str,"}


def test_where_the_best_says_the_answer_no_other_sentence_is_put_beside_it(words) -> None:
    evidence = ranked(words, "How much is the rent?", LEASE, RECEIPT)
    assert len(quotes(evidence)) == 3
    assert [quote.holds_answer for quote in quotes(evidence, "950 euros")] == [True]
    again = Page(1, "The rent is 950 euros. Pets are not allowed.")
    both = quotes(ranked(words, "How much is the rent?", LEASE, again), "950 euros")
    assert [quote.holds_answer for quote in both] == [True, True]


def test_quotes_are_exact_ranges_best_first_and_apart(words) -> None:
    evidence = ranked(words, "rent", LEASE, RECEIPT)
    found = quotes(evidence, limit=5)
    assert len(found) == 5
    assert [quote.score for quote in found] == sorted((quote.score for quote in found), reverse=True)
    for quote in found:
        assert quote.document.pages[quote.page_index].text[quote.start : quote.end] == quote.text == quote.text.strip()
    places = sorted((quote.document.id, quote.start, quote.end) for quote in found)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(places))
    assert quotes(evidence, limit=1) == found[:1]
    assert quotes([], "anything") == []


def test_locate_finds_the_answer_in_page_coordinates(words) -> None:
    evidence = ranked(words, "Who signs?", LEASE, RECEIPT)
    (place,) = locate("tom lee", evidence)
    assert place.document.pages[place.page_index].text[place.start : place.end] == "Tom\nLee"
    assert any(place.inside(item) for item in evidence)
    assert locate("Nobody", evidence) == []
