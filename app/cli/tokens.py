"""`tokens add|list|revoke`: by which programs that speak HTTP are known."""

from datetime import UTC, datetime

import click

from app.cli.options import as_json, with_settings
from app.cli.output import echo_json
from app.http.tokens import MAX_DAYS, MAX_PER_MINUTE, PER_MINUTE, SCOPES, Token, Tokens
from app.service.originals import private_dir
from app.settings import Settings

EXAMPLES = """\b
Examples:
  python app.py tokens add nightly-report --scopes read --days 90
  python app.py tokens list
  python app.py tokens revoke nightly-report       all of that name; or one by its id
"""


@click.group(epilog=EXAMPLES)
def tokens() -> None:
    """Make, list and revoke the tokens of programs (docs/HTTP.md)."""


@tokens.command(epilog=EXAMPLES)
@click.argument("name")
@click.option(
    "--scopes", default=",".join(SCOPES), show_default=True, metavar="LIST",
    help="read: list, show and ask. write: add and delete.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, MAX_DAYS), help="It expires after so many days. Default: never.")
@click.option(
    "--per-minute", type=click.IntRange(1, MAX_PER_MINUTE), default=PER_MINUTE, show_default=True,
    help="How many requests it may send within a minute.",
)  # fmt: skip
@as_json
@with_settings("data_dir")
def add(settings: Settings, name: str, scopes: str, days: int | None, per_minute: int, as_json: bool) -> None:
    """Make a token and write it to standard output. It is shown this once: only a hash of it is kept."""
    private_dir(settings.data_dir)
    wanted = [scope for part in scopes.split(",") if (scope := part.strip())]
    secret, token = Tokens(settings.data_dir).add(name, wanted, days, per_minute)
    if as_json:
        echo_json({**token.as_json(), "token": secret})
        return
    click.echo(secret)
    click.echo(f"{_line(token)}. Keep it: it is not shown again.", err=True)


@tokens.command("list", epilog=EXAMPLES)
@as_json
@with_settings("data_dir")
def list_tokens(settings: Settings, as_json: bool) -> None:
    """List the tokens, never what they are."""
    private_dir(settings.data_dir)
    found = Tokens(settings.data_dir).tokens()
    if as_json:
        echo_json({"tokens": [token.as_json() for token in found]})
        return
    for token in found:
        click.echo(_line(token))
    if not found:
        click.echo("There are no tokens; make one with: python app.py tokens add NAME", err=True)


@tokens.command(epilog=EXAMPLES)
@click.argument("key", metavar="NAME")
@with_settings("data_dir")
def revoke(settings: Settings, key: str) -> None:
    """Revoke a token by its id, or all of a name; it is refused from now on."""
    private_dir(settings.data_dir)
    for token in Tokens(settings.data_dir).revoke(key):
        click.echo(f"Revoked {_line(token)}.")


def _line(token: Token) -> str:
    ends = "never expires" if token.expires_at is None else f"expires {token.expires_at}"
    if token.expires_at is not None and token.expires_at <= datetime.now(UTC).isoformat(timespec="seconds"):
        ends = f"expired {token.expires_at}"
    return f"{token.id}  {token.name}  ({', '.join(token.scopes)}; {token.per_minute} a minute; {ends})"
