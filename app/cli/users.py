"""`users add|list|change|remove|password`: who may sign in to a server that several people share."""

import sys
from pathlib import Path

import click

from app.cli.options import with_settings
from app.errors import BadRequest, BadSetting
from app.people import Accounts
from app.settings import Settings

EXAMPLES = """\b
Examples:
  python app.py users add ada --auth-file team.json           asks for a password
  pwgen 20 1 | python app.py users password ada --auth-file team.json
  python app.py users list --auth-file team.json
  python app.py users change ada --admin --keep-hours 720 --auth-file team.json
  python app.py users remove ada --auth-file team.json
  python app.py serve --host 0.0.0.0 --auth-file team.json
"""


@click.group(epilog=EXAMPLES)
def users() -> None:
    """Say who may sign in to the page, for a team that shares a server."""


@users.command(epilog=EXAMPLES)
@click.argument("name")
@with_settings("auth_file")
def add(settings: Settings, name: str) -> None:
    """Add a person. The password is asked for, or read from standard input."""
    account = _accounts(settings).add(name, _password())
    click.echo(f"{account.name} may sign in.")


@users.command("list", epilog=EXAMPLES)
@with_settings("auth_file")
def list_people(settings: Settings) -> None:
    """List who may sign in, and the folder of each one's library below the data folder."""
    accounts = _accounts(settings).all()
    for account in accounts:
        more = ", administrator" if account.is_admin else ""
        more += f", kept {account.keep_hours:g} hours" if account.keep_hours is not None else ""
        click.echo(f"{account.name}  people/{account.id}  (since {account.added_at[:10]}{more})")
    if not accounts:
        click.echo("Nobody may sign in yet; add somebody with: python app.py users add NAME", err=True)


@users.command(epilog=EXAMPLES)
@click.argument("name")
@click.option("--admin/--no-admin", "is_admin", default=None, help="Whether /admin opens for them.")
@click.option(
    "--keep-hours", type=float, metavar="N",
    help="Delete their documents and answers after so many hours; 0: as the server's own --keep-hours says.",
)  # fmt: skip
@with_settings("auth_file")
def change(settings: Settings, name: str, is_admin: bool | None, keep_hours: float | None) -> None:
    """Say who administers the server, and how long a person's documents and answers are kept."""
    accounts = _accounts(settings)
    if is_admin is None and keep_hours is None:
        raise BadRequest("nothing was to be changed; give --admin, --no-admin or --keep-hours N")
    if is_admin is not None:
        accounts.set_admin(name, is_admin)
        click.echo(f"{name} {'administers the server' if is_admin else 'does not administer the server'}.")
    if keep_hours is not None:
        accounts.set_keep_hours(name, keep_hours or None)
        click.echo(f"What {name} adds is deleted after {keep_hours:g} hours." if keep_hours else f"{name}: as all.")


@users.command(epilog=EXAMPLES)
@click.argument("name")
@with_settings("auth_file")
def remove(settings: Settings, name: str) -> None:
    """Remove a person: they are signed out at once. Their library stays until you delete its folder."""
    account = _accounts(settings).remove(name)
    click.echo(
        f"{account.name} cannot sign in any more. Their library is still in people/{account.id} of the data folder."
    )


@users.command(epilog=EXAMPLES)
@click.argument("name")
@with_settings("auth_file")
def password(settings: Settings, name: str) -> None:
    """Give a person a new password, which signs them out everywhere."""
    _accounts(settings).set_password(name, _password())
    click.echo(f"{name} has a new password and is signed out everywhere.")


def _accounts(settings: Settings) -> Accounts:
    if settings.auth_file is None:
        raise BadSetting("no auth file was named; give --auth-file FILE, or set LONGLEAF_AUTH_FILE")
    if not settings.auth_file.parent.is_dir():
        raise BadSetting(f"the folder of the auth file {Path(settings.auth_file)} does not exist; make it first")
    return Accounts(settings.auth_file)


def _password() -> str:
    """From the person at the keyboard, unseen and twice; else the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise BadRequest("no password came from standard input; write it as one line")
    return line
