"""`mcp`: Longleaf as a tool of an assistant, over standard input and output."""

from pathlib import Path

import click

from app.cli.options import READING, with_settings
from app.cli.session import session
from app.settings import Settings

EXAMPLES = """\b
Examples:
  python app.py mcp --allow ~/papers
  python app.py mcp --allow ~/papers --allow ~/src/project
  python app.py mcp --library            what was read already, and no files
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--allow", "folders", multiple=True, type=click.Path(path_type=Path), metavar="FOLDER",
    help="The assistant may open files below this folder; may be given several times.",
)  # fmt: skip
@click.option("--library", "whole_library", is_flag=True, help="It may ask about every document of the library, too.")
@with_settings("data_dir", *READING)
def mcp(settings: Settings, folders: tuple[Path, ...], whole_library: bool) -> None:
    """Serve the Model Context Protocol to the assistant that starts this (docs/HTTP.md).

    Only what was allowed is opened, symbolic links resolved. Standard output belongs to the protocol.
    """
    with session(settings) as (longleaf, _):
        from app.mcp.sandbox import Sandbox

        sandbox = Sandbox(longleaf, folders, whole_library=whole_library)
        from app.mcp.server import mcp_server

        mcp_server(longleaf, sandbox).run("stdio")
