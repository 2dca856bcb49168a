"""From ranked passages to an answer with rows to look at, or to none where no table is asked about."""

import pytest

from ingest.document import Document, Kind
from llm.evidence.passages import cut
from llm.evidence.ranking import Ranked
from llm.tables import answer_from_statements, answer_from_tables
from llm.tables.asked import AskedOfTable
from llm.tables.choice import Choice
from llm.tables.grid import grids
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


EXHIBITS = """Exhibit No. | Exhibit Description | Schedule | Filing Date
3.1 | Bylaws | 8-K | 3/1/2022
31.1 | Certification of Chief Executive Officer as required by | 10-Q | 5/2/2022
31.2 | Certification of Chief Financial Officer as required by | 10-Q | 5/2/2022
32.1 | Certification of Chief Executive Officer as required by | 10-Q | 5/2/2022"""
SHARES = """Title of each class | Trading symbol(s) | Name of each exchange on which registered
Common Stock, $0.00001 par value per share | AAPL | The Nasdaq Stock Market LLC
1.000% Notes due 2022 | — | The Nasdaq Stock Market LLC
1.375% Notes due 2024 | — | The Nasdaq Stock Market LLC
0.000% Notes due 2025 | — | The Nasdaq Stock Market LLC"""


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (EXHIBITS, "Who is the chief executive officer?"),  # the very cell that its words stand in
        (EXHIBITS, "Who is the chief financial officer?"),
        (SHARES, "What is the trading symbol?"),  # how many different exchanges
        (SHARES, "What is the name of the company?"),
        (EXHIBITS, "Which exhibit description has bylaws?"),  # also where the question names the column
    ],
)
def test_a_cell_that_repeats_the_question_and_an_unasked_count_are_no_answers(text: str, question: str) -> None:
    document = Document("q", "q.pdf", Kind.PDF, pages=(page_of(text),))
    (grid,) = grids(document.pages[0], 0)
    computed = Choice.load().best(AskedOfTable(question, grid))
    assert computed is not None  # something is always the likeliest
    assert computed.belongs > Choice.load().threshold
    assert answer_from_tables(question, ranked(document)) is None


def test_a_count_that_was_asked_for_is_an_answer() -> None:
    document = Document("q", "q.pdf", Kind.PDF, pages=(page_of(EXHIBITS),))
    count = answer_from_tables("How many exhibits are a certification?", ranked(document))
    assert count is not None
    assert count.text == "3"


def test_fields_side_by_side_are_no_table_to_look_a_cell_up_in() -> None:
    text = (
        "PROGRESS SOFTWARE CORP | NEON SYSTEMS, INC.\nBy: /s/ Evan McDonnell | By: /s/ Brian Helman\n"
        "Name: Evan McDonnell | Name: Brian Helman\nTitle: Vice President | Title: Chief Financial Officer"
    )
    assert list(grids(page_of(text), 0)) == []
    assert list(grids(page_of(text.replace(": ", " ")), 0)) != []


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
