"""The audit log: who added, asked and deleted what, and on which places an answer rested. Nobody changes it unseen.

Each line holds the SHA-256 of the line before it, so a line that is changed, taken out or put in breaks the chain; a
log that was cut off at its end is told by a digest that somebody noted earlier. What was asked stands beside the lines,
which hold only its salted digest: when a document is deleted, the questions about it are forgotten as everything of it
is, and the chain still holds. Owns one SQLite file; safe to use from several threads and processes.
"""

import hashlib
import json
import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.errors import LibraryUnusable
from app.service.values import Entry, Receipt
from llm.answer import Answer

FILE, BUSY_TIMEOUT_S = "audit.sqlite", 30.0
BEGINNING = "0" * 64
_TABLES = """
CREATE TABLE IF NOT EXISTS lines (number INTEGER PRIMARY KEY, body TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS questions (
    number INTEGER PRIMARY KEY REFERENCES lines (number), salt TEXT NOT NULL, question TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS about (number INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (document, number))
    WITHOUT ROWID;
"""
_COLUMNS = "body, digest, salt, question FROM lines LEFT JOIN questions USING (number) ORDER BY number"
_log = logging.getLogger(__name__)


class AuditLog:
    """The log of one server. Raises LibraryUnusable when its file cannot be used."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / FILE
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600)
            self._rows = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            self._rows.execute("PRAGMA journal_mode = WAL")
            self._rows.execute("PRAGMA secure_delete = ON")
            self._rows.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise LibraryUnusable(f"the audit log {path} cannot be used ({error}); mend or move that file") from error

    def close(self) -> None:
        with self._lock:
            self._rows.close()

    def of(self, who: str) -> "Watched":
        """What one person's library tells the log."""
        return Watched(self, who)

    def note(
        self, who: str, act: str, document_ids: Sequence[str] = (), question: str | None = None, **more: Any
    ) -> None:
        """Writes one line; `more` is JSON. Of the question only a salted digest stands in it."""
        salt = secrets.token_hex(16)
        body: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"), "who": who, "act": act,
            "documents": list(document_ids), **more,
        }  # fmt: skip
        if question is not None:
            body["question_sha256"] = _sum(salt + question)
        with self._lock:
            self._rows.execute("BEGIN IMMEDIATE")
            try:
                number, before = self._last()
                text = json.dumps({"number": number + 1, "before": before, **body}, ensure_ascii=False)
                self._rows.execute("INSERT INTO lines VALUES (?, ?, ?)", (number + 1, text, _sum(text)))
                if question is not None:
                    self._rows.execute("INSERT INTO questions VALUES (?, ?, ?)", (number + 1, salt, question))
                    about = [(number + 1, document_id) for document_id in dict.fromkeys(document_ids)]
                    self._rows.executemany("INSERT INTO about VALUES (?, ?)", about)
            except BaseException:
                self._rows.execute("ROLLBACK")
                raise
            self._rows.execute("COMMIT")

    def forget(self, document_id: str) -> None:
        """The questions that were asked of a document."""
        with self._lock:
            chosen = "SELECT number FROM about WHERE document = ?"
            self._rows.execute(f"DELETE FROM questions WHERE number IN ({chosen})", (document_id,))
            self._rows.execute("DELETE FROM about WHERE document = ?", (document_id,))
            self._rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def lines(self) -> Iterator[dict[str, Any]]:
        """Oldest first, each with its digest, and with question and salt where these are not forgotten."""
        with self._lock:
            found = self._rows.execute(f"SELECT {_COLUMNS}").fetchall()
        for body, digest, salt, question in found:
            yield {**json.loads(body), "digest": digest, "salt": salt, "question": question}

    def as_jsonl(self) -> str:
        """The lines as a file to hand on."""
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in self.lines())

    def flaw(self) -> str | None:
        """What is wrong with the log, in one sentence; None: every line is as it was written."""
        with self._lock:
            found = self._rows.execute(f"SELECT number, {_COLUMNS}").fetchall()
        before = BEGINNING
        for position, (number, body, digest, salt, question) in enumerate(found, 1):
            said = json.loads(body)
            if number != position or said["number"] != position or said["before"] != before or _sum(body) != digest:
                return f"line {position} is not the one that was written there"
            if question is not None and said.get("question_sha256") != _sum(salt + question):
                return f"the question of line {position} is not the one that was asked"
            before = digest
        return None

    def last_digest(self) -> str:
        """To be noted elsewhere: a log that still has it was not cut off before it."""
        with self._lock:
            return self._last()[1]

    def _last(self) -> tuple[int, str]:
        found = self._rows.execute("SELECT number, digest FROM lines ORDER BY number DESC LIMIT 1").fetchone()
        return (found[0], found[1]) if found else (0, BEGINNING)


class Watched:
    """A `Watcher` that notes what one person does."""

    def __init__(self, log: AuditLog, who: str) -> None:
        self._audit, self._who = log, who

    def added(self, entry: Entry) -> None:
        self._note("added", [entry.id], pages=entry.pages)

    def answered(self, document_ids: Sequence[str], answer: Answer) -> None:
        evidence = [
            {"document": cite.document, "page_index": cite.page_index, "start": cite.start, "end": cite.end}
            for cite in answer.citations
        ]
        self._note(
            "asked", document_ids, answer.question, found=answer.found, evidence=evidence, model=answer.model.name,
            stopped=answer.stopped,
        )  # fmt: skip

    def deleted(self, receipt: Receipt) -> None:
        self._audit.forget(receipt.id)
        self._note("deleted", [receipt.id])

    def _note(self, act: str, document_ids: Sequence[str], question: str | None = None, **more: Any) -> None:
        try:
            self._audit.note(self._who, act, document_ids, question, **more)
        except sqlite3.Error:  # a full disk must not take the answer away from who asked
            _log.exception("the audit log could not be written")


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
