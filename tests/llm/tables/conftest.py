import pytest

from ingest.document import Document, Kind, Page, Role, Span
from llm.tables.grid import Grid, grids

INVOICES = """Invoice | Date | Customer | Country | Amount | Status
1001 | 2024-01-05 | Acme Ltd | Germany | 1,200.50 | paid
1002 | 2024-01-09 | Birch GmbH | Germany | 300.00 | open
1003 | 2024-02-11 | Cedar SA | France | 4,750.00 | paid
1004 | 2024-02-20 | Acme Ltd | Germany | 99.90 | open
1005 | 2024-03-02 | Dune Inc | USA | 12,000.00 | paid
1006 | 2024-03-15 | Cedar SA | France | 640.00 | overdue"""


def page_of(text: str, *, without: tuple[int, ...] = ()) -> Page:
    """A page whose lines are all table rows, but those numbered `without`."""
    spans, start = [], 0
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            role = Role.TEXT if number in without else Role.TABLE
            spans.append(Span(start, start + len(line), role=role))
        start += len(line) + 1
    return Page(1, text, tuple(spans))


@pytest.fixture
def invoices() -> Grid:
    (grid,) = grids(page_of(INVOICES), 0)
    return grid


@pytest.fixture
def invoices_file() -> Document:
    return Document("invoices", "invoices.csv", Kind.TEXT, pages=(page_of(INVOICES),))
