"""`ask` with several models: their drafts side by side on a terminal, then every answer and what each took.

Models that failed are named on standard error; the exit code is 1 if some of them did, 2 if all did.
"""

from collections.abc import Sequence
from typing import Any

import click

from app.cli.output import after_answer, echo_json, timing_line
from app.cli.progress import Progress
from app.cli.streaming import Passing
from app.comparing import Failed, compare
from app.service import Longleaf
from llm.answer import Answer, Answered, AskOptions, ReadingProgress, TextDelta

_SOME_FAILED, _ALL_FAILED = 1, 2


def ask_several(
    longleaf: Longleaf,
    progress: Progress,
    models: Sequence[str],
    ids: Sequence[str],
    questions: Sequence[str],
    options: AskOptions,
    *,
    as_json: bool,
) -> None:
    """Puts each question to each model. Leaves with an exit code if a model failed."""
    answers: list[Answer | Failed] = []
    for question in questions:
        if not as_json and len(questions) > 1:
            click.echo(("\n" if answers else "") + f"> {question}")
        found = _ask(longleaf, progress, models, ids, question, options, is_shown=not as_json)
        _show(models, found, as_json=as_json)
        answers += found
    if failed := [answer for answer in answers if isinstance(answer, Failed)]:
        raise click.exceptions.Exit(_ALL_FAILED if len(failed) == len(answers) else _SOME_FAILED)


def _ask(
    longleaf: Longleaf,
    progress: Progress,
    models: Sequence[str],
    ids: Sequence[str],
    question: str,
    options: AskOptions,
    *,
    is_shown: bool,
) -> list[Answer | Failed]:
    """What became of each model, in the order given."""
    found: dict[int, Answer | Failed] = {}
    with Drafts(models) as drafts:
        for step in compare(longleaf, models, ids, question, options):
            if isinstance(step.event, ReadingProgress):
                progress.reading(step.event)
                continue
            progress.pause()
            if isinstance(step.event, Failed):
                found[step.number] = step.event
            elif isinstance(step.event, Answered):
                found[step.number] = step.event.answer
            elif isinstance(step.event, TextDelta) and is_shown:
                drafts.add(step.number, step.event.text)
    return [found[number] for number in range(len(models))]


def _show(models: Sequence[str], found: Sequence[Answer | Failed], *, as_json: bool) -> None:
    for model, answer in zip(models, found, strict=True):
        if isinstance(answer, Failed):
            click.echo(f"Error: {model} gave no answer: {answer.sentence}", err=True)
        elif as_json:
            echo_json(answer.as_json(), one_line=True)
        else:
            click.echo(f"[{model}]\n{answer.answer}\n")
            for line in after_answer(answer):
                click.echo(line)
            click.echo(f"{timing_line(answer)}\n")


class Drafts(Passing):
    """The ends of all drafts in columns."""

    def __init__(self, models: Sequence[str]) -> None:
        super().__init__()
        self._models = models
        self._texts = [""] * len(models)

    def add(self, number: int, piece: str) -> None:
        """The next piece of that model's draft."""
        self._texts[number] += piece
        self.draw(self._columns)

    def _columns(self, console: Any) -> Any:
        from rich.table import Table
        from rich.text import Text

        width = max(8, console.size.width // len(self._models) - 3)
        table = Table(expand=True)
        row = []
        for model, text in zip(self._models, self._texts, strict=True):
            table.add_column(Text(model), ratio=1, overflow="fold")
            row.append(Text("\n").join(Text(text).wrap(console, width)[-(console.size.height - 6) :]))
        table.add_row(*row)
        return table
