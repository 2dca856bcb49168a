"""`read`: sources into the library and into the model's memory, without a question."""

import time
from dataclasses import asdict

import click

from app.cli.options import READING, as_json, source_options, with_settings
from app.cli.output import coverage_line, echo_json, entry_line
from app.cli.progress import duration
from app.cli.session import find_or_add, session
from app.settings import Settings
from ingest.options import PageRange, ReadOptions

EXAMPLES = """\b
Examples:
  python app.py read contract.pdf              questions about it are quick from now on
  python app.py read ~/papers src.zip          whole folders and archives
  python app.py read letter.pdf --password X   an encrypted PDF
"""


@click.command(epilog=EXAMPLES)
@source_options
@as_json
@with_settings("data_dir", *READING)
def read(
    settings: Settings, sources: tuple[str, ...], as_json: bool, pages: PageRange | None, password: str | None
) -> None:
    """Read files, folders or archives into the library without asking anything.

    Documents of any length are read whole. What was read before is not read again, also after a restart; a reading
    that was stopped goes on where it was.
    """
    with session(settings) as (longleaf, progress):
        entries = find_or_add(longleaf, progress, sources, ReadOptions(password=password, pages=pages))
        ids = [entry.id for entry in entries]
        began, last = time.monotonic(), None
        for last in longleaf.read(ids):
            progress.reading(last)
        progress.pause()
        read_s = time.monotonic() - began
        coverage = longleaf.engine().coverage([longleaf.document(each) for each in ids])
        entries = [longleaf.entry(each) for each in ids]
        if as_json:
            echo_json({
                "documents": [entry.as_json() for entry in entries],
                "coverage": asdict(coverage),
                "read_s": read_s,
                "model": asdict(longleaf.engine().model),
            })  # fmt: skip
            return
        for entry in entries:
            click.echo(entry_line(entry))
        click.echo(coverage_line(coverage))
        click.echo(f"Reading took {duration(read_s)}.", err=True)
