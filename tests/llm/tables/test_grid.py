"""What is a table of a page, which cells it has, and what they say as numbers and dates."""

import pytest

from llm.tables.grid import date_in, grids, number_in
from tests.llm.tables.conftest import INVOICES, page_of


def test_every_cell_can_be_quoted() -> None:
    page = page_of(INVOICES)
    (grid,) = grids(page, 3)
    assert (grid.page_index, grid.num_rows) == (3, 6)
    assert [column.name for column in grid.columns] == ["Invoice", "Date", "Customer", "Country", "Amount", "Status"]
    for column in grid.columns:
        for cell, (start, end) in zip(column.cells, grid.row_ranges, strict=True):
            assert page.text[cell.start : cell.end] == cell.text
            assert start <= cell.start <= cell.end <= end


def test_tables_are_runs_of_rows() -> None:
    page = page_of("A | B\n1 | 2\n3 | 4\nSome text between.\nC | D | E\n3 | 4 | 5\n6 | 7", without=(3,))
    first, second = grids(page, 0)
    assert [column.name for column in first.columns] == ["A", "B"]
    assert [[cell.text for cell in column.cells] for column in second.columns] == [["3", "6"], ["4", "7"], ["5", ""]]


def test_markdown_rows_lose_their_outer_bars_and_rules() -> None:
    (grid,) = grids(page_of("| Name | Age |\n|------|-----|\n| Ann | 31 |\n| Bob | 27 |"), 0)
    assert [column.name for column in grid.columns] == ["Name", "Age"]
    assert [cell.text for cell in grid.columns[0].cells] == ["Ann", "Bob"]


@pytest.mark.parametrize(
    "text", ["one column\nonly", "A | B", "", "A | B\n1 | 2", "5 | 7 | 2021\n1 | 2 | 3\n4 | 5 | 6"]
)
def test_what_is_no_table(text: str) -> None:
    assert not list(grids(page_of(text), 0))


def test_a_title_row_above_the_head_is_no_head() -> None:
    (grid,) = grids(page_of("Sales of 2024\nMonth | Sum\nMay | 3\nJune | 4"), 0)
    assert [column.name for column in grid.columns] == ["Month", "Sum"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,200.50", 1200.5), ("$167,780,960", 167_780_960), ("-3.5 %", -3.5), ("4th", 4), ("2:26", 146),
        ("2:56:11.7", 10571.7), ("1–0", 1), ("12 (3)", 12), ("none", None), ("10\u00a0000", 10_000), (".409", 0.409),
    ],
)  # fmt: skip
def test_the_number_of_a_cell(text: str, number: float | None) -> None:
    assert number_in(text) == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-01-05", 20240105), ("6 May 1971", 19710506), ("December 30, 2011", 20111230), ("Oct. 2007", 20071000),
        ("1969", 19690000), ("May", None), ("12 boxes", None),
    ],
)  # fmt: skip
def test_the_date_of_a_cell(text: str, date: float | None) -> None:
    assert date_in(text) == date


def test_totals_are_no_items() -> None:
    (grid,) = grids(page_of("Item | Sum\nTea | 3\nSubtotal | 3\nTotal Wine Ltd and Sons | 4\nTotal | 7"), 0)
    assert grid.items == (0, 2)
