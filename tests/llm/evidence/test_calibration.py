"""The decision whether the documents hold an answer: its numbers, the shipped coefficients, and what moves it."""

import hashlib
import math

import pytest

from ingest.document import Document, Kind, Page
from llm.evidence.calibration import (
    Regression,
    answer_numbers,
    evidence_numbers,
    is_found,
    is_of_another_kind,
    only_repeats,
    probability_of_answer,
    shipped,
)  # fmt: skip
from llm.evidence.embedding import Embedder
from llm.evidence.examples import embed_all
from llm.evidence.ranking import Ranked, Searcher

LEASE = (
    "This lease is made between Anna Berg and Tom Lee. The rent is due on the first day of each month. The rent is 950 "
    "euros, and the deposit is two months' rent. Pets are not allowed in the flat. The tenant may end the lease with a "
    "notice of three months. The landlord keeps the heating in repair."
)
DOCUMENT = Document(hashlib.sha256(LEASE.encode()).hexdigest(), "lease.txt", Kind.TEXT, pages=(Page(1, LEASE),))


def ranked(embedder: object, question: str) -> list[Ranked]:
    return Searcher(list(embed_all([DOCUMENT], embedder).values()), embedder).rank(question, 8)


def test_a_regression_is_the_logistic_of_its_sum() -> None:
    regression = Regression(bias=-1.0, weights={"a": 2.0, "b": -0.5}, threshold=0.4)
    assert regression.probability({"a": 1.0, "b": 2.0, "unused": 9.0}) == 0.5
    assert regression.probability({"a": 1.0, "b": 0.0}) == pytest.approx(1 / (1 + math.exp(-1)))
    assert regression.probability({"a": 1e9, "b": 0.0}) == pytest.approx(1.0)
    assert regression.probability({"a": -1e9, "b": 0.0}) == pytest.approx(0.0)


def test_shipped_coefficients_name_exactly_the_numbers(words) -> None:
    evidence = ranked(words, "When is the rent due?")
    assert set(shipped("evidence").weights) == set(evidence_numbers("When is the rent due?", evidence))
    written = answer_numbers("When is the rent due?", evidence, "the first")
    assert set(shipped("answer").weights) == {"evidence", *written}
    assert 0.2 <= shipped("answer").threshold <= 0.8


def test_a_question_that_the_lease_answers_is_likelier_than_one_that_it_does_not(embedder: Embedder) -> None:
    answered = ("When is the rent due?", "How much is the deposit?", "Are pets allowed?")
    foreign = ("Who discovered penicillin?", "What does the engine weigh?", "Which team won the cup in 1998?")
    for with_answer in (False, True):
        chances = [
            [
                probability_of_answer(question, ranked(embedder, question), answer if with_answer else None)
                for question in group
            ]
            for group, answer in ((answered, "the first day of each month"), (foreign, "Alexander Fleming"))
        ]
        assert min(chances[0]) > max(chances[1])
        assert [is_found(chance, with_answer=with_answer) for chance in chances[0] + chances[1]] == [True] * 3 + [
            False
        ] * 3


def test_a_name_that_stands_nowhere_is_no_answer(words) -> None:
    evidence = ranked(words, "When is the rent due?")
    assert probability_of_answer("Who is the tenant?", evidence, "Alexander Fleming") == 0
    assert probability_of_answer("Who is the tenant?", evidence, "Monthly Rent") > 0


def test_no_evidence_is_no_answer() -> None:
    assert probability_of_answer("anything?", [], "words") == 0.0
    assert not is_found(0.0)


def test_numbers_of_an_answer(words) -> None:
    evidence = ranked(words, "What is the rent?")
    numbers = answer_numbers("What is the rent?", evidence, "950 Euros")
    assert numbers["located"] == numbers["located_in_best"] == numbers["words_in_best"] == 1.0
    assert numbers["refused"] == numbers["words_of_question"] == 0.0
    doubted = answer_numbers("What is the rent?", evidence, "Not found in the document.", is_doubted=True)
    assert (doubted["refused"], doubted["doubted"], numbers["doubted"]) == (1.0, 1.0, 0.0)
    refusal = answer_numbers("What is the rent?", evidence, "Not found in the document.")
    assert refusal["refused"] == 1.0
    assert refusal["located"] == 0.0


@pytest.mark.parametrize(
    ("question", "answer", "kind"),
    [
        ("How many rooms are there?", "three", -1.0),
        ("How many rooms are there?", "3 rooms", 1.0),
        ("When does it end?", "in June 2020", 1.0),
        ("When does it end?", "by notice", -1.0),
        ("Why does it end?", "by notice", 0.0),
    ],
)
def test_the_kind_of_answer_asked_for(words, question: str, answer: str, kind: float) -> None:
    assert answer_numbers(question, ranked(words, question), answer)["answer_kind"] == kind


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("What is the effective date?", "two (2) years", True),
        ("What is the effective date?", "6th of February", False),
        ("What is the contract's signing date?", "the parties may agree", True),
        ("On which date was it signed?", "8 May", False),
        ("Which dates were proposed?", "2031-05-01", False),
        ("What are the dates of his reign?", "1980–1991", False),
        ("What is the date?", "2018", False),
        ("What is the date?", "1950 0598", True),
        ("What is the date?", "10T 1851-A, 43300 SERI KEMBANGAN", True),
        ("What happens after the date of delivery?", "the risk passes", False),
        ("What is the update policy?", "none", False),
        ("When does it end?", "two years later", False),
        ("In what year did Mao die?", "Mao Zedong", True),
        ("In what year did Mao die?", "1976", False),
        ("What happened in the year that he left?", "a war", False),
        ("How many pages does it have?", "the appendix", True),
        ("How many pages does it have?", "forty-two", False),
        ("How many of them came?", "hundreds of people", False),
        ("What is the address?", "481500-M", True),
        ("What is the vendor's address?", "10 Mar 2018 18:24", True),
        ("What is the address?", "5 May Street", False),
        ("What is the IP address of the host?", "10.0.0.1", False),
        ("What is the address?", "0x4000 4000", False),
        ("What is the address of the DNS server?", "10.0.0.1", False),
        ("What is the base address of UART0?", "4000", False),
        ("What is the address space?", "16", False),
        ("What is at this address?", "42", False),
    ],
)
def test_what_was_asked_for_by_its_kind_must_be_said(question: str, answer: str, expected: bool) -> None:
    assert is_of_another_kind(question, answer) is expected


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("When was Debian 1.1 released?", "1.1", True),
        ("What hobby does the writer have?", "The hobby.", True),
        ("Who kept the keys of the house?", "the house", True),
        ("Who kept the keys of the house?", "the housekeeper", False),
        ("Which is cheaper, the red or the blue one?", "the red one", False),
        ("Is the product well made?", "well-made", False),
        ("How many of the 8 rowers were there?", "8", False),
        ("What is MAX_SIZE?", "MAX_SIZE", False),
        ("Who came?", "", False),
    ],
)
def test_an_answer_of_nothing_but_words_of_the_question_is_told(question: str, answer: str, expected: bool) -> None:
    assert only_repeats(question, answer) is expected


def test_a_word_that_may_still_become_one_of_the_question_is_held_while_it_is_written() -> None:
    question = "Who allowed it to travel into Russia?"
    assert only_repeats(question, "Rus", is_whole=False)
    assert not only_repeats(question, "Rus")
    assert not only_repeats(question, "Rusk", is_whole=False)
