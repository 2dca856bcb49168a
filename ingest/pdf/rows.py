"""Printed rows of a region: fragments on one baseline joined, and cells of unruled tables told from gaps in prose.

Owns the text of a row; decides no order between regions. Consecutive rows whose cells stand under each other are a
table; monospaced rows keep their indentation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from statistics import median

from ingest.document import Box, Role
from ingest.pdf.draft import Block, Item, Line, Row, box_of

CELL_GAP = 1.6  # times the type size: a wider gap separates cells, a narrower one words
MIN_LONE_CELLS = 3  # a single row with that many cells is a table row, too
WORD_GAP = 0.12  # times the type size: a narrower gap is none
CELL_SEPARATOR = " | "
MAX_ROWS_WITHOUT_CELLS = 2  # between two rows of one table: group titles, wrapped labels
LEADERS = re.compile(r"(?:\s*[.·…]){5,}\s*|(?:\s+\.){3,}\s*")
BLANKS = re.compile(r"_{5,}")
MARKER = re.compile(r"(?:[•▪◦○●■□➢✓❖‣·*–—-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|[\d.]{2,8}\.|§+)$")
BARE_NUMBER = re.compile(r"[A-Z]?\d{1,2}(?:\.\d{1,2})*$")
TRAILING_CURRENCY = re.compile(r"\s+([$€£¥])$")
OPENING = re.compile(r"[$€£¥(]$|\(?[$€£¥]$")
CLOSING = re.compile(r"[)%]{1,2}$")


@dataclass(slots=True)
class Cell:
    x0: float
    x1: float
    text: str


@dataclass(slots=True)
class Printed:
    """One printed row: its fragments from left to right (right to left where that is the script)."""

    lines: list[Line]
    cells: list[Cell]
    box: Box

    @property
    def size(self) -> float:
        return max(line.size for line in self.lines)

    @property
    def is_mono(self) -> bool:
        return all(line.mono for line in self.lines)


def rows_of(region: Sequence[Item]) -> list[Row]:
    """The rows of one region from top to bottom."""
    result: list[Row] = []
    run: list[Printed] = []
    for group in _groups(region):
        if isinstance(group, Block):
            result += _finished(run)
            run = []
            result += group.rows
        else:
            run.append(_printed(group))
    return result + _finished(run)


def _groups(region: Sequence[Item]) -> list[list[Line] | Block]:
    """Lines that share a baseline together, blocks alone, from top to bottom."""
    groups: list[list[Line] | Block] = []
    bounds: list[tuple[float, float]] = []
    for item in sorted(region, key=lambda item: (item.y0 + item.y1, item.x0)):
        if isinstance(item, Block):
            groups.append(item)
            bounds.append((item.y0, item.y1))
            continue
        for index in range(len(groups) - 1, max(-1, len(groups) - 4), -1):
            group, (y0, y1) = groups[index], bounds[index]
            if isinstance(group, list) and _share_row(item, y0, y1) and not _covers(group, item):
                group.append(item)
                break
        else:
            groups.append([item])
            bounds.append((item.y0, item.y1))
    return groups


def _share_row(line: Line, y0: float, y1: float) -> bool:
    return min(line.y1, y1) - max(line.y0, y0) >= 0.55 * min(line.y1 - line.y0, y1 - y0)


def _covers(group: list[Line], line: Line) -> bool:
    return any(min(o.x1, line.x1) - max(o.x0, line.x0) > 0.5 * min(o.x1 - o.x0, line.x1 - line.x0) for o in group)


def _printed(lines: list[Line]) -> Printed:
    rtl = 2 * sum(len(line.text) for line in lines if line.rtl) > sum(len(line.text) for line in lines)
    lines.sort(key=(lambda line: -line.x1) if rtl else (lambda line: line.x0))
    cells: list[Cell] = []
    for line in lines:
        text = _shortened(line.text).strip()
        gap = max(line.x0 - cells[-1].x1, cells[-1].x0 - line.x1) if cells else 0.0
        if cells and _continues(cells[-1], text, gap, line, len(lines), is_first=len(cells) == 1):
            space = " " if gap > WORD_GAP * line.size or line.text[:1] == " " else ""
            before = cells[-1]
            cells[-1] = Cell(min(before.x0, line.x0), max(before.x1, line.x1), before.text + space + text)
        else:
            cells.append(Cell(line.x0, line.x1, text))
    _pass_on_currency(cells)
    return Printed(lines, cells, reduce(Box.union, map(box_of, lines)))


def _shortened(text: str) -> str:
    """Dot leaders and blanks to fill in are kept as a sign that they are there."""
    if ".." in text or ". ." in text or "··" in text:
        text = LEADERS.sub(" … ", text)
    return BLANKS.sub("____", text) if "_____" in text else text


def _pass_on_currency(cells: list[Cell]) -> None:
    """A currency sign at the end of a cell belongs to the amount in the next one."""
    for before, after in pairwise(cells):
        if match := TRAILING_CURRENCY.search(before.text):
            before.text, after.text = before.text[: match.start()], f"{match[1]} {after.text}"


def _continues(cell: Cell, text: str, gap: float, line: Line, num_lines: int, *, is_first: bool) -> bool:
    """Whether a fragment belongs to the cell before it: near, or the two make sense only together."""
    if (
        gap < CELL_GAP * line.size
        or (is_first and MARKER.match(cell.text))
        or OPENING.match(cell.text)
        or CLOSING.match(text)
    ):
        return True
    if cell.text.endswith("…") or text.startswith("…"):
        return True
    is_number = BARE_NUMBER.match(cell.text) is not None and text[:1].isalpha()
    return is_number and num_lines == 2 and gap < 5 * line.size


def _finished(run: list[Printed]) -> list[Row]:
    rows = [_row(printed) for printed in run]
    for first, last in _tables(run):
        _fill_table(run[first:last], rows[first:last])
    for first, last in _mono_runs(run, rows):
        _keep_indentation(run[first:last], rows[first:last])
    return [row for row in rows if row.text.strip()]


def _row(printed: Printed) -> Row:
    text = " ".join(cell.text for cell in printed.cells)
    return Row(
        " ".join(text.split()),
        printed.box,
        size=printed.size,
        bold=all(line.bold for line in printed.lines),
        italic=all(line.italic for line in printed.lines),
        num_cells=len(printed.cells),
    )


def _tables(run: list[Printed]) -> list[tuple[int, int]]:
    """Half-open ranges of rows that form unruled tables; a row with many cells is one by itself."""
    found: list[tuple[int, int]] = []
    last_row: int | None = None  # the last row with cells
    for index, printed in enumerate(run):
        if len(printed.cells) < 2 or printed.is_mono:
            continue
        near = last_row is not None and _is_near(run, last_row, index)
        if near and last_row is not None and _stand_aligned(run[last_row], printed):
            if found and found[-1][1] == last_row + 1:
                found[-1] = (found[-1][0], index + 1)
            else:
                found.append((_first_row(run, last_row), index + 1))
        elif len(printed.cells) >= MIN_LONE_CELLS:
            found.append((index, index + 1))
        last_row = index
    return found


def _first_row(run: list[Printed], first: int) -> int:
    """Headings over several columns stand above their table, but under none of its cells."""
    while first and len(run[first - 1].cells) > 1 and _is_near(run, first - 1, first):
        first -= 1
    return first


def _is_near(run: list[Printed], above: int, below: int) -> bool:
    if below - above - 1 > MAX_ROWS_WITHOUT_CELLS:
        return False
    gaps = [run[i + 1].box.y0 - run[i].box.y1 for i in range(above, below)]
    return max(gaps) < 2.5 * run[below].size


def _stand_aligned(above: Printed, below: Printed) -> bool:
    """Whether a cell other than the first stands under another: left, right or middle."""
    slack = 0.7 * below.size
    for cell in below.cells[1:]:
        for other in above.cells[1:]:
            if (
                abs(cell.x0 - other.x0) < slack
                or abs(cell.x1 - other.x1) < slack
                or abs(cell.x0 + cell.x1 - other.x0 - other.x1) < 2 * slack
            ):
                return True
    return False


def _fill_table(table: list[Printed], rows: list[Row]) -> None:
    columns = _columns(table)
    for printed, row in zip(table, rows, strict=True):
        row.role = Role.TABLE
        texts = [cell.text for cell in printed.cells]
        places = [_column_at(columns, cell) for cell in printed.cells]
        if len(columns) > len(texts) > 1 and None not in places and len(set(places)) == len(places):
            texts = [""] * len(columns)
            for place, cell in zip(places, printed.cells, strict=True):
                texts[place or 0] = cell.text
        row.text = CELL_SEPARATOR.join(" ".join(text.split()) for text in texts).strip(" ")


def _columns(table: list[Printed]) -> list[tuple[float, float]]:
    """x ranges of the columns, from the rows with the most cells."""
    most = max(len(printed.cells) for printed in table)
    ranges: list[tuple[float, float]] = []
    for cell in sorted((c for p in table if len(p.cells) == most for c in p.cells), key=lambda c: c.x0):
        if ranges and cell.x0 < ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], cell.x1))
        else:
            ranges.append((cell.x0, cell.x1))
    return ranges if len(ranges) == most else []


def _column_at(columns: list[tuple[float, float]], cell: Cell) -> int | None:
    touched = [i for i, (x0, x1) in enumerate(columns) if min(x1, cell.x1) > max(x0, cell.x0)]
    return touched[0] if len(touched) == 1 else None


def _mono_runs(run: list[Printed], rows: list[Row]) -> list[tuple[int, int]]:
    """Half-open ranges of neighbouring monospaced rows."""
    found: list[tuple[int, int]] = []
    for index, printed in enumerate(run):
        if not printed.is_mono or rows[index].role is Role.TABLE:
            continue
        if found and found[-1][1] == index and printed.box.y0 - run[index - 1].box.y1 < 2 * printed.size:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return [found_run for found_run in found if _stands_apart(run, *found_run)]


def _stands_apart(run: list[Printed], first: int, last: int) -> bool:
    """A single monospaced row inside a paragraph is a long name that filled its line, not a block of code."""
    if last - first > 1:
        return True
    above = run[first].box.y0 - run[first - 1].box.y1 if first else run[first].size
    below = run[last].box.y0 - run[first].box.y1 if last < len(run) else run[first].size
    return min(above, below) > 0.35 * run[first].size


def _keep_indentation(run: list[Printed], rows: list[Row]) -> None:
    widths = [(line.x1 - line.x0) / len(line.text) for p in run for line in p.lines if len(line.text) > 2]
    char_width = median(widths) if widths else 0.6 * run[0].size
    left = min(line.x0 for printed in run for line in printed.lines)
    for printed, row in zip(run, rows, strict=True):
        row.mono = True
        row.text = ""
        for line in printed.lines:
            column = round((line.x0 - left) / char_width)
            row.text += " " * max(column - len(row.text), 1 if row.text and line.text[:1] != " " else 0) + line.text
        row.text = row.text.rstrip()
