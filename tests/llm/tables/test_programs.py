"""What can be computed at all: every operation, over rows chosen in every way, checked by hand."""

import pytest

from llm.tables.asked import AskedOfTable
from llm.tables.grid import Grid, grids
from llm.tables.programs import programs, shown
from tests.llm.tables.conftest import INVOICES, page_of


@pytest.mark.parametrize(
    ("question", "operation", "shape", "said"),
    [
        ("Which invoices are from France?", "cells", "link", ("1003", "1006")),
        ("How many invoices of Acme Ltd are open?", "count", "both", ("1",)),
        ("How many invoices are from France or USA?", "count", "either", ("3",)),
        ("How many invoices are not from Germany?", "count", "not", ("3",)),
        ("How many invoices are at least 640?", "count", "compare", ("4",)),
        ("Which customer comes after Birch GmbH?", "cells", "next", ("Cedar SA",)),
        ("Which customer comes before Birch GmbH?", "cells", "previous", ("Acme Ltd",)),
        ("What is the last invoice from Germany?", "cells", "last", ("1004",)),
        ("Which invoice from Germany has the least amount?", "cells", "least", ("1004",)),
        ("What is the total amount of paid invoices?", "sum", "link", ("17950.5",)),
        ("What is the average amount in France?", "mean", "link", ("2695",)),
        ("What is the difference between invoice 1001 and 1002?", "difference", "either", ("900.5",)),
        ("How many different countries are there?", "distinct", "all", ("3",)),
        ("Which status is most common?", "most often", "all", ("paid",)),
    ],
)
def test_an_operation_is_among_the_programs(
    invoices: Grid, question: str, operation: str, shape: str, said: tuple[str, ...]
) -> None:
    made = programs(AskedOfTable(question, invoices))
    assert said in {each.said for each in made if (each.operation, each.choice.shape) == (operation, shape)}


def test_empty_cells_are_not_counted_as_no_different_things() -> None:
    text = "Item | Quantity | Unit price | Amount\nScanning | 42,000 pages | EUR 0.85 | EUR 35,700.00\n"
    text += "Project management | 12 months | EUR 450.00 | EUR 5,400.00\nTotal fee | | | EUR 61,140.00"
    (fees,) = grids(page_of(text), 0)
    made = programs(AskedOfTable("What is the total fee?", fees))
    assert ("EUR 61,140.00",) in {each.said for each in made}
    assert ("0",) not in {each.said for each in made if each.operation == "distinct"}


def test_a_longer_name_hides_its_parts(invoices: Grid) -> None:
    asked = AskedOfTable("What did Acme Ltd pay?", invoices)
    (link,) = asked.links
    assert (link.column, sorted(link.rows), link.how) == (2, [0, 3], "equal")
    assert [asked.words[at] for at in sorted(link.words)] == ["acme", "ltd"]


@pytest.mark.parametrize(("value", "text"), [(3.0, "3"), (0.1 + 0.2, "0.3"), (-12.345, "-12.35"), (1e9, "1000000000")])
def test_numbers_are_shown_without_noise(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_total_is_neither_counted_nor_added() -> None:
    (grid,) = grids(page_of(INVOICES + "\nTotal |  |  |  | 18,990.40 | "), 0)
    made = programs(AskedOfTable("What is the total amount?", grid))
    of_all = {(each.operation, each.said) for each in made if each.choice.shape == "all"}
    assert ("count", ("6",)) in of_all
    assert ("greatest", ("12000",)) in of_all
    sums = {each.said for each in made if each.operation == "sum"}
    assert ("18990.4",) in sums
    assert ("37980.8",) not in sums
