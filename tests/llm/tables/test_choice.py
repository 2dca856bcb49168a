"""The shipped weights on tables as people have them: what is meant, and how it is said to have been computed."""

import pytest

from llm.tables.answering import told
from llm.tables.asked import AskedOfTable
from llm.tables.choice import Choice
from llm.tables.grid import Grid


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How many invoices are from Germany?", "3"),
        ("How many invoices are over 1000?", "3"),
        ("What is the total amount for Acme Ltd?", "1300.4"),
        ("What is the sum of all amounts?", "18990.4"),
        ("What is the average amount?", "3165.07"),
        ("Which customer has the highest amount?", "Dune Inc"),
        ("What is the amount of invoice 1003?", "4,750.00"),
        ("Who is the customer of invoice 1005?", "Dune Inc"),
        ("Which invoice is overdue?", "1006"),
        ("Which country has the most invoices?", "Germany"),
        ("Which invoices are open?", "1002, 1004"),
        ("How many different customers are there?", "4"),
    ],
)
def test_questions_about_invoices(invoices: Grid, question: str, said: str) -> None:
    best = Choice.load().best(AskedOfTable(question, invoices))
    assert best is not None
    assert ", ".join(best.program.said) == said
    assert 0 < best.probability <= 1


def test_how_it_was_computed_is_said_in_words(invoices: Grid) -> None:
    best = Choice.load().best(AskedOfTable("How many invoices are from Germany?", invoices))
    assert best is not None
    assert told(best.program, invoices) == "number of rows with Country: germany"
