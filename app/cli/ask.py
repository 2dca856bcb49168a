"""`ask`: questions about sources, answered on standard output."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from app.cli.comparing import ask_several
from app.cli.options import MODEL_HELP, READING, as_json, finite, not_blank, source_options, with_settings
from app.cli.output import after_answer, echo_json, influence_line, timing_line
from app.cli.progress import Progress
from app.cli.session import find_or_add, session
from app.cli.streaming import Draft
from app.comparing import check_models
from app.errors import BadRequest
from app.service import Longleaf
from app.settings import Settings
from ingest.options import PageRange, ReadOptions
from llm.answer import Answer, Answered, AskOptions, ReadingProgress, TextDelta
from llm.structured import Form

EXAMPLES = """\b
Examples:
  python app.py ask contract.pdf -q "Which law governs it?"
  python app.py ask contract.pdf -q "Who signs?" -q "When does it end?"   one reading, two answers
  python app.py ask manual.pdf --pages 3-7,12 -q "How is it installed?"
  python app.py ask src/ notes.md -q "Where is the retry limit set?"      code and documents together
  python app.py ask 03efbda01358 -q "Which law governs it?"               something in the library, by id
  python app.py ask contract.pdf -q "Who signs?" --json > answer.json
  python app.py ask contract.pdf -q "Who signs, and when?" --json-schema signing.json     an answer of that schema
  python app.py ask contract.pdf -q "Who signs?" --model leafmoe-135m --model smollm2-135m   side by side
"""
_DEFAULTS = AskOptions()


class SchemaFile(click.ParamType[Form]):
    """A file with a JSON Schema."""

    name = "schema"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        if isinstance(value, Form):
            return value
        try:
            return Form(schema=Path(value).read_text("utf-8"))
        except (OSError, ValueError) as error:
            self.fail(str(error), param, ctx)


@click.command(epilog=EXAMPLES)
@source_options
@click.option(
    "-q", "--question", "questions", required=True, multiple=True, callback=not_blank, metavar="TEXT",
    help="What you want to know; may be given several times. With --json: one object a line then.",
)  # fmt: skip
@as_json
@click.option("--exact", is_flag=True, help="Answer over every token at once, or refuse; never from passages alone.")
@click.option(
    "--top-k", type=click.IntRange(min=1), default=_DEFAULTS.top_k, show_default=True,
    help="Passages that an answer may rest on, best first; as many as fit are read closely.",
)  # fmt: skip
@click.option(
    "--max-new-tokens", type=click.IntRange(min=1), default=_DEFAULTS.max_new_tokens, show_default=True,
    help="Length limit of an answer.",
)  # fmt: skip
@click.option(
    "--temperature", type=click.FloatRange(min=0), default=_DEFAULTS.temperature, show_default=True, callback=finite,
    help="0 always takes the likeliest word.",
)  # fmt: skip
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True, help="Of the draw, above temperature 0.")
@click.option(
    "--influence",
    is_flag=True,
    help="Say which words of the passages around the citations weighed most in the answer (gradient x input).",
)
@click.option(
    "--json-schema", "form", type=SchemaFile(), metavar="FILE",
    help="Answer with JSON that fits this JSON Schema. Only its form is sure; what is in it is the model's.",
)  # fmt: skip
@click.option(
    "--model", "models", multiple=True, metavar="NAME",
    help=f"{MODEL_HELP} Given several times: all answer, one beside the other; an adapter belongs to the first.",
)  # fmt: skip
@with_settings("data_dir", *(name for name in READING if name != "model"), "tools")
def ask(
    settings: Settings,
    sources: tuple[str, ...],
    questions: tuple[str, ...],
    as_json: bool,
    pages: PageRange | None,
    password: str | None,
    exact: bool,
    top_k: int,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    influence: bool,
    form: Form | None,
    models: tuple[str, ...],
) -> None:
    """Ask questions of files, folders, archives, or documents of the library.

    A SOURCE is read once and kept in the library: the next question about it reads nothing again. Documents that are
    too long for one pass of the model's attention are answered from their best passages, until the verb read has read
    them whole. The answer comes with the places it rests on, each checked against the document, and with what was read
    and what was left out. An answer that the documents do not hold says so, and is no error.
    """
    options = AskOptions(
        max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, exact=exact, top_k=top_k, form=form
    )  # fmt: skip
    if influence and len(models) > 1:
        raise BadRequest(f"--influence weighs one answer, and {len(models)} models were named; name one")
    if models:
        settings = replace(settings, model=models[0])
    with session(settings) as (longleaf, progress):
        if len(models) > 1:
            check_models(longleaf, models)
        entries = find_or_add(longleaf, progress, sources, ReadOptions(password=password, pages=pages))
        ids = [entry.id for entry in entries]
        if len(models) > 1:
            ask_several(longleaf, progress, models, ids, questions, options, as_json=as_json)
            return
        for number, question in enumerate(questions):
            if as_json:
                answer = _answer(longleaf, progress, ids, question, options, is_shown=False)
                weighed = {"influence": _influence(longleaf, ids, answer)} if influence else {}
                echo_json({**answer.as_json(), **weighed}, one_line=len(questions) > 1)
                continue
            if len(questions) > 1:
                click.echo(("\n" if number else "") + f"> {question}")
            answer = _answer(longleaf, progress, ids, question, options, is_shown=True)
            for line in (answer.answer, "", *after_answer(answer)):
                click.echo(line)
            if influence:
                click.echo(influence_line(_influence(longleaf, ids, answer)))
            click.echo(timing_line(answer), err=True)


def _influence(longleaf: Longleaf, ids: list[str], answer: Answer) -> list[dict[str, Any]]:
    """Of the words around the citations, as JSON with their text; none where nothing is cited."""
    if not answer.citations:
        return []
    return [
        {**one.as_json(), "text": longleaf.document(one.document).pages[one.page_index].text[one.start : one.end]}
        for one in longleaf.influences(ids, answer)
    ]


def _answer(
    longleaf: Longleaf, progress: Progress, ids: list[str], question: str, options: AskOptions, *, is_shown: bool
) -> Answer:
    """Asks; where it `is_shown`, a person at a terminal sees the answer while it is written."""
    with Draft() as draft:
        for event in longleaf.ask(ids, question, options):
            if isinstance(event, ReadingProgress):
                progress.reading(event)
            elif isinstance(event, TextDelta):
                progress.pause()
                if is_shown:
                    draft.add(event.text)
            elif isinstance(event, Answered):
                progress.pause()
                return event.answer
    raise AssertionError("the engine ended without an answer, and nobody stopped it")
