"""From ranked passages to an answer with rows to look at, or to none where no table is asked about."""

import pytest

from ingest.document import Document, Kind
from llm.evidence.passages import cut
from llm.evidence.ranking import Ranked
from llm.tables import answer_from_statements, answer_from_tables
from tests.llm.tables.conftest import page_of


def ranked(document: Document) -> list[Ranked]:
    return [Ranked(passage, document, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, (), {}, 1) for passage in cut(document)]


def test_an_answer_says_how_and_shows_its_rows(invoices_file: Document) -> None:
    answer = answer_from_tables("How many invoices are from France?", ranked(invoices_file))
    assert answer is not None
    assert (answer.text, answer.how) == ("2", "number of rows with Country: france")
    assert [citation.quote for citation in answer.citations] == [
        "1003 | 2024-02-11 | Cedar SA | France | 4,750.00 | paid",
        "1006 | 2024-03-15 | Cedar SA | France | 640.00 | overdue",
    ]
    assert [citation.lines for citation in answer.citations] == [(4, 4), (7, 7)]
    assert all(citation.verified for citation in answer.citations)


@pytest.mark.parametrize(
    "question", ["What is the capital of Peru?", "Who wrote the report?", "Who is the CEO of Acme Ltd?"]
)
def test_a_question_about_something_else_is_left_to_the_model(invoices_file: Document, question: str) -> None:
    assert answer_from_tables(question, ranked(invoices_file)) is None


def test_pages_without_a_table_have_no_answer(invoices_file: Document) -> None:
    page = invoices_file.pages[0]
    bare = Document("b", "b.txt", invoices_file.kind, pages=(type(page)(1, page.text),))
    assert answer_from_tables("How many invoices are from France?", ranked(bare)) is None


def test_a_block_of_signatures_is_no_table_to_count() -> None:
    text = "PROGRESS LTD | NEON, INC.\nBy: | /s/ Evan McDonnell\nName: Evan | Name: Brian\nTitle: V | Title: C"
    document = Document("s", "s.pdf", Kind.PDF, pages=(page_of(text),))
    assert answer_from_tables("Which state's law governs this agreement?", ranked(document)) is None


def test_an_amount_is_found_on_pages_that_no_passage_is_from() -> None:
    report = "Income | 2022 | 2021\nSales | 9 | 8\nProfit | 2 | 1"
    text = page_of("A letter to the owners of the company."), page_of(report), page_of(report.replace("9", "7"))
    document = Document("r", "r.pdf", Kind.PDF, pages=text)
    found = answer_from_statements("What was the revenue?", ranked(document)[:1])
    assert found is not None
    assert (found.text, found.how, found.citations[0].page) == ("9", "“Sales”, 2022", 1)
    assert found.citations[0].quote == "Sales | 9 | 8"
    assert answer_from_statements("Who owns the company?", ranked(document)) is None
