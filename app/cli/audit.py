"""`audit export|verify`: who did what on a server that keeps an audit log."""

import click

from app.cli.options import with_settings
from app.errors import BadRequest
from app.service.audit import FILE, AuditLog
from app.settings import Settings

EXAMPLES = """\b
Examples:
  python app.py serve --auth-file team.json --audit
  python app.py audit export > audit.jsonl
  python app.py audit verify                             prints the last digest; note it elsewhere
  python app.py audit verify --digest 3f0c…              whether the log still has the line with that digest
"""


@click.group(epilog=EXAMPLES)
def audit() -> None:
    """See who added, asked and deleted what, and whether the log of it was changed."""


@audit.command(epilog=EXAMPLES)
@with_settings("data_dir")
def export(settings: Settings) -> None:
    """Write every line as JSON on standard output, oldest first."""
    click.echo(_opened(settings).as_jsonl(), nl=False)


@audit.command(epilog=EXAMPLES)
@click.option("--digest", metavar="DIGEST", help="Of a line that must still be there.")
@with_settings("data_dir")
def verify(settings: Settings, digest: str | None) -> None:
    """Check that no line was changed, taken out or put in."""
    log = _opened(settings)
    flaw = log.flaw()
    if flaw is not None:
        raise BadRequest(f"the audit log was changed: {flaw}")
    digests = [line["digest"] for line in log.lines()]
    if digest is not None and digest not in digests:
        raise BadRequest(f"the audit log has no line with the digest {digest[:64]}; it was cut off, or is another log")
    click.echo(f"{len(digests):,} lines, none changed. The last digest is {log.last_digest()}")


def _opened(settings: Settings) -> AuditLog:
    if not (settings.data_dir / FILE).is_file():
        raise BadRequest(f"{settings.data_dir} has no audit log; `serve --audit` keeps one")
    return AuditLog(settings.data_dir)
