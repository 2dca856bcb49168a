"""`batch`: many questions of many documents, one row each, in a file that a second run completes."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.batch_progress import BatchProgress, estimate_lines
from app.cli.options import READING, not_blank, source_options, with_settings
from app.cli.progress import Progress
from app.cli.session import problem_line, session
from app.errors import BadRequest
from app.service import Longleaf
from app.settings import Settings
from ingest.options import Limits, PageRange, ReadOptions
from llm.answer import AskOptions

if TYPE_CHECKING:
    from app.batch import Batch, Counts, Question, Source

EXAMPLES = """\b
Examples:
  python app.py batch contracts/ -q "Which law governs it?" --out law.jsonl --csv law.csv
  python app.py batch contracts/ --questions questions.jsonl --out rows.jsonl     run it again to go on
  python app.py batch "inbox/**/*.pdf" --question "Who signs?" --out rows.jsonl
  python app.py batch contracts/ --schema "law, signed date, term: duration?" --out rows.jsonl --csv table.csv
  find . -name "*.pdf" | python app.py batch - --questions questions.txt --out rows.jsonl
  python app.py batch @list.txt --questions questions.txt --out rows.jsonl --retry-failed
"""
_DEFAULTS = AskOptions()
SOME_FAILED, ALL_FAILED = 1, 2
_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class _Tables:
    """Which files are made of the rows."""

    out: Path
    csv: Path | None
    xlsx: Path | None
    is_wide: bool  # a line for each document instead of one for each row

    def own(self) -> list[Path]:
        """Every file that this batch writes; where they lie in a folder that is asked about, they are no documents."""
        named = [path for path in (self.out, self.csv, self.xlsx) if path is not None]
        beside = [self.out.with_suffix(".failures.csv"), self.out.with_suffix(".reduced.json")]
        return [*named, *beside, *(path.with_name(path.name + ".writing") for path in [*named, *beside])]


@click.command(epilog=EXAMPLES)
@source_options
@click.option(
    "--questions", "questions_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help='One question a line, or one JSON object a line: {"id", "question", "source": glob (optional)}.',
)  # fmt: skip
@click.option(
    "-q", "--question", "questions", multiple=True, callback=not_blank, metavar="TEXT",
    help="Asked of every document; may be given several times.",
)  # fmt: skip
@click.option(
    "--schema", metavar="SCHEMA",
    help="Fields to extract: a file with JSON Schema, or fields as: party, signed date, term?, amounts: number[]",
)  # fmt: skip
@click.option("--out", required=True, type=_FILE, metavar="FILE.jsonl", help="The rows, one JSON object a line.")
@click.option("--csv", "csv_file", type=_FILE, metavar="FILE", help="The rows as a table, too, at the end.")
@click.option("--xlsx", "xlsx_file", type=_FILE, metavar="FILE", help="The same for Excel.")
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True,
    help="Files parsed at the same time, ahead of answering.",
)  # fmt: skip
@click.option(
    "--timeout-s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="For parsing one file, and for reading and answering one row. Default: half an hour to parse, no limit else.",
)  # fmt: skip
@click.option("--whole", is_flag=True, help="Read documents beyond the model's context whole before asking; slow.")
@click.option("--dry-run", is_flag=True, help="Parse the files and say what the rest would take; answer nothing.")
@click.option(
    "--reduce", multiple=True, callback=not_blank, metavar="QUESTION",
    help="Answered over all rows at the end: which documents lack something, which have an answer that you name.",
)  # fmt: skip
@click.option("--watch", is_flag=True, help="Go on with files that appear or change, until you stop it with Ctrl-C.")
@click.option("--retry-failed", is_flag=True, help="Make the rows again that failed in an earlier run.")
@click.option("--quiet", is_flag=True, help="Say nothing but what failed, and the last line.")
@click.option(
    "--max-new-tokens", type=click.IntRange(min=1), default=_DEFAULTS.max_new_tokens, show_default=True,
    help="Length limit of an answer.",
)  # fmt: skip
@with_settings("data_dir", *READING)
def batch(
    settings: Settings,
    sources: tuple[str, ...],
    pages: PageRange | None,
    password: str | None,
    questions_file: Path | None,
    questions: tuple[str, ...],
    schema: str | None,
    out: Path,
    csv_file: Path | None,
    xlsx_file: Path | None,
    workers: int,
    timeout_s: float | None,
    whole: bool,
    dry_run: bool,
    reduce: tuple[str, ...],
    watch: bool,
    retry_failed: bool,
    quiet: bool,
    max_new_tokens: int,
) -> None:
    """Ask the same questions of many documents, and write one row for each document and question.

    A SOURCE is a file, a folder (each of its files is a document), a quoted glob, a document of the library, - for a
    list of paths on standard input, or @FILE for one in a file. A row is the object of `ask --json` with "id",
    "source", "document", "question_id", "status" (ok, partial, failed) and "error". Rows are synced to the disk one by
    one; run the same command again after a stop or a kill, with more questions or changed files, and only what is
    missing is done. Failed rows are listed beside the rows, in FILE.failures.csv.

    With --schema, each field is a question (its description, if that is one), and its row has "field", "value" (null
    where nothing was found) and "confidence" too; dates are ISO 8601, and choices, dates, durations and numbers can be
    answered with nothing else. Tables then have one line for each document.

    Exit code 0: no row failed; 1: some failed; 2: nothing could be done.
    """
    from app.batch import Batch, BatchOptions, RowJournal

    asked = _asked(questions_file, questions, schema)
    read = ReadOptions(password=password, pages=pages)
    tables = _Tables(out, csv_file, xlsx_file, is_wide=schema is not None)
    _check(tables, sources, watch)
    options = BatchOptions(AskOptions(max_new_tokens=max_new_tokens), read, whole, timeout_s, workers)
    with session(settings) as (longleaf, progress), RowJournal(out, settings.data_dir) as journal:

        def plan() -> Batch:
            return Batch(longleaf, _found(longleaf, progress, sources, tables, quiet), asked, journal, options)

        made = plan()
        if not watch:
            made.check(sources)
        if dry_run:
            _show_estimate(longleaf, made, progress)
            return
        made.drop_stale(retry_failed=retry_failed)
        _run(made, tables, quiet)
        if watch:
            made = _watch(made, plan, sources, tables, quiet)
        _reduce(longleaf, made, reduce, out)
    click.echo(_last_line(made.counts(), out))
    click.get_current_context().exit(_exit_code(made.counts()))


def _found(
    longleaf: Longleaf, progress: Progress, words: tuple[str, ...], tables: _Tables, quiet: bool
) -> "list[Source]":
    from app.batch import find_sources

    return find_sources(
        words, stdin=sys.stdin, find_entry=longleaf.entry, limits=Limits(), own=tables.own(),
        on_problem=lambda problem: None if quiet else progress.text(problem_line(problem)),
    )  # fmt: skip


def _show_estimate(longleaf: Longleaf, made: "Batch", progress: Progress) -> None:
    from app.batch import estimate

    found = estimate(longleaf, made, lambda done, total: progress.show("Parsing", done, total, "files"))
    progress.pause()
    for line in estimate_lines(found, made.counts(), longleaf.engine().context_tokens):
        click.echo(line)


def _asked(file: Path | None, texts: tuple[str, ...], schema: str | None) -> "list[Question]":
    """Raises BadRequest."""
    from app.batch.questions import Question, load_questions, unique
    from app.extraction import load_schema

    asked = load_questions(file) if file is not None else []
    asked += map(Question.for_field, load_schema(schema) if schema is not None else ())
    asked = unique([*asked, *(Question.of(text.strip()) for text in texts)], "the command line")
    if not asked:
        raise BadRequest("no question was given; add --question TEXT, --questions FILE or --schema SCHEMA")
    return asked


def _check(tables: _Tables, sources: tuple[str, ...], watch: bool) -> None:
    """Raises BadRequest before hours of work end in nothing."""
    if watch and "-" in sources:
        raise BadRequest("standard input ends, so --watch cannot go on with it; name a folder, a glob or @FILE")
    for path in (tables.out, tables.csv, tables.xlsx):
        if path is not None and not path.absolute().parent.is_dir():
            raise BadRequest(f"the folder of {path} does not exist; make it, or name another file")


def _run(made: "Batch", tables: _Tables, quiet: bool) -> None:
    """Also after a stop, the tables hold what there is."""
    try:
        with BatchProgress(made, quiet=quiet) as progress:
            made.run(progress.row, progress.reading)
    finally:
        _write_tables(made, tables)


def _watch(
    made: "Batch", plan: Callable[[], "Batch"], sources: tuple[str, ...], tables: _Tables, quiet: bool
) -> "Batch":
    """Goes on with what appears or changes, until a person stops it; the last plan."""
    from app.batch.watching import sight, wait_for_change

    known = sight(sources, tables.own())
    try:
        while True:
            if not quiet:
                click.echo(f"{_last_line(made.counts(), tables.out)} Watching; Ctrl-C ends it.", err=True)
            known = wait_for_change(sources, tables.own(), known)
            made = plan()
            made.drop_stale(retry_failed=False)
            _run(made, tables, quiet)
    except KeyboardInterrupt:
        return made


def _reduce(longleaf: Longleaf, made: "Batch", questions: tuple[str, ...], out: Path) -> None:
    """Answers over all rows: shown, and as JSON beside them."""
    if not questions:
        return
    from app.batch.reducing import reduce_rows

    found = [reduce_rows(longleaf, list(made.rows()), question, made.options.ask) for question in questions]
    text = json.dumps([each.as_json() for each in found], ensure_ascii=False, indent=2)
    out.with_suffix(".reduced.json").write_text(text + "\n", encoding="utf-8", errors="replace")
    for each in found:
        click.echo(f"> {each.question}\n{each.answer}\n")


def _write_tables(made: "Batch", tables: _Tables) -> None:
    from app.batch.table import COLUMNS, flat, wide, write_csv, write_failures, write_xlsx

    write_failures(tables.out, made.rows())
    columns, lines = wide(made.rows()) if tables.is_wide else (COLUMNS, [flat(row) for row in made.rows()])
    if tables.csv is not None:
        write_csv(tables.csv, lines, columns)
    if tables.xlsx is not None:
        write_xlsx(tables.xlsx, lines, columns)


def _last_line(counts: "Counts", out: Path) -> str:
    failures = f"; see {out.with_suffix('.failures.csv')}" if counts.failed else ""
    return (
        f"{counts.total:,} rows in {out}: {counts.ok:,} ok, {counts.partial:,} partial, {counts.failed:,} "
        f"failed{failures}."
    )


def _exit_code(counts: "Counts") -> int:
    if not counts.failed:
        return 0
    return SOME_FAILED if counts.ok or counts.partial else ALL_FAILED
