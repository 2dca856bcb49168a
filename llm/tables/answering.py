"""Questions that a table answers: what is computed from it, how, and the rows that show it.

Tables are those of the pages that the ranking found. A model of the packaged size cannot count, add or compare over
rows; here the arithmetic is exact, and what may be wrong is only what was understood, so `how` says it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from ingest.document import Document
from llm.answer import Citation, Derived
from llm.citing import MAX_CITATIONS, cite
from llm.evidence.ranking import Ranked
from llm.tables.asked import MOST_ROWS, AskedOfTable
from llm.tables.choice import Choice, Computed
from llm.tables.grid import Grid, grids
from llm.tables.naming import Looked, asks_for_amount, look_up
from llm.tables.programs import COUNTING, Program
from llm.tables.statements import Statement, statements

_MOST_TABLES = 4
_LONG = 8  # rows of a statement
_MOST_PAGES = 1000  # of a document that statements are looked for on
_MOST_SPANS = 1000  # of such a page, unless a passage was found there: a sheet has more
_COUNT_ASKED = re.compile(r"(?i)\b(?:how|many|much|number|count|total|sum|amount|times|difference|years?)\b")
_COMPUTED = "the answer was computed from all rows of one table"
_STATED = "the answer stands in a row of a table that the question names"
_RIGHT = 0.95  # share of the amounts looked up that are right (docs/BENCHMARKS.md)
_SURE = 0.27  # from this probability of both on, a table that was found first is believed
_SURER = 0.66  # … and one that was found later
_OPERATIONS = {
    "cells": "{column} in {rows}",
    "count": "number of rows with {rows}",
    "distinct": "number of different {column} in {rows}",
    "sum": "sum of {column} over {rows}",
    "mean": "mean of {column} over {rows}",
    "range": "greatest less smallest {column} in {rows}",
    "greatest": "greatest {column} in {rows}",
    "smallest": "smallest {column} in {rows}",
    "difference": "difference of {column} between {rows}",
    "count difference": "difference of the numbers of rows between {rows}",
    "most often": "most frequent {column} in {rows}",
    "least often": "least frequent {column} in {rows}",
}


def answer_from_tables(question: str, ranked: Sequence[Ranked]) -> Derived | None:
    """The likeliest answer from the tables among ranked passages; None where nothing is likely enough."""
    best: tuple[float, Document, Grid, Computed] | None = None
    for place, (document, grid) in enumerate(_tables(ranked)):
        computed = Choice.load().best(AskedOfTable(question, grid))
        if computed is None or computed.belongs < Choice.load().threshold or not _answers(question, computed):
            continue
        sure = computed.probability * computed.belongs
        is_first = place == 0 and _holds(grid, ranked[0])
        if sure >= (_SURE if is_first else _SURER) and (best is None or sure > best[0]):
            best = (sure, document, grid, computed)
    if best is None:
        return None
    _, document, grid, computed = best
    program = computed.program
    return Derived(", ".join(program.said), _cited(document, grid, program), _COMPUTED, told(program, grid))


def _answers(question: str, computed: Computed) -> bool:
    """Whether it says more than the cells that the question's words were found in, and no count that nobody asked for.

    Such programs are the likeliest where a table does not answer: of 753 questions about tables none was answered right
    by one of them, and where the question names the column, as in "Which command lists …", one of ten (docs/LOG.md).
    """
    program = computed.program
    if program.operation in COUNTING:
        return bool(_COUNT_ASKED.search(question))
    is_where_it_was_found = program.choice.shape == "link" and program.column in program.choice.columns
    return not (program.operation == "cells" and program.column is not None and is_where_it_was_found)


def answer_from_statements(question: str, ranked: Sequence[Ranked]) -> Derived | None:
    """The amount in the row that a question names, wherever in the documents of the passages it stands.

    Of several statements that have it, the first long one is gone by: reports state income, then balance, then cash
    flows, then what these are made of in shorter tables.
    """
    found = [
        (place, document, looked)
        for place, document, statement in _statements(question, ranked)
        if (looked := look_up(question, statement)) is not None
    ]
    if not found:
        return None
    _, document, looked = max(found, key=lambda item: _weight(item[0], item[2]))
    citation = cite(document, looked.statement.page_index, *looked.statement.row_ranges[looked.row])
    return Derived(looked.text, (citation,), _STATED, looked.how, _RIGHT) if citation.verified else None


def _statements(question: str, ranked: Sequence[Ranked]) -> Iterator[tuple[int, Document, Statement]]:
    """All statements of the documents that passages were found in, with the document's place among them.

    A row of one word is seldom among the best passages, and to look at a page takes a thousandth of a second.
    """
    if not asks_for_amount(question):
        return
    found = dict.fromkeys((item.document.id, item.passage.page_index) for item in ranked)
    documents = {item.document.id: item.document for item in ranked}
    for place, document in enumerate(documents.values()):
        others = (index for index, page in enumerate(document.pages) if len(page.spans) <= _MOST_SPANS)
        pages = dict.fromkeys([*(index for name, index in found if name == document.id), *others])
        for index in islice(pages, _MOST_PAGES):
            for statement in statements(document.pages[index], index):
                yield place, document, statement


def _weight(place: int, looked: Looked) -> tuple[float, bool, int, int]:
    statement = looked.statement
    return looked.like, len(statement.labels) >= _LONG, -place, -statement.page_index


def told(program: Program, grid: Grid) -> str:
    """How a program comes to what it says, in words."""
    column = "" if program.column is None else grid.columns[program.column].name or f"column {program.column + 1}"
    rows = program.choice.told
    if program.operation == "count" and program.choice.shape == "all":
        return "number of rows"
    return _OPERATIONS[program.operation].format(column=column, rows=rows)


def _tables(ranked: Sequence[Ranked]) -> Iterator[tuple[Document, Grid]]:
    """The tables that ranked passages stand in, each once, as they were found."""
    seen: set[tuple[str, int, int]] = set()
    of_page: dict[tuple[str, int], list[Grid]] = {}  # a long sheet takes a second to cut into cells
    for item in ranked:
        page_index = item.passage.page_index
        found = of_page.get((item.document.id, page_index))
        if found is None:
            found = of_page[item.document.id, page_index] = list(grids(item.document.pages[page_index], page_index))
        for grid in found:
            key = (item.document.id, grid.page_index, grid.head_range[0])
            if _holds(grid, item) and key not in seen and grid.num_rows <= MOST_ROWS:
                seen.add(key)
                yield item.document, grid
                if len(seen) == _MOST_TABLES:
                    return


def _holds(grid: Grid, item: Ranked) -> bool:
    start, end = grid.head_range[0], grid.row_ranges[-1][1]
    return grid.page_index == item.passage.page_index and item.passage.start < end and start < item.passage.end


def _cited(document: Document, grid: Grid, program: Program) -> tuple[Citation, ...]:
    """The rows that the answer rests on, the first ones where there are many."""
    rows = program.choice.rows[:MAX_CITATIONS]
    found = (cite(document, grid.page_index, *grid.row_ranges[row]) for row in rows)
    return tuple(citation for citation in found if citation.verified)
