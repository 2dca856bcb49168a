"""Ruled tables from the strokes of a page: cells, spanned cells, and one row of text for each row of cells.

Owns the geometry of ruling; needs no second extraction (MuPDF's own table finder reads about 5 pages a second).
A cell that spans several rows is repeated in each of them, so that every row can be read alone.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache, reduce

from ingest.document import Box, Role
from ingest.pdf.draft import Block, Line, Row, box_of
from ingest.pdf.layer import Rule
from ingest.pdf.rows import CELL_SEPARATOR, rows_of

SLACK = 3.0  # points by which strokes may miss each other
MAX_LINES_PER_CELL = 12  # on average; more is a page layout with rules, not a table
NUMBER = re.compile(r"[-+(]?[$€£]?\d[\d.,]*\s?[%)]?$")
Words = Callable[[], Sequence[tuple[float, float, float, float, str]]]


def ruled_tables(
    horizontal: list[Rule], vertical: list[Rule], lines: list[Line], words: Words
) -> tuple[list[Block], list[Line]]:
    """The tables, and the lines outside them. `words` is asked only when a line runs across cells."""
    tables: list[Block] = []
    if len(horizontal) < 2 or not vertical:
        return tables, lines
    words = cache(words)
    rows = _merged(horizontal, along_x=True)
    columns = _merged(vertical, along_x=False)
    for grid_rows, grid_columns in _components(rows, columns):
        grid = Grid(grid_rows, grid_columns)
        inside = [line for line in lines if line.along and grid.holds(line)]
        block = grid.block(inside, words)
        if block is not None:
            tables.append(block)
            taken = set(map(id, inside))
            lines = [line for line in lines if id(line) not in taken]
    return tables, lines


def _merged(rules: list[Rule], *, along_x: bool) -> list[Rule]:
    """Strokes on one straight line that touch, as one stroke."""
    turned = rules if along_x else [Rule(r.y0, r.x0, r.y1, r.x1) for r in rules]
    levels: list[list[Rule]] = []
    for rule in sorted(turned, key=lambda rule: rule.y0):
        if levels and rule.y0 - levels[-1][0].y0 <= 1.5:
            levels[-1].append(rule)
        else:
            levels.append([rule])
    joined: list[Rule] = []
    for level in levels:
        first = len(joined)
        for rule in sorted(level):
            if len(joined) > first and rule.x0 <= joined[-1].x1 + SLACK:
                joined[-1] = joined[-1]._replace(x1=max(joined[-1].x1, rule.x1))
            else:
                joined.append(rule)
    return joined if along_x else [Rule(r.y0, r.x0, r.y1, r.x1) for r in joined]


def _components(rows: list[Rule], columns: list[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Strokes that meet, as (horizontal, vertical) groups of at least two and one."""
    groups: list[tuple[list[Rule], list[Rule]]] = []
    for column in columns:
        met = [row for row in rows if _meet(row, column)]
        joined = [group for group in groups if any(row in group[0] for row in met)]
        merged = (list(met), [column])
        for group in joined:
            merged[0].extend(row for row in group[0] if row not in merged[0])
            merged[1].extend(group[1])
            groups.remove(group)
        if met:
            groups.append(merged)
    return [group for group in groups if len(group[0]) >= 2]


def _meet(row: Rule, column: Rule) -> bool:
    return row.x0 - SLACK <= column.x0 <= row.x1 + SLACK and column.y0 - SLACK <= row.y0 <= column.y1 + SLACK


def _levels(values: list[float]) -> list[float]:
    """Values nearer than the slack are one."""
    result: list[float] = []
    for value in sorted(values):
        if not result or value - result[-1] > 2 * SLACK:
            result.append(value)
    return result


