"""The catalogue's tables, and opening them: created when new, refused when made by a newer Longleaf.

One SQLite file in write-ahead mode, so that the page and a command line may use one library at the same time.
Deleted rows are overwritten with zeros (`secure_delete`): the text of a deleted document does not stay in the file.
"""

import sqlite3
from pathlib import Path

from filelock import FileLock

from app.errors import LibraryUnusable

VERSION = 2
BUSY_TIMEOUT_S = 30.0

TABLES = """
-- What was parsed, once for each content and way of reading it ("recipe": suffix, pages, ocr). Folders included.
CREATE TABLE documents (
    id TEXT NOT NULL, recipe TEXT NOT NULL, format INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    parsed BLOB NOT NULL,
    PRIMARY KEY (id, recipe));
-- What a folder holds, under the names it has there.
CREATE TABLE members (
    folder_id TEXT NOT NULL, folder_recipe TEXT NOT NULL, position INTEGER NOT NULL,
    member_id TEXT NOT NULL, member_recipe TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (folder_id, folder_recipe, position)) WITHOUT ROWID;
-- What a person handed over.
CREATE TABLE entries (
    id TEXT PRIMARY KEY, recipe TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, pages INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, added_at TEXT NOT NULL, problems TEXT NOT NULL);
-- Which entry was read into which model's memory, and what that took.
CREATE TABLE readings (
    entry_id TEXT NOT NULL REFERENCES entries (id) ON DELETE CASCADE, recipe TEXT NOT NULL,
    model TEXT NOT NULL, tokens INTEGER NOT NULL, kv_bytes INTEGER NOT NULL,
    PRIMARY KEY (entry_id, recipe, model));
CREATE TABLE answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL, question TEXT NOT NULL,
    model TEXT NOT NULL, answer BLOB NOT NULL);
-- The documents that an answer was asked of: entries, or single members of a folder.
CREATE TABLE answer_documents (
    answer INTEGER NOT NULL REFERENCES answers (number) ON DELETE CASCADE, document_id TEXT NOT NULL,
    PRIMARY KEY (answer, document_id)) WITHOUT ROWID;
CREATE INDEX answers_of ON answer_documents (document_id);
-- Deleted documents whose KV and index are still to be removed; outlives a kill in the middle of a deletion.
CREATE TABLE removals (document_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""

# What later versions added: version -> its changes. A new catalogue is made as version 1 and goes the same way.
UPGRADES = {
    2: """
-- How much of an entry is read: `tokens_read` of its `tokens`.
ALTER TABLE readings ADD COLUMN tokens_read INTEGER NOT NULL DEFAULT 0;
UPDATE readings SET tokens_read = tokens;
-- Questions that belong together. Without a title of its own it goes by its first question.
CREATE TABLE conversations (id TEXT PRIMARY KEY, title TEXT) WITHOUT ROWID;
ALTER TABLE answers ADD COLUMN conversation TEXT REFERENCES conversations (id) ON DELETE CASCADE;
CREATE INDEX answers_in ON answers (conversation);
-- What a person thinks of an answer.
CREATE TABLE feedback (
    answer INTEGER PRIMARY KEY REFERENCES answers (number) ON DELETE CASCADE,
    verdict TEXT NOT NULL, note TEXT NOT NULL, given_at TEXT NOT NULL);
CREATE TABLE tags (
    entry_id TEXT NOT NULL REFERENCES entries (id) ON DELETE CASCADE, tag TEXT NOT NULL,
    PRIMARY KEY (entry_id, tag)) WITHOUT ROWID;
""",
}


def open_catalogue(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any thread under its owner's lock. Raises LibraryUnusable."""
    try:
        with FileLock(path.with_suffix(".lock"), timeout=BUSY_TIMEOUT_S, mode=0o600):
            return _opened(path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise LibraryUnusable(f"the catalogue {path} cannot be opened ({error}); choose another --data-dir") from error


def _opened(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        connection.close()
        raise LibraryUnusable(
            f"the catalogue {path} has format {found}, and this Longleaf reads up to {VERSION}; "
            "update Longleaf or choose another --data-dir"
        )
    if found == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    if found == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = 1; COMMIT;")
    for version in range(max(1, found) + 1, VERSION + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {UPGRADES[version]} PRAGMA user_version = {version}; COMMIT;")
    return connection
