"""`bench exact|needle|haystack|million|speed|quality|tables|pixels|experts`: docs/BENCHMARKS.md, repeated.

Tables go to standard output, in the form of that page; progress goes to standard error.
"""

import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from app.cli.options import MODEL, READING, as_json, with_settings
from app.cli.output import echo_json
from app.cli.progress import Progress
from app.settings import Settings

if TYPE_CHECKING:
    from app.bench.report import Report

EXAMPLES = """\b
Examples:
  python app.py bench exact --json
  python app.py bench needle --data ../shared/data --work-dir ~/bench
  python app.py bench needle --data ../shared/data --sizes 8k,32k --whole-sizes 4k --needles 5
  python app.py bench haystack --data ../shared/data --sizes 1k,8k --questions 50 --json > haystack.json
  python app.py bench million --data ../shared/data --work-dir ~/bench      hours on two cores, 14 GB on disk
"""
_UNITS = {"k": 2**10, "m": 2**20}

Verb = Callable[..., Any]


class Sizes(click.ParamType[tuple[int, ...]]):
    """Lengths in tokens: 8k,512k,1m. A k is 1,024, an m is 1,048,576."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(self._tokens(part.strip().lower(), param, ctx) for part in str(value).split(","))

    def shown(self, value: tuple[int, ...] | int) -> str:
        """As a person would write it."""
        lengths = value if isinstance(value, tuple) else (value,)
        return ",".join(f"{length // 1024}k" if length % 1024 == 0 else str(length) for length in lengths)

    def _tokens(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        unit = _UNITS.get(text[-1:], 1)
        digits = text[:-1] if unit > 1 else text
        if not digits.isdecimal() or int(digits) < 1:
            self.fail(f"{text!r} is no number of tokens; write 8192, 8k or 1m, several with commas.", param, ctx)
        return int(digits) * unit


class Size(Sizes):
    """One length in tokens."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, int):
            return value
        return self._tokens(str(value).strip().lower(), param, ctx)


def _data(verb: Verb) -> Verb:
    return click.option(
        "--data", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
        help="Holds qa/*.jsonl.gz, documents/essays/*.txt and documents/manuals/*.txt.",
    )(verb)  # fmt: skip


def _work_dir(verb: Verb) -> Verb:
    return click.option(
        "--work-dir", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
        help="Keeps what was read and found, so that a run that was stopped goes on. Default: a temporary folder.",
    )(verb)  # fmt: skip


_seed = click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")


@click.group(epilog=EXAMPLES)
def bench() -> None:
    """Repeat the measurements of docs/BENCHMARKS.md.

    Without --json, a Markdown section is written as it stands on that page.
    """


