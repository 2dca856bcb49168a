"""Progress on standard error: a bar on a terminal, now and then a line elsewhere. Standard output is never touched."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from app.pace import pace
from llm.answer import ReadingProgress

if TYPE_CHECKING:
    from ingest import SourceProgress

QUIET_S = 2.0  # what takes less shows nothing
LINE_EVERY_S = 10.0  # where there is no terminal


class Progress:
    """One display for everything that a verb does, one thing at a time."""

    def __init__(self) -> None:
        self._bar: Any = None  # rich.progress.Progress, from the first time that something takes long
        self._task: Any = None
        self._label = ""
        self._began = self._last_line = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def text(self, line: str) -> None:
        """A line of its own, above the bar."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)

    def source(self, progress: "SourceProgress") -> None:
        """Parsing: pages of one file, or files of a folder."""
        if progress.files_total > 1:
            self.show(f"Opening {progress.name}", progress.files_done, progress.files_total, "files")
        else:
            self.show(f"Opening {progress.name}", progress.pages_done, progress.pages_total, "pages")

    def reading(self, progress: ReadingProgress) -> None:
        label = "Indexing" if progress.stage == "index" else "Reading"
        self.show(label, progress.done, progress.total, progress.unit, progress.rate_per_s, progress.eta_s)

    def pause(self) -> None:
        """Takes the bar away; the next progress brings it back."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None
        self._label = ""

    def show(
        self, label: str, done: int, total: int, unit: str, rate_per_s: float | None = None, eta_s: float | None = None
    ) -> None:
        """One thing and how far it is; the first word of `label` names the stage, which has its own clock."""
        stage = label.split(maxsplit=1)[0]
        if stage != self._label:
            self._label, self._began, self._last_line = stage, time.monotonic(), 0.0
        elapsed_s = time.monotonic() - self._began
        if elapsed_s < QUIET_S or not total:
            return
        if rate_per_s is None:
            rate_per_s, eta_s = pace(done, total, elapsed_s)
        rate = f", {rate_per_s:,.{0 if rate_per_s >= 10 else 1}f} a second" if rate_per_s else ""
        left = f", {duration(eta_s)} left" if eta_s is not None else ""
        figures = f"{done:,} of {total:,} {unit}{rate}{left}"
        if sys.stderr.isatty():
            self._move_bar(label, done, total, figures)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            click.echo(f"{label}: {figures}", err=True)

    def _move_bar(self, label: str, done: int, total: int, figures: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as RichProgress

            columns = (
                TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[figures]}")
            )  # fmt: skip
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(label, total=total, figures=figures)
            self._bar.start()
        self._bar.update(self._task, description=label, completed=done, total=total, figures=figures)


def duration(seconds: float) -> str:
    """ "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
