"""The group of all verbs: with no verb the page is served, and every error becomes one line and an exit code.

Exit codes: 0 done (an answer that says "not found" too), 1 some rows of a batch failed, 2 something a person can mend,
130 stopped with Ctrl-C, 141 whoever read the output went away. A fault of Longleaf's own keeps its traceback.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from app.cli.ask import ask
from app.cli.audit import audit
from app.cli.batch import batch
from app.cli.bench import bench
from app.cli.history import history
from app.cli.library import library
from app.cli.mcp import mcp
from app.cli.plan import plan
from app.cli.read import read
from app.cli.serve import prepare, serve
from app.cli.tokens import tokens
from app.cli.users import users
from app.errors import sentence_of

OK, FAILED, INTERRUPTED, BROKEN_PIPE = 0, 2, 130, 141


class Verbs(click.Group):
    """A group whose verb `serve` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **_: Any) -> NoReturn:  # type: ignore[override]
        """Runs the verb and leaves with its exit code."""
        _write_utf8()
        words = list(sys.argv[1:] if args is None else args)
        try:
            with self.make_context(prog_name or "python app.py", words) as context:
                self.invoke(context)
            sys.stdout.flush()
            code = OK
        except click.exceptions.Exit as end:
            code = end.exit_code
        except click.ClickException as error:
            code = _fail(_usage_line(error))
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except BrokenPipeError:
            code = _drop_output()
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            code = _fail(sentence)
        sys.exit(code)


def _usage_line(error: click.ClickException) -> str:
    verb = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else None
    hint = f" See: {verb} --help" if verb else ""
    return " ".join(error.format_message().split()).rstrip(".") + "." + hint


def _fail(sentence: str) -> int:
    click.echo(f"Error: {sentence}", err=True)
    return FAILED


def _drop_output() -> int:
    """Nobody reads on: what is still buffered must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _write_utf8() -> None:
    """The same bytes on every system; a name that is not text in any encoding shows as question marks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


@click.group(cls=Verbs, context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Longleaf reads whole documents and whole codebases, and answers with citations that it has checked.

    Without a verb it serves the web page, as `serve` does.
    """


cli.epilog = """\b
Examples:
  python app.py                                          open the page on http://127.0.0.1:7860
  python app.py ask contract.pdf -q "When does it end?"  ask a question of a file
  python app.py ask src/ -q "Where is the parser?"       ask a question of a folder
  python app.py library list                             see what was read so far
  python app.py ask --help                               learn more about a verb
"""

for verb in (ask, read, batch, library, history, plan, serve, users, tokens, audit, mcp, prepare, bench):
    cli.add_command(verb)
