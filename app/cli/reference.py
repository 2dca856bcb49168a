"""docs/COMMANDS.md out of the `--help` texts: `python -m app.cli.reference > docs/COMMANDS.md`."""

from collections.abc import Iterator

import click

from app.cli.verbs import cli

WIDTH = 100
_HEAD = """\
# Commands

What `--help` says, for every verb. Made by `python -m app.cli.reference > docs/COMMANDS.md`; a test compares.
"""


def reference() -> str:
    """The whole page, ending in a line end."""
    sections = (f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(cli, "python app.py"))
    return "\n".join([_HEAD, *sections])


def _helps(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    name = path if parent is None else command.name
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, **command.context_settings)
    yield path, command.get_help(context).strip()
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            found = command.get_command(context, verb)
            assert found is not None, f"{path} lists {verb}, which it does not have"
            yield from _helps(found, f"{path} {verb}", context)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
