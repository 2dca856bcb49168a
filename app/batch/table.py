"""Rows as tables: CSV for any spreadsheet, XLSX, Parquet, and the list of failures.

Files are written whole, then renamed; rows are taken one after the other, and only Parquet, which is made of columns,
needs all of them in memory.

A cell that a spreadsheet would run as a formula (=, +, -, @ and control characters in front) gets an apostrophe before
it, unless it is a plain number: answers come from documents of strangers.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from app.batch.rows import Row

COLUMNS = (
    "source", "question_id", "question", "status", "found", "answer", "quote", "page", "lines", "error", "document",
    "id",
)  # fmt: skip
FAILURE_COLUMNS = ("source", "question_id", "question", "error", "document", "id")
_FORMULA = re.compile(r"[=+\-@\t\r\n|%]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")
_MAX_CELL_CHARS = 32_767  # of Excel


def flat(row: Row) -> dict[str, Any]:
    """A row's cells: the first citation is the one that is shown."""
    first: Mapping[str, Any] = row["citations"][0] if row["citations"] else {}
    lines = first.get("lines")
    return {
        **{name: row[name] for name in COLUMNS if name in row},
        "quote": first.get("quote"),
        "page": first.get("page"),
        "lines": None if lines is None else "-".join(str(line) for line in dict.fromkeys(lines)),
    }


def wide(rows: Iterable[Row]) -> tuple[list[str], Iterable[dict[str, Any]]]:
    """Columns, and one line for each document: the values of its fields, each with confidence, page and quote.

    `rows` are gone through twice; those of a document follow one another.
    """
    columns = dict.fromkeys(("source", "status"))
    for name in dict.fromkeys(row["question_id"] for row in rows):
        columns |= dict.fromkeys((name, f"{name} confidence", f"{name} page", f"{name} quote"))
    return list(columns), (_line(source, of_source) for source, of_source in groupby(rows, itemgetter("source")))


def _line(source: str, rows: Iterable[Row]) -> dict[str, Any]:
    line: dict[str, Any] = {"source": source, "status": "ok"}
    for row in rows:
        line["status"] = max(line["status"], row["status"], key=("ok", "partial", "failed").index)
        name, cells = row["question_id"], flat(row)
        value = row["value"] if "field" in row else row["answer"] if row["found"] else None
        line |= {
            name: "; ".join(map(str, value)) if isinstance(value, list) else value,
            f"{name} confidence": row.get("confidence"), f"{name} page": cells["page"], f"{name} quote": cells["quote"],
        }  # fmt: skip
    return line


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> None:
    """UTF-8 with a byte order mark, so that Excel sees it."""
    with _writing(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows([_guarded(row.get(column)) for column in columns] for row in rows)
        text.detach()


def write_xlsx(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> None:
    """One sheet; numbers and yes/no keep their type, text never becomes a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.freeze_panes = "A2"
    sheet.append(list(columns))
    for row in rows:
        cells = []
        for column in columns:
            value = _plain(row.get(column))
            if isinstance(value, str):
                value = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value)[:_MAX_CELL_CHARS]
            cell = WriteOnlyCell(sheet, value)
            if isinstance(value, str):
                cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    with _writing(path) as file:
        book.save(file)


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> None:
    """A column is of numbers or of yes and no where all its values are; else of text."""
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet as write

    rows = list(rows)
    kinds = {"bool": DataType.bool(), "int": DataType.int64(), "float": DataType.float64(), "str": DataType.utf8()}
    made: dict[str, Any] = {}
    for column in columns:
        kind, values = _typed([row.get(column) for row in rows])
        made[column] = Array(values, type=kinds[kind])
    with _writing(path) as file:
        write(Table.from_pydict(made), file)


def _typed(values: list[Any]) -> tuple[str, list[Any]]:
    """The kind of a column, and its values as that."""
    found = {type(value) for value in values if value is not None}
    if found == {bool}:
        return "bool", values
    if found == {int}:
        return "int", values
    if found and found <= {int, float}:
        return "float", [None if value is None else float(value) for value in values]
    texts = (value if value is None or isinstance(value, str) else str(_plain(value)) for value in values)
    return "str", [text if text is None else text.encode("utf-8", "replace").decode() for text in texts]


def write_failures(out: Path, rows: Iterable[Row]) -> Path | None:
    """The failed rows beside `out`, or no such file where there are none. Returns its path."""
    path = out.with_suffix(".failures.csv")
    failures = [row for row in rows if row["status"] == "failed"]
    if not failures:
        path.unlink(missing_ok=True)
        return None
    write_csv(path, failures, FAILURE_COLUMNS)
    return path


def _guarded(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def _plain(value: Any) -> Any:
    """What a cell can hold: text on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return " ".join(value.split())
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when it is whole and on the disk."""
    writing = path.with_name(path.name + ".writing")
    with writing.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    writing.replace(path)
