"""The timetable: which crossing leaves when, and on which days."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

SUNDAY = 6


@dataclass(frozen=True)
class Crossing:
    """One line of the timetable."""

    number: int
    departs: time
    pier: str
    vessel: str
    on_sundays: bool

    def runs_on(self, weekday: int) -> bool:
        return weekday != SUNDAY or self.on_sundays


def load_timetable(path: Path) -> list[Crossing]:
    """Reads the CSV file; crossings in order of departure."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [
            Crossing(
                number=int(row["number"]),
                departs=time.fromisoformat(row["departs"]),
                pier=row["pier"],
                vessel=row["vessel"],
                on_sundays=row["sundays"] == "yes",
            )
            for row in csv.DictReader(stream)
        ]
    return sorted(rows, key=lambda crossing: crossing.departs)


def next_departures(timetable: Iterable[Crossing], now: datetime, count: int = 4) -> list[tuple[datetime, Crossing]]:
    """The next crossings after `now`, today's first; looks at most one week ahead."""
    timetable = list(timetable)
    found: list[tuple[datetime, Crossing]] = []
    for days_ahead in range(8):
        day = (now + timedelta(days=days_ahead)).date()
        for crossing in timetable:
            departure = datetime.combine(day, crossing.departs)
            if departure > now and crossing.runs_on(day.weekday()):
                found.append((departure, crossing))
                if len(found) == count:
                    return found
    return found
