"""What the library knows: parsed documents, the folders they are in, entries, and which entry was read.

Owns the rows; files on disk are `originals`' business, KV the engine's. Every change is one short transaction, so a
kill at any moment leaves either all of it or nothing. Safe to use from several threads and several processes.

A document is stored once for each `recipe` (how its file was read), whatever the number of folders that hold it.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from pydantic import TypeAdapter

from app.service.recipe import recipe
from app.service.schema import open_catalogue
from app.service.values import Entry
from ingest import serial
from ingest.document import Document, Kind, Problem
from ingest.options import ReadOptions

_problems: TypeAdapter[tuple[Problem, ...]] = TypeAdapter(tuple[Problem, ...])

# Documents that no entry reaches any more.
_UNREACHED = """
WITH RECURSIVE live (id, recipe) AS (
    SELECT id, recipe FROM entries
    UNION SELECT member_id, member_recipe FROM members
          JOIN live ON members.folder_id = live.id AND members.folder_recipe = live.recipe)
SELECT id, recipe FROM documents WHERE (id, recipe) NOT IN live"""

EMPTY_CONVERSATIONS = """
DELETE FROM conversations WHERE id NOT IN (SELECT conversation FROM answers WHERE conversation IS NOT NULL)"""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a change took out of the catalogue."""

    ids: tuple[str, ...] = ()  # of documents of which nothing is left
    changed: tuple[str, ...] = ()  # of documents that are there still, but read in another way
    parsed_bytes: int = 0
    answers: int = 0


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Catalogue:
    """Rows of one library. `transaction` may be nested with any method: it is one transaction then."""

    def __init__(self, path: Path) -> None:
        self._connection = open_catalogue(path)
        self._lock = RLock()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes inside are written together, or none. Waits for other processes."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    # Documents

    def parsed(self, document_id: str, how: str) -> Document | None:
        """The stored document without its members, or None if there is none in today's format."""
        rows = self.rows(
            "SELECT parsed FROM documents WHERE id = ? AND recipe = ? AND format = ?",
            document_id, how, serial.FORMAT,
        )  # fmt: skip
        return serial.from_json(zlib.decompress(rows[0][0])) if rows else None

    def tree(self, document_id: str, how: str) -> Document | None:
        """The stored document with all its members; None if any part is missing or in an older format."""
        document = self.parsed(document_id, how)
        if document is None or document.kind is not Kind.FOLDER:
            return document
        members = []
        for member_id, member_recipe, name in self.rows(
            "SELECT member_id, member_recipe, name FROM members WHERE folder_id = ? AND folder_recipe = ? "
            "ORDER BY position", document_id, how,
        ):  # fmt: skip
            member = self.tree(member_id, member_recipe)
            if member is None:
                return None
            members.append(renamed(member, name))
        return replace(document, members=tuple(members))

    def recipes(self, document_id: str) -> list[str]:
        """The recipes under which a document is stored; that of its entry, if it is one, first."""
        rows = self.rows(
            "SELECT recipe FROM documents WHERE id = ?1 "
            "ORDER BY recipe = (SELECT recipe FROM entries WHERE id = ?1) DESC, rowid DESC", document_id,
        )  # fmt: skip
        return [row[0] for row in rows]

    def has(self, document_ids: Iterable[str]) -> bool:
        """True if every one is still there."""
        return all(self.rows("SELECT 1 FROM documents WHERE id = ? LIMIT 1", each) for each in document_ids)

    def reached(self, entry_id: str) -> set[str]:
        """Ids of a document and of everything in it."""
        rows = self.rows(
            "WITH RECURSIVE down (id) AS (SELECT ? UNION SELECT member_id FROM members JOIN down ON folder_id = id) "
            "SELECT id FROM down", entry_id,
        )  # fmt: skip
        return {row[0] for row in rows}

    def beginning(self, prefix: str) -> list[str]:
        """Ids of documents that begin so; of more than two only two."""
        rows = self.rows("SELECT DISTINCT id FROM documents WHERE substr(id, 1, ?) = ? LIMIT 2", len(prefix), prefix)
        return [row[0] for row in rows]

    def entry_ids(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT id FROM entries")]

    def document_ids(self) -> set[str]:
        return {row[0] for row in self.rows("SELECT DISTINCT id FROM documents")}

    # Entries

    def save(self, document: Document, options: ReadOptions) -> Removed:
        """Stores the tree, read with these options, and makes it an entry.

        Returns what an earlier way of reading the same source leaves behind, and has been removed.
        """
        problems = tuple(document.all_problems())
        with self.transaction() as rows:
            self._save_tree(rows, document, options)
            rows.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "recipe = excluded.recipe, name = excluded.name, pages = excluded.pages, problems = excluded.problems",
                (
                    document.id, recipe(document, options), document.name, document.kind, document.num_pages,
                    document.size_bytes or sum(leaf.size_bytes for leaf in document.leaves()), now(),
                    _problems.dump_json(problems).decode(),
                ),
            )  # fmt: skip
            return self._remove_unreached(rows)

    def _save_tree(self, rows: sqlite3.Connection, document: Document, options: ReadOptions) -> None:
        own = (document.id, recipe(document, options))
        stored = zlib.compress(serial.to_json(replace(document, members=())))
        rows.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            (*own, serial.FORMAT, document.kind, document.name, stored),
        )
        rows.execute("DELETE FROM removals WHERE document_id = ?", (document.id,))
        rows.execute("DELETE FROM members WHERE folder_id = ? AND folder_recipe = ?", own)
        for position, member in enumerate(document.members):
            self._save_tree(rows, member, options)
            rows.execute(
                "INSERT INTO members VALUES (?, ?, ?, ?, ?, ?)",
                (*own, position, member.id, recipe(member, options), member.name),
            )

    def entries(self, model: str, entry_id: str | None = None) -> list[Entry]:
        """Every entry, oldest first, or the one with that id; `is_read` under the given model."""
        found = self.rows(
            "SELECT id, name, kind, pages, size_bytes, added_at, problems, tokens, kv_bytes, tokens_read, "
            "(SELECT group_concat(tag, char(10)) FROM tags WHERE entry_id = id) FROM entries "
            "LEFT JOIN readings ON entry_id = id AND readings.recipe = entries.recipe AND model = ?1 "
            "WHERE ?2 IS NULL OR id = ?2 ORDER BY added_at, id", model, entry_id,
        )  # fmt: skip
        return [
            Entry(
                id=row[0], name=row[1], kind=Kind(row[2]), pages=row[3], tokens=row[7], size_bytes=row[4],
                is_read=row[7] is not None and row[9] >= row[7], kv_bytes=row[8] or 0, added_at=row[5],
                problems=_problems.validate_json(row[6]), tokens_read=row[9] or 0,
                tags=tuple((row[10] or "").split()),
            )
            for row in found
        ]  # fmt: skip

    def lone(self, document_id: str, how: str, name: str) -> bool:
        """True if that file, read that way, is an entry already; it goes by the given name from now on."""
        with self.transaction() as rows:
            known = "WHERE id = ? AND recipe = ? AND EXISTS (SELECT 1 FROM documents AS d WHERE d.id = entries.id AND "
            known += "d.recipe = entries.recipe AND d.format = ?)"
            return bool(
                rows.execute(f"UPDATE entries SET name = ? {known}", (name, document_id, how, serial.FORMAT)).rowcount
            )

    def entry_name(self, document_id: str) -> str | None:
        rows = self.rows("SELECT name FROM entries WHERE id = ?", document_id)
        return rows[0][0] if rows else None

    def folders_of(self, document_id: str) -> list[str]:
        """Names of the entries that hold a document as a member."""
        rows = self.rows(
            "WITH RECURSIVE up (id) AS (SELECT folder_id FROM members WHERE member_id = ? "
            "UNION SELECT folder_id FROM members JOIN up ON member_id = up.id) "
            "SELECT name FROM entries JOIN up USING (id) ORDER BY name", document_id,
        )  # fmt: skip
        return [row[0] for row in rows]

    def note_reading(self, entry_id: str, model: str, tokens: int, tokens_read: int, kv_bytes: int) -> None:
        """Does nothing for an entry that has been deleted meanwhile."""
        with self.transaction() as rows:
            rows.execute(
                "INSERT OR REPLACE INTO readings (entry_id, recipe, model, tokens, tokens_read, kv_bytes) "
                "SELECT id, recipe, ?, ?, ?, ? FROM entries WHERE id = ?",
                (model, tokens, tokens_read, kv_bytes, entry_id),
            )

    def set_tags(self, entry_id: str, tags: Iterable[str]) -> None:
        """Replaces an entry's tags; they hold no white space. Does nothing for an entry that is gone."""
        with self.transaction() as rows:
            rows.execute("DELETE FROM tags WHERE entry_id = ?", (entry_id,))
            rows.executemany(
                "INSERT OR IGNORE INTO tags SELECT id, ? FROM entries WHERE id = ?", [(tag, entry_id) for tag in tags]
            )

    # Deletion

    def delete(self, entry_id: str) -> Removed:
        """Takes an entry out, with everything that only it held and every answer asked of any of that.

        The KV and index of `ids` are the caller's to remove; `pending_removals` names them until `removed` says so.
        """
        with self.transaction() as rows:
            rows.execute("DELETE FROM entries WHERE id = ?", (entry_id,))
            gone = self._remove_unreached(rows)
            numbers = {
                row[0]
                for document_id in {entry_id, *gone.ids}
                for row in rows.execute("SELECT answer FROM answer_documents WHERE document_id = ?", (document_id,))
            }
            rows.executemany("DELETE FROM answers WHERE number = ?", [(number,) for number in numbers])
            rows.execute(EMPTY_CONVERSATIONS)
            return replace(gone, answers=len(numbers))

    def _remove_unreached(self, rows: sqlite3.Connection) -> Removed:
        keys = rows.execute(_UNREACHED).fetchall()
        parsed_bytes = 0
        for key in keys:
            where = "WHERE id = ? AND recipe = ?"
            parsed_bytes += rows.execute(f"SELECT length(parsed) FROM documents {where}", key).fetchone()[0]
            rows.execute(f"DELETE FROM documents {where}", key)
            rows.execute("DELETE FROM members WHERE folder_id = ? AND folder_recipe = ?", key)
        touched = dict.fromkeys(key[0] for key in keys)
        changed = tuple(document_id for document_id in touched if self.has([document_id]))
        ids = tuple(document_id for document_id in touched if document_id not in changed)
        rows.executemany("INSERT OR IGNORE INTO removals VALUES (?)", [(document_id,) for document_id in ids])
        return Removed(ids, changed, parsed_bytes)

    def pending_removals(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT document_id FROM removals")]

    def removed(self, document_ids: Iterable[str]) -> None:
        """Their KV and index are gone; shrinks the file, and empties the write-ahead log of what it still held."""
        with self.transaction() as rows:
            rows.executemany("DELETE FROM removals WHERE document_id = ?", [(each,) for each in document_ids])
        with self._lock:
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def renamed(document: Document, name: str) -> Document:
    """The same content under the name it has elsewhere; its problems follow."""
    if document.name == name:
        return document
    problems = tuple(
        replace(problem, source=name) if problem.source == document.name else problem for problem in document.problems
    )
    return replace(document, name=name, problems=problems)
