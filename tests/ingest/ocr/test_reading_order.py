"""Boxes of typical layouts, in the order a person reads them."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Box
from ingest.reading_order import in_reading_order


def box(x0: float, y0: float, x1: float) -> Box:
    return Box(x0, y0, x1, y0 + 10)


def test_a_receipt_is_read_along_its_rows() -> None:
    boxes = [box(300, 21, 330), box(10, 20, 90), box(10, 40, 80), box(300, 38, 330), box(10, 0, 150)]
    assert in_reading_order(boxes) == [4, 1, 0, 2, 3]


def test_columns_of_prose_are_read_down_below_their_heading() -> None:
    heading = [box(10, 0, 410)]
    left = [box(10, 20 + 12 * row, 200) for row in range(6)]
    right = [box(220, 23 + 12 * row, 410) for row in range(6)]
    mixed = heading + [one for pair in zip(right, left, strict=True) for one in pair]
    assert [mixed[index] for index in in_reading_order(mixed)] == heading + left + right


def test_three_columns() -> None:
    columns = [[box(x, 12 * row, x + 120) for row in range(5)] for x in (0, 140, 280)]
    mixed = [column[row] for row in range(5) for column in columns]
    assert [mixed[index] for index in in_reading_order(mixed)] == [one for column in columns for one in column]


def test_a_table_below_columns_keeps_its_rows() -> None:
    left = [box(0, 12 * row, 190) for row in range(4)]
    right = [box(210, 12 * row, 400) for row in range(4)]
    between = [box(0, 60, 400)]
    table = [box(x, 80 + 12 * row, x + 30) for row in range(4) for x in (0, 210)]
    mixed = [*table, *right, *between, *left]
    assert [mixed[index] for index in in_reading_order(mixed)] == left + right + between + table


def test_a_slanted_row_is_followed() -> None:
    row = [box(100 * i, 4 * i, 100 * i + 80) for i in range(6)]  # falls by 20 over its length, twice its height
    below = [box(100 * i, 15 + 4 * i, 100 * i + 80) for i in range(6)]
    mixed = below + row
    assert [mixed[index] for index in in_reading_order(mixed)] == row + below


edges = st.integers(0, 500)


@given(
    st.lists(
        st.builds(
            lambda x, y, w, h: Box(x, y, x + w, y + h), edges, edges, st.integers(1, 400), edges.map(lambda h: h + 1)
        ),
        max_size=40,
    )
)
def test_every_box_is_read_once(boxes: list[Box]) -> None:
    assert sorted(in_reading_order(boxes)) == list(range(len(boxes)))
