"""Who may come in, and into which home: people of the auth file, by name and password.

Owns sessions and the throttle; knows nothing of requests. A home is named by an id that nobody can choose.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.http.tokens import Tokens
from app.people import Account, Accounts, Sessions, Throttle
from app.web.host.guard import is_loopback
from app.web.render import entrance as fragments
from app.web.texts import t

KEEP_S = 7 * 24 * 3600.0
# How many failures are free: of a name from one address, of an address, of a name from anywhere.
FREE_HERE, FREE_ADDRESS, FREE_NAME = 5, 30, 60


@dataclass(frozen=True, slots=True)
class Guest:
    """Whose home a request goes to."""

    home: str  # the name of a folder
    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why somebody may not come in, in one sentence."""

    sentence: str
    status: int
    wait_s: float = 0.0
    name: str = ""  # as it was written, to try again


class Entrance(Protocol):
    """What the door asks."""

    def guest(self, token: str) -> Guest | None:
        """Who a session belongs to; None when it is not good (any more)."""

    def program(self, secret: str) -> Guest | None:
        """Whose token a program sends; None when it is nobody's."""

    def vouched(self, headers: Mapping[str, str]) -> Guest | None:
        """Whom a proxy for single sign-on names; None where there is none, or it names nobody."""

    def page(self, refused: Refused | None, to: str) -> str:
        """What a stranger sees; `to` is where they wanted to go."""

    def enter(self, form: Mapping[str, str], address: str) -> str | Refused:
        """The token of a new session, from what the stranger's page sent."""

    def leave(self, token: str) -> None:
        """Ends a session."""


class SignIn:
    """The entrance for people with accounts."""

    def __init__(self, accounts: Accounts, sessions: Sessions, homes: Path, auth_header: str | None = None) -> None:
        """`homes`: the folder of everyone's library, in which their programs' tokens lie too.

        `auth_header`: in which a proxy says who is signed in; its word is taken, and newcomers get an account.
        """
        self._auth_header = auth_header
        self._accounts, self._sessions, self._homes = accounts, sessions, homes
        self._throttle = Throttle()

    def guest(self, token: str) -> Guest | None:
        """A removed person's session is over, and so is one that was opened with another password."""
        session = self._sessions.find(token)
        account = self._accounts.find(session.who) if session else None
        if session is None or account is None or session.mark != _mark(account):
            return None
        return Guest(account.id, account.name)

    def program(self, secret: str) -> Guest | None:
        for account in self._accounts.all():
            home = self._homes / account.id
            if home.is_dir() and Tokens(home).find(secret) is not None:
                return Guest(account.id, account.name)
        return None

    def vouched(self, headers: Mapping[str, str]) -> Guest | None:
        name = (headers.get(self._auth_header) or "").strip().lower() if self._auth_header else ""
        if not name:
            return None
        account = self._accounts.find(name) or self._accounts.add_vouched(name)
        return Guest(account.id, account.name)

    def page(self, refused: Refused | None, to: str) -> str:
        return fragments.sign_in(refused.sentence if refused else None, to, refused.name if refused else "")

    def enter(self, form: Mapping[str, str], address: str) -> str | Refused:
        name, password = form.get("name", "").strip().lower()[:200], form.get("password", "")
        keys = {f"here {name} {address}": FREE_HERE, f"name {name}": FREE_NAME}
        if not is_loopback(address):  # through a tunnel all come from here: one who guesses must not shut out others
            keys[f"address {address}"] = FREE_ADDRESS
        wait_s = self._throttle.wait_s(keys)
        if wait_s > 0:
            said = t("Too many tries; wait {seconds} s and try again.", seconds=max(1, round(wait_s)))
            return Refused(said, 429, wait_s, name)
        account = self._accounts.verified(name, password)
        if account is None:
            self._throttle.failed(keys)
            return Refused(t("Name or password is wrong."), 401, name=name)
        self._throttle.succeeded(keys)
        return self._sessions.open(account.name, _mark(account))

    def leave(self, token: str) -> None:
        self._sessions.end(token)


def _mark(account: Account) -> str:
    """Of this account with this password."""
    return hashlib.sha256(f"{account.id} {account.password}".encode()).hexdigest()[:16]
