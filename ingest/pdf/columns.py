"""Reading order by geometry: which lines form columns that are read downwards, one after the other.

Owns the split of a page into regions; within a region everything is read row by row. A gutter counts only where
prose stands on both sides of it, so that tables and signature lines are not torn apart.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import median

from ingest.pdf.draft import Block, Item, Line

MIN_SIDE_LINES = 3  # fewer lines beside a gutter are no column
MIN_GUTTER = 5.0  # points
PROSE_FILL = 0.75  # a line of prose fills that much of its column …
PROSE_SHARE = 0.4  # … in at least that share of the column's lines
PROSE_CHARS = 14  # and is that long on average: shorter ones are cells
MARGIN_SHARE = 0.12  # of the page's height: where running headers and footers stand


def regions(items: Sequence[Item], height: float) -> list[list[Item]]:
    """Items of one page as runs in reading order, each to be read row by row."""
    head, body, foot = _margins(sorted(items, key=lambda item: item.y0), height)
    return [part for part in (head, *_split(body), foot) if part]


def _margins(items: list[Item], height: float) -> tuple[list[Item], list[Item], list[Item]]:
    """The outermost rows at the top and at the bottom, where white space sets them apart: they are in no column."""
    num_head = _num_apart([(item.y0, item.y1) for item in items], MARGIN_SHARE * height)
    rest = sorted(items[num_head:], key=lambda item: -item.y1)
    num_foot = _num_apart([(height - item.y1, height - item.y0) for item in rest], MARGIN_SHARE * height)
    foot = set(map(id, rest[:num_foot]))
    body = [item for item in items[num_head:] if id(item) not in foot]
    return items[:num_head], body, [item for item in items[num_head:] if id(item) in foot]


def _num_apart(ranges: list[tuple[float, float]], depth: float) -> int:
    """How many ranges (sorted by start) come before the first gap, if that lies within `depth`; else none."""
    end = ranges[0][1] if ranges else 0.0
    for index, (start, stop) in enumerate(ranges):
        if end > depth:
            return 0
        if start - end > 0.6 * (stop - start):
            return index
        end = max(end, stop)
    return 0


def _split(items: list[Item]) -> list[list[Item]]:
    """Around the best gutter, or the items as one region. Items are sorted by y0."""
    gutter = _best_gutter(items)
    if gutter is None:
        return [items]
    strips = _strips(items, gutter)
    sides = [([i for i in strip if i.x1 <= gutter + 1], [i for i in strip if i.x1 > gutter + 1]) for strip in strips]
    sure = [_is_pair(left, right) for left, right in sides]
    if not any(sure):
        return [items]
    result: list[list[Item]] = []
    flat: list[Item] = []
    for strip, (left, right), is_sure in zip(strips, sides, sure, strict=True):
        if is_sure or (left and right and _drawn_apart(left, right)):
            result += _split(flat) if flat else []
            flat = []
            result += [*_split(left), *_split(right)]
        else:
            flat += strip
    return result + (_split(flat) if flat else [])


def _best_gutter(items: list[Item]) -> float | None:
    """The x with the most lines wholly left and wholly right of it: the smaller of the two counts decides."""
    if len(items) < 2 * MIN_SIDE_LINES:
        return None
    starts, ends = sorted(item.x0 for item in items), sorted(item.x1 for item in items)
    best, best_score = None, MIN_SIDE_LINES - 1
    for start in dict.fromkeys(starts):
        score = min(bisect_right(ends, start - 1), len(starts) - bisect_left(starts, start))
        if score > best_score:
            best, best_score = start - 1, score
    return best


def _strips(items: list[Item], gutter: float) -> list[list[Item]]:
    """Items cut at those that cross the gutter; each of these is a strip of its own."""
    strips: list[list[Item]] = [[]]
    crossing = sorted(
        (item for item in items if item.x0 < gutter and item.x1 > gutter + 1), key=lambda item: item.y0 + item.y1
    )
    beside = sorted(
        (item for item in items if not (item.x0 < gutter and item.x1 > gutter + 1)), key=lambda i: i.y0 + i.y1
    )
    for item in crossing:
        while beside and beside[0].y0 + beside[0].y1 < item.y0 + item.y1:
            strips[-1].append(beside.pop(0))
        strips += [[item], []]
    strips[-1] += beside
    return [strip for strip in strips if strip]


def _is_pair(left: list[Item], right: list[Item]) -> bool:
    """Whether two sides are columns: prose on both, beside each other, with white space between."""
    if _num_lines(left) < MIN_SIDE_LINES or _num_lines(right) < MIN_SIDE_LINES:
        return False
    if min(item.x0 for item in right) - max(item.x1 for item in left) < MIN_GUTTER:
        return False
    shared = min(_bottom(left), _bottom(right)) - max(_top(left), _top(right))
    if shared < 0.3 * min(_bottom(left) - _top(left), _bottom(right) - _top(right)):
        return False
    return _is_prose(left) and _is_prose(right)


def _num_lines(side: list[Item]) -> int:
    return sum(len(item.rows) if isinstance(item, Block) else 1 for item in side)


def _top(side: list[Item]) -> float:
    return min(item.y0 for item in side)


def _bottom(side: list[Item]) -> float:
    return max(item.y1 for item in side)


def _is_prose(side: list[Item]) -> bool:
    lines = [item for item in side if isinstance(item, Line)]
    if not lines:
        return True
    left, right = min(item.x0 for item in side), max(item.x1 for item in side)
    rows = _row_fills(lines)
    full = sum(fill >= PROSE_FILL * (right - left) for fill, _ in rows)
    return full >= PROSE_SHARE * len(rows) and median(chars for _, chars in rows) >= PROSE_CHARS


def _row_fills(lines: list[Line]) -> list[tuple[float, int]]:
    """Width covered by text and number of characters (wide ones count twice), for each printed row."""
    rows: list[tuple[float, int]] = []
    middle = float("-inf")
    for line in sorted(lines, key=lambda line: line.y0 + line.y1):
        text = line.text
        chars = len(text) if text.isascii() else sum(2 if char > "\u2e7f" else 1 for char in text)
        if ". . . ." in text or "....." in text:  # a line of a table of contents
            chars = 0
        if rows and line.y0 < middle < line.y1:
            rows[-1] = (rows[-1][0] + line.x1 - line.x0, rows[-1][1] + chars)
        else:
            rows.append((line.x1 - line.x0, chars))
            middle = (line.y0 + line.y1) / 2
    return rows


def _drawn_apart(left: list[Item], right: list[Item]) -> bool:
    """Whether the file draws all of the left side before the right one, beside a gutter that other lines prove."""
    if min(_num_lines(left), _num_lines(right)) < 2:
        return False
    return max(item.order for item in left) < min(item.order for item in right)
