"""`library list|show|find|tag|delete`: what was read, found again, and away with it."""

import sys
from dataclasses import asdict

import click

from app.cli.options import READING, as_json, with_settings
from app.cli.output import citation_line, echo_json, entry_line, seen_line, size
from app.cli.session import problem_line, session
from app.errors import BadRequest
from app.service import Entry, Receipt
from app.settings import Settings

EXAMPLES = """\b
Examples:
  python app.py library list
  python app.py library show contract.pdf      by name, by id, or by the beginning of an id
  python app.py library find "notice period"   the passages that fit best, of all documents
  python app.py library tag contract.pdf legal 2026
  python app.py library delete 03efbda01358 --yes
"""


@click.group(epilog=EXAMPLES)
def library() -> None:
    """See what the library holds, and delete from it."""


@library.command("list", epilog=EXAMPLES)
@as_json
@with_settings("data_dir", "model")
def list_entries(settings: Settings, as_json: bool) -> None:
    """List every document, oldest first, and whether the model has read it."""
    with session(settings) as (longleaf, _):
        entries = longleaf.entries()
    if as_json:
        echo_json({"documents": [entry.as_json() for entry in entries]})
        return
    for entry in entries:
        click.echo(entry_line(entry))
    if not entries:
        click.echo(
            f"The library in {settings.data_dir} is empty; add something with: python app.py read FILE", err=True
        )


@library.command(epilog=EXAMPLES)
@click.argument("key", metavar="DOCUMENT")
@as_json
@with_settings("data_dir", "model")
def show(settings: Settings, key: str, as_json: bool) -> None:
    """Show one document: its files, its problems, and what was asked of it alone."""
    with session(settings) as (longleaf, _):
        entry = longleaf.entry(key)
        leaves = list(longleaf.document(entry.id).leaves())
        answers = longleaf.answers([entry.id])
    if as_json:
        files = [{"id": leaf.id, "name": leaf.name, "kind": leaf.kind, "pages": len(leaf.pages)} for leaf in leaves]
        echo_json({**entry.as_json(), "files": files, "answers": [answer.as_json() for answer in answers]})
        return
    click.echo(entry_line(entry))
    click.echo(f"id {entry.id}, added {entry.added_at}")
    if len(leaves) > 1:
        click.echo("\n".join(f"  {leaf.name}  ({leaf.kind}, {len(leaf.pages)} pages)" for leaf in leaves))
    for problem in entry.problems:
        click.echo(problem_line(problem))
    for answer in answers:
        click.echo(f"\n> {answer.question}\n{answer.answer}\n{seen_line(answer)}")


@library.command(epilog=EXAMPLES)
@click.argument("query")
@as_json
@with_settings("data_dir", *READING)
def find(settings: Settings, query: str, as_json: bool) -> None:
    """Find the passages of the whole library that fit best; no answer is written."""
    with session(settings) as (longleaf, progress):
        found = longleaf.search(query)
        progress.pause()
    if as_json:
        echo_json({"query": query, "passages": [{**asdict(cite), "box": cite.box} for cite in found]})
        return
    for cite in found:
        click.echo(citation_line(cite))
    if not found:
        click.echo("Nothing in the documents that were read fits that.", err=True)


@library.command(epilog=EXAMPLES)
@click.argument("key", metavar="DOCUMENT")
@click.argument("tags", nargs=-1, metavar="[TAG]…")
@with_settings("data_dir", "model")
def tag(settings: Settings, key: str, tags: tuple[str, ...]) -> None:
    """Give a document tags instead of those it has; without any, take them away."""
    with session(settings) as (longleaf, _):
        entry = longleaf.tag(key, tags)
    click.echo(entry_line(entry))


@library.command(epilog=EXAMPLES)
@click.argument("keys", nargs=-1, required=True, metavar="DOCUMENT…")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@as_json
@with_settings("data_dir", "model")
def delete(settings: Settings, keys: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete documents with every trace of them: copies, text, what was read, answers.

    Files where you got them from are not touched. What another document of the library holds too is kept for it.
    """
    with session(settings) as (longleaf, progress):
        entries = list({entry.id: entry for entry in (longleaf.entry(key) for key in keys)}.values())
        if not yes:
            _confirm(entries)
        receipts = [longleaf.delete(entry.id) for entry in entries]
        progress.pause()
    if as_json:
        echo_json({"deleted": [receipt.as_json() for receipt in receipts]})
        return
    for receipt in receipts:
        click.echo(receipt_line(receipt))


def _confirm(entries: list[Entry]) -> None:
    """Raises BadRequest where nobody can be asked, click.Abort when the person says no."""
    names = ", ".join(entry.name for entry in entries)
    if not sys.stdin.isatty():
        raise BadRequest(f"nothing was deleted, as there is no terminal to confirm {names} on; add --yes to delete")
    click.confirm(f"Delete {names} and everything that was made from it?", abort=True, err=True)


def receipt_line(receipt: Receipt) -> str:
    kept = f"; {receipt.kept} kept for other documents" if receipt.kept else ""
    return (
        f"Deleted {receipt.name}: {receipt.originals} copies ({size(receipt.original_bytes)}), text "
        f"({size(receipt.parsed_bytes)}), what was read ({size(receipt.reading_bytes)}), "
        f"{receipt.answers} answers{kept}."
    )
