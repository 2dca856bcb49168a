"""Statements: which rows and periods they have, and which questions they answer."""

import pytest

from llm.tables.naming import look_up
from llm.tables.statements import Statement, statements
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
        ("What was the revenue?", "82,959", None),  # sales by another name; the total is meant
        ("What did the net income consist of?", None, None),
        ("What was the revenue in 2019?", None, None),  # no head has that year
        ("What was the revenue in 2021 and 2022?", None, None),
        ("How much revenue came from products?", "$63,355", None),  # half of the row's name is the section's
        ("How much did products cost in 2020?", "(155)", None),
        ("What was the deferred revenue?", None, None),
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


MARKED = """Sales by category (dollars in millions):
Three Months Ended | Nine Months Ended
| 2022 | 2021 | Change | 2022 | 2021 | Change
Phones (1) | $ 40 | $ 39 | 3 % | $ 162 | $ 153 | 6 %
® (1)
Tablets(2) | 7 |  | (2)% | 22 | 23 | (0.9) pts
US$ | US$ | US$ | US$ | US$ | US$
| 47 | 46 | 2 % | 184 | 176 | 4 %
Average price | $ 5 | $ 4 | 25 % | $ 6 | $ 5 | 20 %"""


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How much did sales of phones amount to in 2021?", "$39"),
        ("What were tablet sales?", "7"),
        ("What was the average price?", "$5"),
        ("What were average phone sales?", None),
    ],
)
def test_marks_units_and_nameless_rows_do_not_end_a_statement(question: str, said: str | None) -> None:
    (statement,) = statements(page_of(MARKED, without=(0,)), 0)
    assert statement.heads[0] == "Three Months Ended 2022"
    assert [cell.text for cell in statement.labels] == ["Phones (1)", "Tablets(2)", "Average price"]
    looked = look_up(question, statement)
    assert (looked.text if looked else None) == said


def test_a_row_of_years_under_a_name_is_a_head() -> None:
    (statement,) = statements(
        page_of("($ in thousands) | 2019 | Change | 2018\nCash | 5 | 25% | 4\nDebt | 1 | 0% | 1"), 0
    )
    assert statement.heads == ["2019", "Change", "2018"]
    looked = look_up("What was the debt in 2018?", statement)
    assert looked is not None
    assert looked.column == 2


def test_parts_of_a_year_must_be_heads() -> None:
    quarters = next(statements(page_of(" | First | Second | Third\nSales | 1 | 2 | 3\nCosts | 4 | 5 | 6"), 0))
    looked = look_up("What were sales in the third quarter?", quarters)
    assert looked is not None
    assert looked.text == "3"
    assert look_up("What were sales in the fourth quarter?", quarters) is None
