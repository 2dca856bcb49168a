"""`batch`: many questions of many documents, one row each, in a file that a second run completes."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.batch_run import Run, Tables, last_line
from app.cli.options import READING, Verb, not_blank, source_options, with_settings
from app.cli.session import session
from app.errors import BadRequest
from app.settings import Settings
from ingest.options import PageRange, ReadOptions
from llm.answer import AskOptions

if TYPE_CHECKING:
    from app.batch import BatchOptions, Counts, Question
    from app.batch.cluster import Crew

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


def _table_options(verb: Verb) -> Verb:
    """--out, --csv, --xlsx and --parquet, which the verb gets as one `tables`."""

    @functools.wraps(verb)
    def call(*, out: Path, csv: Path | None, xlsx: Path | None, parquet: Path | None, **values: Any) -> Any:
        return verb(tables=Tables(out, csv, xlsx, parquet, is_wide=values["schema"] is not None), **values)

    decorated: Verb = call
    for name, about in (("parquet", "The same as Parquet."), ("xlsx", "The same for Excel.")):
        decorated = click.option(f"--{name}", type=_FILE, metavar="FILE", help=about)(decorated)
    decorated = click.option("--csv", type=_FILE, metavar="FILE", help="The rows as a table, too, at the end.")(
        decorated
    )
    return click.option(
        "--out", required=True, type=_FILE, metavar="FILE.jsonl", help="The rows, one JSON object a line."
    )(decorated)


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
@_table_options
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True,
    help="Files parsed at the same time, ahead of answering. With --ray: models that answer at the same time.",
)  # fmt: skip
@click.option(
    "--ray", metavar="ADDRESS",
    help="Answer on a Ray cluster, with --workers models; auto: the one on this machine, started if there is none.",
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
    tables: Tables,
    workers: int,
    ray: str | None,
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
    where nothing was found) and "confidence" too. Tables then have one line for each document (docs/BATCH.md).

    Exit code 0: no row failed; 1: some failed; 2: nothing could be done.
    """
    from app.batch import BatchOptions, RowJournal

    _check(tables, sources, watch)
    read = ReadOptions(password=password, pages=pages)
    options = BatchOptions(AskOptions(max_new_tokens=max_new_tokens), read, whole, timeout_s, workers)
    asked = _asked(questions_file, questions, schema)
    with (
        session(settings) as (longleaf, progress), RowJournal(tables.out, settings.data_dir) as journal,
        _crew(None if dry_run else ray, settings, options) as crew,
    ):  # fmt: skip
        run = Run(longleaf, progress, journal, crew, sources, asked, options, tables, quiet)
        made = run.plan()
        if not watch:
            made.check(sources)
        if dry_run:
            run.show_estimate(made)
            return
        run.make(made, retry_failed=retry_failed)
        made = run.watch(made) if watch else made
        run.reduce(made, reduce)
    click.echo(last_line(made.counts(), tables.out))
    click.get_current_context().exit(_exit_code(made.counts()))


@contextmanager
def _crew(address: str | None, settings: Settings, options: "BatchOptions") -> "Iterator[Crew | None]":
    """The workers on Ray, where an address was given. Raises BadRequest."""
    if address is None:
        yield None
        return
    from app.batch.cluster import Crew

    with Crew(address, settings, options) as crew:
        yield crew


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


def _check(tables: Tables, sources: tuple[str, ...], watch: bool) -> None:
    """Raises BadRequest before hours of work end in nothing."""
    if watch and "-" in sources:
        raise BadRequest("standard input ends, so --watch cannot go on with it; name a folder, a glob or @FILE")
    for path in tables.named():
        if not path.absolute().parent.is_dir():
            raise BadRequest(f"the folder of {path} does not exist; make it, or name another file")


def _exit_code(counts: "Counts") -> int:
    if not counts.failed:
        return 0
    return SOME_FAILED if counts.ok or counts.partial else ALL_FAILED
