"""Who is signed in: tokens that cannot be guessed, each good for one person and a limited time.

Owns one small SQLite file. Guarantees: only SHA-256 sums of tokens are on the disk, so that who reads the file cannot
sign in with it; a session survives a restart and ends at once when it is ended.
"""

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TABLE = """
CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY, who TEXT NOT NULL, mark TEXT NOT NULL, ends REAL NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Session:
    """`mark`: what was true when it began; the caller ends it when that is not true any more."""

    who: str
    mark: str


class Sessions:
    """The sessions of one server. Safe to use from several threads."""

    def __init__(self, path: Path, keep_s: float, clock: Callable[[], float] = time.time) -> None:
        path.touch(mode=0o600)
        self._keep_s, self._clock = keep_s, clock
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(TABLE)
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def open(self, who: str, mark: str = "") -> str:
        """The token of a new session."""
        token = secrets.token_urlsafe(32)
        ends = self._clock() + self._keep_s
        self._run("INSERT INTO sessions VALUES (?, ?, ?, ?)", _sum(token), who, mark, ends)
        self._run("DELETE FROM sessions WHERE ends < ?", self._clock())
        return token

    def find(self, token: str) -> Session | None:
        """None for a token that is unknown, ended or too old."""
        rows = self._run("SELECT who, mark FROM sessions WHERE token = ? AND ends >= ?", _sum(token), self._clock())
        return Session(*rows[0]) if rows else None

    def end(self, token: str) -> None:
        self._run("DELETE FROM sessions WHERE token = ?", _sum(token))

    def end_all(self, who: str) -> None:
        """Every session of one person."""
        self._run("DELETE FROM sessions WHERE who = ?", who)

    def count(self, who: str) -> int:
        """How many sessions of one person are still good."""
        return len(self._run("SELECT 1 FROM sessions WHERE who = ? AND ends >= ?", who, self._clock()))

    def everybody(self) -> set[str]:
        """Who has a session that is still good."""
        return {row[0] for row in self._run("SELECT DISTINCT who FROM sessions WHERE ends >= ?", self._clock())}

    def _run(self, statement: str, *values: object) -> list[tuple[str, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _sum(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
