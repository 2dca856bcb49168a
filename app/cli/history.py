"""`history list|show|export|rename|delete|judge|feedback`: what was asked before, and what people thought of it."""

import sys
from pathlib import Path

import click

from app.cli.options import as_json, with_settings
from app.cli.output import after_answer, echo_json
from app.cli.session import session
from app.errors import BadRequest
from app.service import Conversation, Longleaf
from app.service.history import FORMS
from app.service.values import VERDICTS
from app.settings import Settings

EXAMPLES = """\b
Examples:
  python app.py history list
  python app.py history show 3f9a                       by id, or by the beginning of one
  python app.py history export 3f9a --form html --out talk.html
  python app.py history judge 17 wrong --note "It is May"
  python app.py history feedback --json                 every answer that was judged
"""


@click.group(epilog=EXAMPLES)
def history() -> None:
    """See, export and judge what was asked on the page."""


@history.command("list", epilog=EXAMPLES)
@as_json
@with_settings("data_dir")
def list_conversations(settings: Settings, as_json: bool) -> None:
    """List conversations, the one spoken in last first."""
    with session(settings) as (longleaf, _):
        conversations = longleaf.history.conversations()
    if as_json:
        echo_json({"conversations": [each.as_json() for each in conversations]})
        return
    for each in conversations:
        click.echo(f"{each.id[:12]}  {each.title}  ({each.num_answers} answers, last {each.last_at})")
    if not conversations:
        click.echo("Nothing was asked on the page yet.", err=True)


@history.command(epilog=EXAMPLES)
@click.argument("key", metavar="CONVERSATION")
@as_json
@with_settings("data_dir")
def show(settings: Settings, key: str, as_json: bool) -> None:
    """Show the questions and answers of a conversation."""
    with session(settings) as (longleaf, _):
        conversation = _find(longleaf, key)
        answers = longleaf.history.answers(conversation.id)
    if as_json:
        echo_json({**conversation.as_json(), "answers": [kept.as_json() for kept in answers]})
        return
    for kept in answers:
        judged = f" (judged {kept.verdict})" if kept.verdict else ""
        click.echo(f"> {kept.answer.question}  #{kept.number}{judged}\n{kept.answer.answer}")
        click.echo("\n".join(after_answer(kept.answer)) + "\n")


@history.command(epilog=EXAMPLES)
@click.argument("key", metavar="CONVERSATION")
@click.option("--form", type=click.Choice(tuple(FORMS)), default="md", show_default=True, help="Form of the file.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: standard output."
)
@with_settings("data_dir")
def export(settings: Settings, key: str, form: str, out: Path | None) -> None:
    """Export a conversation with its citations."""
    with session(settings) as (longleaf, _):
        text = longleaf.history.export(_find(longleaf, key).id, form)
    if out is None:
        click.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    click.echo(f"Written to {out}.", err=True)


@history.command(epilog=EXAMPLES)
@click.argument("key", metavar="CONVERSATION")
@click.argument("title")
@with_settings("data_dir")
def rename(settings: Settings, key: str, title: str) -> None:
    """Give a conversation another name; an empty one takes it back."""
    with session(settings) as (longleaf, _):
        longleaf.history.rename(_find(longleaf, key).id, title)


@history.command(epilog=EXAMPLES)
@click.argument("key", metavar="CONVERSATION")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@with_settings("data_dir")
def delete(settings: Settings, key: str, yes: bool) -> None:
    """Delete a conversation with its answers."""
    with session(settings) as (longleaf, progress):
        conversation = _find(longleaf, key)
        if not yes:
            if not sys.stdin.isatty():
                raise BadRequest("nothing was deleted, as there is no terminal to confirm it on; add --yes to delete")
            progress.pause()
            click.confirm(f"Delete {conversation.title!r} and its answers?", abort=True, err=True)
        num_answers = longleaf.history.delete(conversation.id)
    click.echo(f"Deleted {conversation.title!r}: {num_answers} answers.")


@history.command(epilog=EXAMPLES)
@click.argument("number", type=click.IntRange(min=1), metavar="ANSWER")
@click.argument("verdict", type=click.Choice(VERDICTS))
@click.option("--note", default="", metavar="TEXT", help="What is wrong with it.")
@with_settings("data_dir")
def judge(settings: Settings, number: int, verdict: str, note: str) -> None:
    """Say whether an answer is right; `history show` has its number."""
    with session(settings) as (longleaf, _):
        longleaf.history.judge(number, verdict, note)


@history.command(epilog=EXAMPLES)
@as_json
@with_settings("data_dir")
def feedback(settings: Settings, as_json: bool) -> None:
    """List every answer that somebody judged."""
    with session(settings) as (longleaf, _):
        judged = longleaf.history.judged()
    if as_json:
        echo_json({"feedback": [kept.as_json() for kept in judged]})
        return
    for kept in judged:
        note = f": {kept.note}" if kept.note else ""
        click.echo(f"#{kept.number} {kept.verdict}{note}\n> {kept.answer.question}\n{kept.answer.answer}\n")


def _find(longleaf: Longleaf, key: str) -> Conversation:
    """By id or the beginning of one. Raises BadRequest."""
    found = [each for each in longleaf.history.conversations() if each.id.startswith(key)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.id[:12] for each in found)
        raise BadRequest(f"{key!r} stands for {len(found)} conversations; name one: {ids}")
    raise BadRequest(f"there is no conversation {key!r}; `history list` shows them")
