"""Excel files (.xlsx): a sheet a page, labelled with its name; a row a line, cells joined by " | ".

A line's number is the row's number, so that a citation can be found in the sheet, except in sheets with long gaps.
Values are those that the spreadsheet program computed and stored; a formula without one is shown itself, and said so.
"""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import openpyxl

from ingest.document import Document, Kind, Page, Problem, Role, Severity, Span, TextOrigin
from ingest.errors import SourceTooLarge
from ingest.office.cell_values import shown
from ingest.office.package import office_reader
from ingest.office.word import core_metadata
from ingest.options import ReadOptions
from ingest.page_text import CELL_GAP, empty_problems
from ingest.reader import OnProgress, SourceFile

MAX_BLANK_LINES = 1000  # of a sheet; one with more has its blank rows left out
Row = dict[int, str]  # column index -> what the cell shows; empty cells are not in it


@office_reader
def read_xlsx(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore")  # openpyxl warns of parts that it does not keep; none hold text
        stream = stack.enter_context(file.path.open("rb"))  # of a path openpyxl would believe the suffix
        values = stack.enter_context(closing(openpyxl.load_workbook(stream, read_only=True, data_only=True)))
        formulas = None
        if _has_formulas(file):
            formulas = stack.enter_context(closing(openpyxl.load_workbook(stream, read_only=True)))
        pages, problems = _read_sheets(values, formulas, file.name, options, on_progress)
        metadata = core_metadata(values.properties, author="creator")
    document = Document(
        file.id, file.name, Kind.OFFICE, pages=tuple(pages), size_bytes=file.size_bytes, metadata=metadata
    )
    if not any(page.text for page in pages):
        problems += empty_problems(file.name, pages)  # one empty sheet among others is no loss
    return document, problems


def _read_sheets(
    values: Any, formulas: Any, name: str, options: ReadOptions, on_progress: OnProgress
) -> tuple[list[Page], list[Problem]]:
    names = [sheet.title for sheet in values.worksheets]
    allowed = options.limits.max_pages
    if len(names) > allowed:
        raise SourceTooLarge(f"{name} has {len(names)} sheets; at most {allowed} are read: hand over its parts")
    pages: list[Page] = []
    problems: list[Problem] = []
    wanted = options.page_numbers(len(names))
    on_progress(0, len(wanted))
    for done, page_no in enumerate(wanted, start=1):
        rows, num_unknown = _rows(values, formulas, page_no - 1)
        pages.append(sheet_page(rows, page_no, names[page_no - 1]))
        if num_unknown:
            problems.append(_unknown_values(name, page_no, num_unknown))
        on_progress(done, len(wanted))
    return pages, problems


def _has_formulas(file: SourceFile) -> bool:
    with zipfile.ZipFile(file.path) as archive:
        return any(b"<f" in archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet"))


def _rows(values: Any, formulas: Any, index: int) -> tuple[dict[int, Row], int]:
    """The sheet's rows that hold something, by number, and how many formulas had no stored value."""
    rows: dict[int, Row] = {}
    num_unknown = 0
    for row_no, (cells, sources) in enumerate(_pairs(values, formulas, index), start=1):
        row = {}
        for column, cell in enumerate(cells):
            text = shown(cell.value, cell.number_format) if cell.value is not None else ""
            if not text and column < len(sources) and sources[column].data_type == "f":
                text = str(sources[column].value)
                num_unknown += 1
            if text:
                row[column] = text
        if row:
            rows[row_no] = row
    return rows, num_unknown


def _pairs(values: Any, formulas: Any, index: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Each row as values and, where the file has formulas, as formulas."""
    sheet = values.worksheets[index]
    sheet.reset_dimensions()  # what the file claims may be the whole grid
    if formulas is None:
        yield from ((row, ()) for row in sheet.iter_rows())
        return
    source = formulas.worksheets[index]
    source.reset_dimensions()
    yield from zip(sheet.iter_rows(), source.iter_rows(), strict=True)


def sheet_page(rows: dict[int, Row], page_no: int, label: str) -> Page:
    """Columns that are empty in the whole sheet are left out; blank rows keep the line numbers true."""
    columns = sorted(set().union(*rows.values()))
    last_row = max(rows, default=0)
    keeps_numbers = last_row - len(rows) <= MAX_BLANK_LINES
    row_numbers = range(1, last_row + 1) if keeps_numbers else sorted(rows)
    lines = [_line(rows.get(row_no, {}), columns) for row_no in row_numbers]
    spans = []
    start = 0
    for line in lines:
        if line:
            spans.append(Span(start, start + len(line), role=Role.TABLE))
        start += len(line) + 1
    text = "\n".join(lines)
    origin = TextOrigin.LAYER if text else TextOrigin.NONE
    return Page(page_no, text, tuple(spans), label=label, origin=origin)


def _line(row: Row, columns: list[int]) -> str:
    """Up to the row's last cell."""
    return CELL_GAP.join(row.get(column, "") for column in columns if column <= max(row, default=-1))


def _unknown_values(name: str, page_no: int, count: int) -> Problem:
    why = (
        f"{count} formulas have no stored value and stand as formulas; open and save the file in a spreadsheet program."
    )
    return Problem(name, page_no, "formulas without values", why, Severity.DEGRADED)
