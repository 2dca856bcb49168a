"""The auth file: who may sign in, with argon2id hashes of their passwords. Owns that one file, and nothing of people's.

Guarantees: no password is ever written; the file is for its owner only, and replaced whole or not at all; a change by
another process counts from the next look on; a name that nobody has takes as long to refuse as a wrong password.
"""

import json
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import argon2
from filelock import FileLock

from app.errors import BadRequest, BadSetting

VERSION = 1
MIN_PASSWORD, MAX_PASSWORD = 10, 200  # characters
MAX_KEEP_HOURS = 100 * 365 * 24
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in."""

    name: str  # in lower case
    id: str  # of their library: who is given a name that was free again must not find the documents of who had it
    password: str = field(repr=False)  # its argon2id hash
    added_at: str  # ISO 8601, UTC
    is_admin: bool = False  # sees how much everybody stores and does, never what
    keep_hours: float | None = None  # how long their documents and answers stay; None: as long as the server says


class Accounts:
    """The people of one auth file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """The file need not exist until somebody is added."""
        self.path = path
        self._hasher = argon2.PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._verifying = threading.Lock()  # a hash takes 64 MiB: many at once would be a way to fill the memory
        self._seen: tuple[tuple[int, int, int], dict[str, Account]] | None = None

    def all(self) -> list[Account]:
        """By name. Raises BadSetting when the file cannot be read."""
        return sorted(self._people().values(), key=lambda account: account.name)

    def find(self, name: str) -> Account | None:
        """Raises BadSetting when the file cannot be read."""
        return self._people().get(name)

    def add(self, name: str, password: str) -> Account:
        """Raises BadRequest for a name that is taken or not allowed, and for a password that is too short."""
        name = _allowed(name.strip().lower())
        account = Account(name, secrets.token_hex(8), self._hashed(password), _now())
        with self._changing() as people:
            if name in people:
                raise BadRequest(f"{name} is there already; use `users password {name}` to give a new password")
            people[name] = account
        return account

    def add_vouched(self, name: str) -> Account:
        """Somebody whom a proxy has signed in: without a password, which nothing verifies. Raises BadRequest."""
        with self._changing() as people:
            account = people.get(name) or Account(_allowed(name), secrets.token_hex(8), "", _now())
            people[account.name] = account
        return account

    def set_password(self, name: str, password: str) -> None:
        """Ends the person's sessions too: they were opened with another password. Raises BadRequest."""
        hashed = self._hashed(password)
        with self._changing() as people:
            people[self._known(people, name).name] = replace(self._known(people, name), password=hashed)

    def set_admin(self, name: str, is_admin: bool) -> None:
        """Raises BadRequest."""
        with self._changing() as people:
            people[self._known(people, name).name] = replace(self._known(people, name), is_admin=is_admin)

    def set_keep_hours(self, name: str, keep_hours: float | None) -> None:
        """None: as long as the server says. Raises BadRequest."""
        if keep_hours is not None and not 0 < keep_hours <= MAX_KEEP_HOURS:
            raise BadRequest(f"{keep_hours} hours were given; it must be above 0 and at most {MAX_KEEP_HOURS:,}")
        with self._changing() as people:
            people[self._known(people, name).name] = replace(self._known(people, name), keep_hours=keep_hours)

    def remove(self, name: str) -> Account:
        """The account that was removed; its library is the caller's business. Raises BadRequest."""
        with self._changing() as people:
            return people.pop(self._known(people, name).name)

    def verified(self, name: str, password: str) -> Account | None:
        """The account, if that is its password."""
        account = self.find(name.strip().lower())
        with self._verifying:
            try:
                self._hasher.verify(account.password if account else self._nobody, password[:MAX_PASSWORD])
            except (argon2.exceptions.VerifyMismatchError, argon2.exceptions.InvalidHashError):
                return None
        return account

    def _hashed(self, password: str) -> str:
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise BadRequest(
                f"the password has {len(password)} characters; it must have {MIN_PASSWORD} to {MAX_PASSWORD}"
            )
        return self._hasher.hash(password)

    def _known(self, people: dict[str, Account], name: str) -> Account:
        account = people.get(name.strip().lower())
        if account is None:
            raise BadRequest(f"{self.path} has nobody called {name[:80]!r}; `users list` shows who there is")
        return account

    def _people(self) -> dict[str, Account]:
        """As the file is now; read again only when it has changed."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BadSetting(f"the auth file {self.path} cannot be read ({error.strerror})") from error
        key = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        seen = self._seen
        if seen is None or seen[0] != key:
            seen = self._seen = key, self._read()
        return seen[1]

    def _read(self) -> dict[str, Account]:
        try:
            value = json.loads(self.path.read_text(encoding="utf-8"))
            if value["version"] != VERSION:
                raise ValueError(f"its version is {value['version']!r}, and this Longleaf reads {VERSION}")
            return {one["name"]: Account(**one) for one in value["people"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadSetting(
                f"the auth file {self.path} cannot be read ({error}); it is made by `python app.py users add`"
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Account]]:
        """One change of the file, by one process at a time; nothing is written when it fails."""
        try:
            with FileLock(f"{self.path}.lock", mode=0o600):
                people = dict(self._people())
                yield people
                self._write(people)
        except OSError as error:
            raise BadSetting(
                f"the auth file {self.path} cannot be written ({error.strerror}); name one in a folder of yours"
            ) from error

    def _write(self, people: dict[str, Account]) -> None:
        text = json.dumps({"version": VERSION, "people": [asdict(people[name]) for name in sorted(people)]}, indent=2)
        handle, copy = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")  # 0600
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(copy, self.path)


def _allowed(name: str) -> str:
    """Raises BadRequest."""
    if not _NAME.fullmatch(name):
        raise BadRequest(f"the name is {name[:80]!r}; it may have a-z, 0-9 and . _ @ -, at most 64 in all")
    return name


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
