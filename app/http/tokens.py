"""The tokens by which programs are known, in one SQLite file beside the catalogue.

Guarantees: a token itself is never kept, only its SHA-256 (it has 256 random bits, so that needs no salt); what was
revoked or has expired is known no more from that moment on, in every process.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.errors import BadRequest, LibraryUnusable

SCOPES = ("read", "write")  # to list, show and ask; to add and delete
PREFIX = "longleaf_"
MAX_DAYS, MAX_NAME = 3650, 64
PER_MINUTE, MAX_PER_MINUTE = 600, 100_000  # requests
FILE, BUSY_TIMEOUT_S = "tokens.sqlite", 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT, per_minute INTEGER NOT NULL DEFAULT 600)"""
_COLUMNS = "id, name, scopes, created_at, expires_at, per_minute"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; never the token."""

    id: str
    name: str  # of the person or program that has it
    scopes: tuple[str, ...]
    created_at: str  # ISO 8601, UTC
    expires_at: str | None  # None: never
    per_minute: int = PER_MINUTE  # requests

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Tokens:
    """The tokens of one library. Safe to call from several threads and processes."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE

    def add(
        self, name: str, scopes: Sequence[str] = SCOPES, days: int | None = None, per_minute: int = PER_MINUTE
    ) -> tuple[str, Token]:
        """A new token, which is told this once, and what is kept of it. Raises BadRequest, LibraryUnusable."""
        name = " ".join(name.split())
        if not 0 < len(name) <= MAX_NAME:
            raise BadRequest(f"the token's name has {len(name)} characters; give it 1 to {MAX_NAME}")
        if not scopes or any(scope not in SCOPES for scope in scopes):
            raise BadRequest(f"the scopes are {', '.join(scopes) or 'none'}; they must be among {', '.join(SCOPES)}")
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise BadRequest(f"the token is to last {days} days; it must be 1 to {MAX_DAYS}, or left out for no end")
        if not 1 <= per_minute <= MAX_PER_MINUTE:
            raise BadRequest(f"the token is to allow {per_minute} requests a minute; it must be 1 to {MAX_PER_MINUTE}")
        secret = PREFIX + secrets.token_urlsafe(32)
        began = datetime.now(UTC)
        ends = None if days is None else _iso(began + timedelta(days=days))
        token = Token(secrets.token_hex(4), name, tuple(dict.fromkeys(scopes)), _iso(began), ends, per_minute)
        self._run(
            f"INSERT INTO tokens ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
            token.id, name, " ".join(token.scopes), token.created_at, ends, per_minute, _digest(secret),
        )  # fmt: skip
        return secret, token

    def tokens(self) -> list[Token]:
        """Oldest first, those that have expired too. Raises LibraryUnusable."""
        return self._found("TRUE")

    def revoke(self, key: str) -> list[Token]:
        """By id, or all of a name; what was revoked. Raises BadRequest, LibraryUnusable."""
        revoked = self._found("id = ?1 OR name = ?1", key)
        if not revoked:
            number = len(self.tokens())
            raise BadRequest(f"there is no token {key[:MAX_NAME]!r}; `tokens list` shows the {number} there are")
        self._run("DELETE FROM tokens WHERE id = ?1 OR name = ?1", key)
        return revoked

    def find(self, secret: str) -> Token | None:
        """None where it is not known, or has expired. Raises LibraryUnusable."""
        now = _iso(datetime.now(UTC))
        found = self._found("digest = ?1 AND (expires_at IS NULL OR expires_at > ?2)", _digest(secret), now)
        return found[0] if found else None

    def _found(self, where: str, *values: str) -> list[Token]:
        rows = self._run(f"SELECT {_COLUMNS} FROM tokens WHERE {where} ORDER BY created_at, rowid", *values)
        return [Token(row[0], row[1], tuple(row[2].split()), *row[3:]) for row in rows]

    def _run(self, statement: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        """A connection for each statement, so that nothing has to be closed: tokens are few and seldom asked for."""
        try:
            self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)) as connection, connection:
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute(_TABLE)
                if "per_minute" not in [column[1] for column in connection.execute("PRAGMA table_info(tokens)")]:
                    connection.execute(f"ALTER TABLE tokens ADD per_minute INTEGER NOT NULL DEFAULT {PER_MINUTE}")
                return connection.execute(statement, values).fetchall()
        except (OSError, sqlite3.Error) as error:
            raise LibraryUnusable(f"the tokens in {self._path} cannot be used ({error}); mend that file") from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
