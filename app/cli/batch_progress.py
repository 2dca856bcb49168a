"""How far a batch is, on standard error: a bar on a terminal, elsewhere a line now and then; failures at once."""

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from app.cli.output import size
from app.cli.progress import LINE_EVERY_S, duration
from app.pace import pace
from llm.answer import ReadingProgress

if TYPE_CHECKING:
    from app.batch import Batch, Counts, Estimate, Row, Source

SHOWN = 10  # names of documents that do not fit, or cannot be read
SHOWN_AT_WORK = 3  # documents that are being read


class BatchProgress:
    """One display for one run; `quiet` leaves the failures."""

    def __init__(self, batch: "Batch", *, quiet: bool) -> None:
        self._quiet = quiet
        missing = batch.missing()
        self._left = {source.name: len(questions) for source, questions in missing.items()}  # rows, by document
        self._documents = len(missing)
        self._total = sum(self._left.values())
        self._done = self._failed = self._tokens = 0
        self._counted: set[str] = set()  # documents whose tokens were added, of those that have rows left
        self._at_work: dict[str, str] = {}  # how far a document is read, by its name; the latest last
        self._last_failure = ("", "")
        self._began = self._last_line = time.monotonic()
        self._bar: Any = None  # rich.progress.Progress
        self._task: Any = None

    def __enter__(self) -> "BatchProgress":
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(), TextColumn("{task.fields[figures]}", markup=False))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("rows", total=self._total, figures=self._figures())
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def row(self, row: "Row") -> None:
        """One more row is on the disk."""
        name = row["source"]
        self._done += 1
        self._at_work.pop(name, None)
        if name not in self._counted:
            self._counted.add(name)
            self._tokens += row["coverage"]["tokens_total"]
        self._left[name] -= 1
        if not self._left[name]:
            del self._left[name]
            self._counted.discard(name)
        if row["status"] == "failed":
            self._failed += 1
            if (name, row["error"]) != self._last_failure:  # a file that cannot be read fails with every question
                self._say(f"Failed: {row['error']}")
            self._last_failure = (name, row["error"])
        self._show()

    def reading(self, source: "Source", progress: ReadingProgress) -> None:
        """A document at work, while it is read; with several workers there are several."""
        self._at_work.pop(source.name, None)
        if progress.done < progress.total:
            self._at_work[source.name] = f"; {source.name}: {progress.done:,} of {progress.total:,} {progress.unit}"
        self._show()

    def _show(self) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, figures=self._figures())
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._say(self._figures())

    def _figures(self) -> str:
        elapsed_s = time.monotonic() - self._began
        _, eta_s = pace(self._done, self._total, elapsed_s)
        documents_done = self._documents - len(self._left)
        at_work = "".join(list(self._at_work.values())[-SHOWN_AT_WORK:])
        left = f", {duration(eta_s)} left" if eta_s is not None else ""
        rate = f", {self._tokens / elapsed_s:,.0f} tokens a second" if self._tokens else ""
        return (
            f"{documents_done:,} of {self._documents:,} documents, {self._done:,} of {self._total:,} rows"
            f"{rate}{left}, {self._failed:,} failed{at_work}"
        )

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)


def estimate_lines(found: "Estimate", counts: "Counts", context_tokens: int) -> Iterator[str]:
    """What `--dry-run` says."""
    yield (
        f"{len(found.documents):,} documents with {found.pages:,} pages and {found.tokens:,} tokens; "
        f"{found.rows:,} rows to make, {counts.total - counts.missing:,} are there."
    )
    if found.unreadable:
        yield f"{len(found.unreadable):,} cannot be read, and their rows will fail:"
        yield from _some([f"  {why}" for _, why in found.unreadable])
    if found.beyond:
        yield (
            f"{len(found.beyond):,} do not fit the model's {context_tokens:,} tokens; they are answered from their "
            "best passages, and their rows are partial, unless --whole is given:"
        )
        yield from _some([f"  {one.source.name}: {one.tokens:,} tokens" for one in found.beyond])
    if found.rates:
        measured = ", ".join(rate.name for rate in found.rates)
        yield f"About {duration(found.time_s)} from here, as measured on {measured}."
        short = "; make room, or set a limit (LONGLEAF_KV_DISK_GB)" if found.disk_bytes > found.free_bytes else ""
        yield f"{size(found.disk_bytes)} on disk for what is read, where {size(found.free_bytes)} are free{short}."


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"  … and {len(lines) - SHOWN:,} more"
