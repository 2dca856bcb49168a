"""Delays that the skippers report, kept for one day."""

from dataclasses import dataclass, field
from datetime import date

MAX_DELAY_MINUTES = 45  # a crossing that is later than this is shown as cancelled


class UnknownCrossing(ValueError):
    """A skipper reported a delay for a number that is not in the timetable."""


@dataclass
class DelayBook:
    """Minutes of delay for each crossing number, today only."""

    numbers: frozenset[int]
    today: date
    minutes: dict[int, int] = field(default_factory=dict)

    def report(self, number: int, minutes: int) -> None:
        """Notes a delay. A report of zero minutes takes an earlier one back."""
        if number not in self.numbers:
            raise UnknownCrossing(f"crossing {number} is not in the timetable")
        if minutes < 0:
            raise ValueError(f"a delay of {minutes} minutes; it must be 0 or more")
        self.minutes[number] = minutes

    def status(self, number: int) -> str:
        """What the board shows: "on time", "12 min late" or "cancelled"."""
        late = self.minutes.get(number, 0)
        if late > MAX_DELAY_MINUTES:
            return "cancelled"
        return f"{late} min late" if late else "on time"

    def start_day(self, today: date) -> None:
        """Forgets yesterday's delays."""
        if today != self.today:
            self.today = today
            self.minutes.clear()