class Grid:
    """Ruling as cells. Cell (i, j) lies between ys[i], ys[i + 1] and xs[j], xs[j + 1]."""

    def __init__(self, rows: list[Rule], columns: list[Rule]) -> None:
        self.xs = _levels([c.x0 for c in columns] + [min(r.x0 for r in rows), max(r.x1 for r in rows)])
        self.ys = _levels([r.y0 for r in rows] + [min(c.y0 for c in columns), max(c.y1 for c in columns)])
        self._walls = [[c for c in columns if abs(c.x0 - x) <= 2 * SLACK] for x in self.xs]
        self._floors = [[r for r in rows if abs(r.y0 - y) <= 2 * SLACK] for y in self.ys]

    def holds(self, line: Line) -> bool:
        x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
        return self.xs[0] < x < self.xs[-1] and self.ys[0] < y < self.ys[-1]

    def block(self, lines: list[Line], words: Words) -> Block | None:
        """The table as rows of text, or None when this ruling is a frame or a layout and no table."""
        num_rows, num_columns = len(self.ys) - 1, len(self.xs) - 1
        if num_columns < 2 or not lines or len(lines) > MAX_LINES_PER_CELL * num_rows * num_columns:
            return None
        cells = self._fill(lines, words)
        if len({j for _, j in cells}) < 2 or (num_rows == 1 and max(map(len, cells.values())) > 6):
            return None
        rows = [row for i in range(num_rows) for row in self._band(i, cells)]
        if len(rows) < 2:
            return None
        order = min(line.order for line in lines)
        return Block(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1], rows, order)

    def _fill(self, lines: list[Line], words: Words) -> dict[tuple[int, int], list[Line]]:
        """Lines by the first cell of the merged cell they stand in; a line across cells is cut into its words."""
        cells: dict[tuple[int, int], list[Line]] = {}
        for line in lines:
            for piece in self._pieces(line, words):
                i, j = _index(self.ys, (piece.y0 + piece.y1) / 2), _index(self.xs, (piece.x0 + piece.x1) / 2)
                cells.setdefault(self._owner(i, j), []).append(piece)
        return cells

    def _pieces(self, line: Line, words: Words) -> list[Line]:
        i = _index(self.ys, (line.y0 + line.y1) / 2)
        cut = [x for j, x in enumerate(self.xs[1:-1], 1) if line.x0 + SLACK < x < line.x1 - SLACK and self._wall(i, j)]
        if not cut:
            return [line]
        pieces: dict[int, Line] = {}
        for x0, y0, x1, y1, text in words():
            if not (line.y0 <= (y0 + y1) / 2 <= line.y1 and line.x0 - 1 <= (x0 + x1) / 2 <= line.x1 + 1):
                continue
            side = sum(x < (x0 + x1) / 2 for x in cut)
            if side in pieces:
                pieces[side].text += " " + text
                pieces[side].x1 = x1
            else:
                pieces[side] = Line(x0, line.y0, x1, line.y1, text, line.size, line.bold, line.mono, line.rtl)
        return list(pieces.values()) or [line]

    def _owner(self, i: int, j: int) -> tuple[int, int]:
        while j and not self._wall(i, j):
            j -= 1
        while i and not self._floor(i, j):
            i -= 1
        return i, j

    def _wall(self, i: int, j: int) -> bool:
        """Whether a vertical stroke stands between cells (i, j - 1) and (i, j)."""
        middle = (self.ys[i] + self.ys[i + 1]) / 2
        return any(c.y0 < middle < c.y1 for c in self._walls[j])

    def _floor(self, i: int, j: int) -> bool:
        """Whether a horizontal stroke lies between cells (i - 1, j) and (i, j)."""
        middle = (self.xs[j] + self.xs[j + 1]) / 2
        return any(r.x0 < middle < r.x1 for r in self._floors[i])

    def _band(self, i: int, cells: dict[tuple[int, int], list[Line]]) -> list[Row]:
        """Row i of the grid as one row of text, or as several where numbers stand under each other in it."""
        owned: list[list[Line]] = []
        for j in range(len(self.xs) - 1):
            owner = self._owner(i, j)
            owned.append(cells.get(owner, []) if owner[1] == j else [])
        if not any(any(self._in_band(i, line) for line in lines) for lines in owned):
            return []
        texts = [rows_of(lines) for lines in owned]
        depth = _stacked(texts)
        if depth == 1:
            return [self._row(i, [" ".join(row.text for row in cell) for cell in texts], owned)]
        levels = next([row.box for row in cell] for cell in texts if len(cell) == depth)
        result = []
        for level, box in enumerate(levels):
            row_texts = [cell[level if len(cell) == depth else 0].text if cell else "" for cell in texts]
            on_level = [[line for line in lines if box.y0 < (line.y0 + line.y1) / 2 < box.y1] for lines in owned]
            result.append(self._row(i, row_texts, on_level))
        return result

    def _in_band(self, i: int, line: Line) -> bool:
        return self.ys[i] < (line.y0 + line.y1) / 2 < self.ys[i + 1]

    def _row(self, i: int, texts: list[str], lines: list[list[Line]]) -> Row:
        boxes = [box_of(line) for cell in lines for line in cell]
        boxes = boxes or [Box(self.xs[0], self.ys[i], self.xs[-1], self.ys[i + 1])]
        inside = [box for box in boxes if self.ys[i] < (box.y0 + box.y1) / 2 < self.ys[i + 1]] or boxes
        text = CELL_SEPARATOR.join(" ".join(text.split()) for text in texts).strip(" ")
        size = max((line.size for cell in lines for line in cell), default=10.0)
        return Row(text, reduce(Box.union, inside), Role.TABLE, size=size)


def _index(levels: list[float], value: float) -> int:
    return max(0, min(len(levels) - 2, sum(level <= value for level in levels) - 1))


def _stacked(texts: list[list[Row]]) -> int:
    """Into how many rows a ruled row falls: several only where two columns stack as many numbers at equal heights."""
    deep = [cell for cell in texts if len(cell) > 1]
    if not deep or any(len(cell) != len(deep[0]) for cell in deep):
        return 1
    aligned = all(abs(row.box.y0 - other.box.y0) < 3 for cell in deep for row, other in zip(cell, deep[0], strict=True))
    numeric = [cell for cell in deep if all(NUMBER.match(row.text) for row in cell)]
    return len(deep[0]) if aligned and (len(numeric) >= 2 or (numeric and len(deep) >= 2)) else 1