@bench.command(epilog=EXAMPLES)
@as_json
@with_settings()
def exact(settings: Settings, as_json: bool) -> None:
    """Compare logits and greedy tokens with transformers' own, for every family of models."""
    from app.bench.exact import run

    with Progress() as progress:
        found = run(settings.cache_dir, on_text=progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Visits to each side.")
@click.option("--sizes", type=Sizes(), default="2k,7k,32k", show_default=True, help="Lengths in tokens.")
@click.option("--quick", is_flag=True, help="One short length, once, to see it work.")
@as_json
@with_settings("threads")
def speed(settings: Settings, repeats: int, sizes: tuple[int, ...], quick: bool, as_json: bool) -> None:
    """Read, decode, save and restore beside transformers and llama.cpp, with the same weights."""
    from app.bench.speed import run
    from llm.backbone import count_free_cores

    with Progress() as progress:
        threads = settings.threads or count_free_cores()
        found = run(settings.cache_dir, threads, lengths=sizes, repeats=repeats, quick=quick, on_text=progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@click.option("--number", type=click.IntRange(min=1), default=200, show_default=True, help="Schemas.")
@_work_dir
@as_json
@with_settings(*MODEL)
def schemas(settings: Settings, number: int, work_dir: Path | None, as_json: bool) -> None:
    """Write JSON that must fit schemas of real interfaces."""
    from app.bench.schemas import run

    with Progress() as progress, _folder(work_dir) as folder:
        found = run(settings, number, folder, progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@_work_dir
@click.option(
    "--sizes", type=Sizes(), default="8k,32k,128k,512k,1m", show_default=True, help="Lengths in tokens, in order."
)
@click.option(
    "--whole-sizes", type=Sizes(), default="4k,7k", show_default=True,
    help="Lengths that the model reads whole, exactly, to compare with.",
)  # fmt: skip
@click.option("--needles", type=click.IntRange(min=1), default=10, show_default=True, help="Sentences a length.")
@_seed
@as_json
@with_settings(*READING)
def needle(
    settings: Settings,
    data: Path,
    work_dir: Path | None,
    sizes: tuple[int, ...],
    whole_sizes: tuple[int, ...],
    needles: int,
    seed: int,
    as_json: bool,
) -> None:
    """Find sentences that were hidden in essays, manuals and other real text."""
    from app.bench.corpus import check_data
    from app.bench.needle import NeedleBench
    from app.bench.subject import Subject

    check_data(data, texts=True)
    with Progress() as progress, _folder(work_dir) as folder:
        subject = Subject.load(settings, folder / "state", on_text=progress.text, on_reading=progress.reading)
        found = NeedleBench(subject, data, folder, number=needles, seed=seed).run(sizes, whole_sizes, progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@_work_dir
@click.option(
    "--sizes", type=Sizes(), default="1k,8k,64k,512k,1m", show_default=True,
    help="Lengths in tokens, in order; each should divide the next.",
)  # fmt: skip
@click.option("--questions", type=click.IntRange(min=1), default=300, show_default=True, help="Asked at every length.")
@_seed
@as_json
@with_settings(*READING)
def haystack(
    settings: Settings,
    data: Path,
    work_dir: Path | None,
    sizes: tuple[int, ...],
    questions: int,
    seed: int,
    as_json: bool,
) -> None:
    """Ask SQuADShifts questions while the document grows, beside plain retrieval-augmented generation."""
    from app.bench.corpus import check_data
    from app.bench.haystack import HaystackBench
    from app.bench.subject import Subject

    check_data(data)
    with Progress() as progress, _folder(work_dir) as folder:
        subject = Subject.load(settings, folder / "state", on_text=progress.text, on_reading=progress.reading)
        found = HaystackBench(subject, data, folder, questions=questions, seed=seed).run(sizes, progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@_work_dir
@click.option("--tokens", type=Size(), default="1m", show_default=True, help="Length of the document.")
@click.option(
    "--short", "short_tokens", type=Size(), default="32k", show_default=True,
    help="Length of the document that decoding is compared with.",
)  # fmt: skip
@click.option(
    "--segment",
    "segment_tokens",
    type=Size(),
    default="64k",
    show_default=True,
    help="Stretch that a rate is taken of.",
)
@as_json
@with_settings(*READING)
def million(
    settings: Settings,
    data: Path,
    work_dir: Path | None,
    tokens: int,
    short_tokens: int,
    segment_tokens: int,
    as_json: bool,
) -> None:
    """Read a million tokens of real text, then ask: rates, memory, disk, and the time to the first token."""
    from app.bench.corpus import check_data
    from app.bench.million import Options, run

    check_data(data, texts=True)
    with Progress() as progress, _folder(work_dir) as folder:
        options = Options(tokens, short_tokens, segment_tokens)
        found = run(settings, data, folder, options, progress.text, progress.reading)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@click.option("--questions", type=click.IntRange(min=1), default=20, show_default=True, help="Answered, of each set.")
@as_json
@with_settings(*MODEL)
def quality(settings: Settings, data: Path, questions: int, as_json: bool) -> None:
    """Ask the model alone, with the right context given, on every question set."""
    from app.bench.corpus import check_data
    from app.bench.quality import run
    from llm.training.sources import TEXT_SETS

    check_data(data, qa_sets=TEXT_SETS)
    _show(run(settings, data, questions), as_json)


@bench.command(epilog=EXAMPLES)
@_data
@_work_dir
@click.option("--pages", type=click.IntRange(min=1), default=30, show_default=True, help="Of each set of images.")
@_seed
@as_json
@with_settings(*MODEL)
def pixels(settings: Settings, data: Path, work_dir: Path | None, pages: int, seed: int, as_json: bool) -> None:
    """Ask about page images, fresh and degraded: patch tokens beside recognised and true text."""
    from app.bench.corpus import check_data
    from app.bench.pixels import PixelsBench
    from app.bench.subject import Subject

    check_data(data, scans=True)
    with Progress() as progress, _folder(work_dir) as folder:
        subject = Subject.load(settings, folder / "state", on_text=progress.text, on_reading=progress.reading)
        found = PixelsBench(subject, data, folder, pages=pages, seed=seed).run(progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@_work_dir
@click.option("--contracts", type=click.IntRange(min=0), default=40, show_default=True, help="How many; 0: none.")
@click.option("--receipts", type=click.IntRange(min=0), default=30, show_default=True, help="How many; 0: none.")
@as_json
@with_settings(*READING)
def fields(settings: Settings, data: Path, work_dir: Path | None, contracts: int, receipts: int, as_json: bool) -> None:
    """Extract four fields of contracts and of receipts, beside plain retrieval and regular expressions."""
    from app.bench.fields.run import FieldsBench
    from app.bench.fields.truth import tasks

    wanted = tasks(data, contracts, receipts)
    with Progress() as progress, _folder(work_dir) as folder:
        found = FieldsBench(settings, folder, progress.text).run(wanted)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@_work_dir
@click.option("--questions", type=click.IntRange(min=3), default=300, show_default=True, help="Of people.")
@_seed
@as_json
@with_settings(*READING)
def tables(settings: Settings, data: Path, work_dir: Path | None, questions: int, seed: int, as_json: bool) -> None:
    """Ask about tables: computed answers beside the model's own."""
    from app.bench.corpus import check_data
    from app.bench.subject import Subject
    from app.bench.tables import run
    from llm.tables.fit import SET

    check_data(data, qa_sets=(SET,))
    with Progress() as progress, _folder(work_dir) as folder:
        subject = Subject.load(settings, folder / "state", on_text=progress.text)
        found = run(subject, data, folder, questions=questions, seed=seed, on_text=progress.text)
    _show(found, as_json)


@bench.command(epilog=EXAMPLES)
@_data
@click.option("--windows", type=click.IntRange(min=2), default=20, show_default=True, help="Of 1,024 tokens, a kind.")
@click.option("--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw the routing as SVG here.")
@as_json
@with_settings("threads")
def experts(settings: Settings, data: Path, windows: int, figure: Path | None, as_json: bool) -> None:
    """Weigh the packaged model's experts: their cost, their harm to plain language, and whom they serve."""
    from app.bench.corpus import check_data
    from app.bench.experts import run
    from llm.training.sources import TEXT_SETS

    check_data(data, qa_sets=TEXT_SETS, texts=True, scans=True)
    with Progress() as progress:
        found = run(settings, data, windows, figure, progress.text)
    _show(found, as_json)


@contextmanager
def _folder(work_dir: Path | None) -> Iterator[Path]:
    """The person's folder, made if need be, or one that goes away afterwards."""
    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True)
        yield work_dir
        return
    with tempfile.TemporaryDirectory(prefix="longleaf-bench-") as folder:
        yield Path(folder)


def _show(report: "Report", as_json: bool) -> None:
    command = command_line(click.get_current_context())
    if as_json:
        echo_json(report.as_json(command))
    else:
        click.echo(report.as_markdown(command))


def command_line(context: click.Context) -> str:
    """The command that is running, with the options that were given."""
    words = [context.command_path]
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value = context.params[name]
            shown = parameter.type.shown(value) if isinstance(parameter.type, Sizes) else str(value)
            words.append(parameter.opts[-1] if value is True else f"{parameter.opts[-1]} {shlex.quote(shown)}")
    return " ".join(words)
