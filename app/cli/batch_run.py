"""One run of the verb `batch`: its rows, the tables made of them, what it would take, and watching for more."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.batch_progress import BatchProgress, estimate_lines
from app.cli.progress import Progress
from app.cli.session import problem_line
from app.errors import BadRequest
from app.service import Longleaf
from ingest.options import Limits

if TYPE_CHECKING:
    from app.batch import Batch, BatchOptions, Counts, Question, RowJournal
    from app.batch.cluster import Crew


@dataclass(frozen=True, slots=True)
class Tables:
    """Which files are made of the rows."""

    out: Path
    csv: Path | None
    xlsx: Path | None
    parquet: Path | None
    is_wide: bool  # a line for each document instead of one for each row

    def named(self) -> list[Path]:
        """Those that a person named."""
        return [path for path in (self.out, self.csv, self.xlsx, self.parquet) if path is not None]

    def own(self) -> list[Path]:
        """Every file that this batch writes; where they lie in a folder that is asked about, they are no documents."""
        beside = [self.out.with_suffix(".failures.csv"), self.out.with_suffix(".reduced.json")]
        return [
            *self.named(), *beside, *(path.with_name(path.name + ".writing") for path in [*self.named(), *beside])
        ]  # fmt: skip

    def write(self, made: "Batch") -> None:
        from app.batch.table import COLUMNS, flat, wide, write_csv, write_failures, write_parquet, write_xlsx

        write_failures(self.out, made.rows())
        for path, write in ((self.csv, write_csv), (self.xlsx, write_xlsx), (self.parquet, write_parquet)):
            if path is not None:
                columns, lines = wide(made.rows()) if self.is_wide else (COLUMNS, map(flat, made.rows()))
                write(path, lines, columns)


@dataclass(frozen=True, slots=True)
class Run:
    """What one command works with. `crew`: the workers on Ray; None: this process answers."""

    longleaf: Longleaf
    progress: Progress
    journal: "RowJournal"
    crew: "Crew | None"
    words: Sequence[str]  # what names the sources
    asked: "Sequence[Question]"
    options: "BatchOptions"
    tables: Tables
    quiet: bool

    def plan(self) -> "Batch":
        """What is to be made of what is there now. Raises BadRequest, SourceNotFound, ModelNotFound."""
        from app.batch import Batch, find_sources

        found = find_sources(
            self.words, stdin=sys.stdin, find_entry=self.longleaf.entry, limits=Limits(), own=self.tables.own(),
            on_problem=lambda problem: None if self.quiet else self.progress.text(problem_line(problem)),
        )  # fmt: skip
        kept = next((source.name for source in found if source.entry_id is not None), None)
        if self.crew is not None and kept is not None:
            raise BadRequest(f"{kept} is in the library here, which Ray's workers do not see; give its file")
        model = self.crew.model() if self.crew is not None else None
        return Batch(self.longleaf, found, self.asked, self.journal, self.options, model)

    def make(self, made: "Batch", *, retry_failed: bool = False) -> None:
        """The rows that are missing. Also after a stop, the tables hold what there is."""
        made.drop_stale(retry_failed=retry_failed)
        try:
            with BatchProgress(made, quiet=self.quiet) as progress:
                if self.crew is None:
                    made.run(progress.row, progress.reading)
                else:
                    self.crew.run(made, progress.row, progress.reading)
        finally:
            self.tables.write(made)

    def watch(self, made: "Batch") -> "Batch":
        """Goes on with what appears or changes, until a person stops it; the last plan."""
        from app.batch.watching import sight, wait_for_change

        known = sight(self.words, self.tables.own())
        try:
            while True:
                if not self.quiet:
                    click.echo(f"{last_line(made.counts(), self.tables.out)} Watching; Ctrl-C ends it.", err=True)
                known = wait_for_change(self.words, self.tables.own(), known)
                made = self.plan()
                self.make(made)
        except KeyboardInterrupt:
            return made

    def show_estimate(self, made: "Batch") -> None:
        from app.batch import estimate

        found = estimate(self.longleaf, made, lambda done, total: self.progress.show("Parsing", done, total, "files"))
        self.progress.pause()
        for line in estimate_lines(found, made.counts(), self.longleaf.engine().context_tokens):
            click.echo(line)

    def reduce(self, made: "Batch", questions: Sequence[str]) -> None:
        """Answers over all rows: shown, and as JSON beside them."""
        if not questions:
            return
        from app.batch.reducing import reduce_rows

        found = [reduce_rows(self.longleaf, made.rows(), question, made.options.ask) for question in questions]
        text = json.dumps([each.as_json() for each in found], ensure_ascii=False, indent=2)
        self.tables.out.with_suffix(".reduced.json").write_text(text + "\n", encoding="utf-8", errors="replace")
        for each in found:
            click.echo(f"> {each.question}\n{each.answer}\n")


def last_line(counts: "Counts", out: Path) -> str:
    failures = f"; see {out.with_suffix('.failures.csv')}" if counts.failed else ""
    return (
        f"{counts.total:,} rows in {out}: {counts.ok:,} ok, {counts.partial:,} partial, {counts.failed:,} "
        f"failed{failures}."
    )
