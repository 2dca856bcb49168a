"""Run with `python -m pytest` from the root of the project."""

from datetime import date, datetime
from pathlib import Path

import pytest
from ferryboard.delays import DelayBook, UnknownCrossing
from ferryboard.server import board
from ferryboard.timetable import load_timetable, next_departures

TIMETABLE = load_timetable(Path(__file__).parent.parent / "data" / "crossings.csv")
SATURDAY_EVENING = datetime(2025, 6, 14, 18, 0)


@pytest.fixture
def delays() -> DelayBook:
    return DelayBook(frozenset(crossing.number for crossing in TIMETABLE), date(2025, 6, 14))


def test_sunday_leaves_out_the_weekday_crossings() -> None:
    numbers = [crossing.number for _, crossing in next_departures(TIMETABLE, SATURDAY_EVENING)]
    assert numbers == [7, 8, 3, 4]


def test_a_late_crossing_says_so(delays: DelayBook) -> None:
    delays.report(7, 12)
    rows = board(TIMETABLE, delays, SATURDAY_EVENING)
    assert [row["status"] for row in rows[:2]] == ["12 min late", "on time"]


def test_a_very_late_crossing_is_cancelled(delays: DelayBook) -> None:
    delays.report(8, 46)
    assert delays.status(8) == "cancelled"


def test_an_unknown_crossing_is_refused(delays: DelayBook) -> None:
    with pytest.raises(UnknownCrossing, match="crossing 99"):
        delays.report(99, 5)
