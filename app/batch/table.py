"""Rows as tables: CSV for any spreadsheet, XLSX, Parquet, and the list of failures.

Files are written whole, then renamed.

A cell that a spreadsheet would run as a formula (=, +, -, @ and control characters in front) gets an apostrophe before
it, unless it is a plain number: answers come from documents of strangers.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

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


def wide(rows: Iterable[Row]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns, and one line for each document: the values of its fields, each with confidence, page and quote."""
    columns: dict[str, None] = {"source": None, "status": None}
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = lines.setdefault(row["source"], {"source": row["source"], "status": "ok"})
        line["status"] = max(line["status"], row["status"], key=("ok", "partial", "failed").index)
        name, cells = row["question_id"], flat(row)
        value = row["value"] if "field" in row else row["answer"] if row["found"] else None
        parts = {
            name: "; ".join(map(str, value)) if isinstance(value, list) else value,
            f"{name} confidence": row.get("confidence"), f"{name} page": cells["page"], f"{name} quote": cells["quote"],
        }  # fmt: skip
        columns |= dict.fromkeys(parts)
        line |= parts
    return list(columns), list(lines.values())


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> None:
    """UTF-8 with a byte order mark, so that Excel sees it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_guarded(row.get(column)) for column in columns])
    _replace(path, text.getvalue().encode("utf-8-sig", "replace"))


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
    data = io.BytesIO()
    book.save(data)
    _replace(path, data.getvalue())


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
    data = io.BytesIO()
    write(Table.from_pydict(made), data)
    _replace(path, data.getvalue())


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


def _replace(path: Path, data: bytes) -> None:
    writing = path.with_name(path.name + ".writing")
    with writing.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    writing.replace(path)
