"""Statements: which rows and periods they have, and which questions they answer."""

import pytest

from llm.tables.statements import Statement, look_up, statements
from tests.llm.tables.conftest import page_of

ACCOUNTS = """Condensed statements (in millions, except per share amounts)
June 25, | June 26, | June 25,
2022 | 2021 | 2020
Net sales:
Products | $ 63,355 | $ 63,948 | $ 245
Total net sales | 82,959 | 81,434 | 304
Cost of sales:
Products | 41,485 | 40,899 | (155)
Net income | $ 19,442 | $ 21,744 | 79
Signed by the officers of the company on the second day of the month of August, for the board and its members.
Cash | 1 | 2
Debt | 3 | 4"""
UNIT = "in millions, except per share amounts"


@pytest.fixture
def accounts() -> Statement:
    return next(statements(page_of(ACCOUNTS, without=(0, 3, 6, 9)), 0))


def test_heads_are_joined_and_titles_do_not_end_a_statement(accounts: Statement) -> None:
    assert accounts.heads == ["June 25, 2022", "June 26, 2021", "June 25, 2020"]
    assert [cell.text for cell in accounts.labels] == ["Products", "Total net sales", "Products", "Net income"]
    assert accounts.unit == "in millions, except per share amounts"


def test_other_text_ends_it() -> None:
    first, second = statements(page_of(ACCOUNTS, without=(0, 3, 6, 9)), 0)
    assert (len(first.labels), len(second.labels), second.heads) == (4, 2, ["", ""])


@pytest.mark.parametrize(
    ("question", "said", "how"),
    [
        (
            "What were total net sales?",
            "82,959",
            f"“Total net sales”, June 25, 2022; {UNIT}",
        ),
        (
            "What was the net income in 2021?",
            "$21,744",
            f"“Net income”, June 26, 2021; {UNIT}",
        ),
        ("How much net income was there at the end of the period?", "$19,442", None),
        ("Which year had the highest net income?", None, None),
        ("What is the increase in net income?", None, None),
        ("What is the address of the company?", None, None),
        ("Is net income positive?", None, None),
    ],
)
def test_a_question_that_names_a_row(accounts: Statement, question: str, said: str | None, how: str | None) -> None:
    looked = look_up(question, accounts)
    assert (looked.text if looked else None) == said
    assert looked is None or how is None or looked.how == how


def test_a_share_is_no_amount() -> None:
    text = "April 30, 2023 | May 1, 2022\nRevenue | 100.0 % | 100.0 %\nCost of revenue | 35.4 | 34.5"
    (shares,) = statements(page_of(text), 0)
    assert look_up("What is the cost of revenue?", shares) is None
    looked = look_up("What is the revenue?", shares)
    assert looked is not None
    assert looked.text == "100.0 %"
