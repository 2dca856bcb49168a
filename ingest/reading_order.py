"""The order in which a person reads boxes on a page: down columns of prose, and along rows of everything else.

Works on boxes alone, so that it serves lines recognised from pixels; needs no page and no text. A receipt or a form
has gaps that look like gutters, but its cells are short: only columns filled by long lines are read downwards.
"""

from collections.abc import Sequence
from statistics import median

import numpy as np

from ingest.document import Box

MIN_COLUMN_LINES = 3
MIN_LINE_WIDTH = 9.0  # of half the lines, in line heights: shorter than about 18 letters is a table's cell
MIN_ROW_FILL = 0.7  # of half the rows: width covered by lines / width of the column or columns


def in_reading_order(boxes: Sequence[Box]) -> list[int]:
    """The boxes' indices in reading order."""
    return _columns(boxes, sorted(range(len(boxes)), key=lambda i: (boxes[i].y0 + boxes[i].y1, boxes[i].x0)))


def on_one_row(left: Box, right: Box) -> bool:
    """Whether `right` continues the row that `left` stands in: beside it, and half of the lower one's height shared."""
    overlap = min(left.y1, right.y1) - max(left.y0, right.y0)
    lower = min(left.y1 - left.y0, right.y1 - right.y0)
    return overlap >= 0.5 * lower and right.x0 + right.x1 > left.x0 + left.x1 and right.x0 >= left.x1 - lower


def _columns(boxes: Sequence[Box], chosen: list[int]) -> list[int]:
    """`chosen` (sorted by height on the page) in reading order: around the best gutter, or as rows."""
    best: list[list[int]] = []
    best_count = 0
    height = median([boxes[i].y1 - boxes[i].y0 for i in chosen]) if chosen else 0.0
    for gutter in _left_edges([boxes[i].x0 for i in chosen], height):
        bands = _bands(boxes, chosen, gutter, 1.5 * height)
        count = sum(len(band) for band in bands if _is_pair_of_columns(boxes, band, gutter, height))
        if count > best_count:
            best, best_count, best_gutter = bands, count, gutter
    if not best:
        return _rows(boxes, chosen)
    order: list[int] = []
    pending: list[int] = []  # bands that are not columns are read together, as rows
    for band in best:
        if _is_pair_of_columns(boxes, band, best_gutter, height):
            order += _columns(boxes, pending) if len(pending) < len(chosen) else _rows(boxes, pending)
            pending = []
            for side in _sides(boxes, band, best_gutter):
                order += _columns(boxes, side)
        else:
            pending += band
    return order + _rows(boxes, pending)


def _left_edges(starts: list[float], height: float) -> list[float]:
    """Where columns may begin: left edges that several lines share."""
    edges: list[list[float]] = []
    for start in sorted(starts):
        if edges and start - edges[-1][-1] <= 0.5 * height:
            edges[-1].append(start)
        else:
            edges.append([start])
    return [edge[0] for edge in edges if len(edge) >= MIN_COLUMN_LINES][1:]


def _bands(boxes: Sequence[Box], chosen: list[int], gutter: float, slack: float) -> list[list[int]]:
    """`chosen` cut into runs above, between and below the boxes that cross the gutter; each of those is a run."""
    bands: list[list[int]] = [[]]
    for index in chosen:
        if boxes[index].x0 < gutter - slack and boxes[index].x1 > gutter + slack:
            bands += [[index], []]
        else:
            bands[-1].append(index)
    return [band for band in bands if band]


def _sides(boxes: Sequence[Box], band: list[int], gutter: float) -> tuple[list[int], list[int]]:
    left = [i for i in band if boxes[i].x0 + boxes[i].x1 < 2 * gutter]
    return left, [i for i in band if boxes[i].x0 + boxes[i].x1 >= 2 * gutter]


def _is_pair_of_columns(boxes: Sequence[Box], band: list[int], gutter: float, height: float) -> bool:
    return all(_is_prose([boxes[i] for i in side], height) for side in _sides(boxes, band, gutter))


def _is_prose(side: list[Box], height: float) -> bool:
    """Whether these are lines of prose, in one column or more: enough of them, long enough, filling their rows."""
    if len(side) < MIN_COLUMN_LINES:
        return False
    x0, y0, x1, y1 = np.asarray(side, np.float32).T  # each (lines,)
    widths, middles = x1 - x0, (y0 + y1) / 2
    in_row = np.abs(middles[:, None] - middles) < 0.5 * height  # True at (i, j): line j stands in the row of line i
    fill = (in_row * widths).sum(axis=1) / (x1.max() - x0.min())
    return bool(np.median(widths) >= MIN_LINE_WIDTH * height and np.median(fill) >= MIN_ROW_FILL)


def _rows(boxes: Sequence[Box], chosen: list[int]) -> list[int]:
    """Rows from the top, each from the left. A slanted row is followed from neighbour to neighbour."""
    rows: list[list[int]] = []
    for index in chosen:
        near = [(distance, row) for row in rows[-8:] if (distance := _distance(boxes, row, index)) is not None]
        if near:
            row = min(near)[1]
            row.append(index)
            row.sort(key=lambda i: boxes[i].x0)
        else:
            rows.append([index])
    return [index for row in rows for index in row]


def _distance(boxes: Sequence[Box], row: list[int], index: int) -> float | None:
    """From the box to its nearest neighbour in the row; None when it does not stand in that row."""
    box = boxes[index]
    before = [boxes[i] for i in row if boxes[i].x0 <= box.x0][-1:]
    after = [boxes[i] for i in row if boxes[i].x0 > box.x0][:1]
    if not all(on_one_row(other, box) for other in before) or not all(on_one_row(box, other) for other in after):
        return None
    return min([box.x0 - other.x1 for other in before] + [other.x0 - box.x1 for other in after])
