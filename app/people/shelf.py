"""Collections that people share: copies of documents that somebody chose to show to everybody on the same server.

Owns one folder beside the homes: a folder for each shared document, with what it is called and who shares it. Nothing
gets here but by `share`; what is shared stays its owner's to withdraw. Guarantees: a document is there whole or not at
all; no path leaves the shelf. Who takes one gets a copy of their own, which is theirs to keep.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from app.errors import BadRequest

MAX_COLLECTION = 60  # characters
_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Shared:
    """A document on the shelf."""

    id: str
    document: str  # id of what the owner's library holds
    name: str
    collection: str
    home: str  # of the owner
    by: str  # the owner's name
    at: str  # ISO 8601, UTC


class SharedShelf:
    """Of one server. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder

    def all(self) -> list[Shared]:
        """By collection and name."""
        found = (self._read(folder) for folder in self._folder.iterdir() if _ID.fullmatch(folder.name))
        return sorted((one for one in found if one), key=lambda one: (one.collection.lower(), one.name.lower(), one.at))

    def share(self, home: str, by: str, document: str, name: str, collection: str, files: Mapping[str, Path]) -> Shared:
        """Puts a copy of a document's files on the shelf, `files` by their names in it. Raises BadRequest, OSError."""
        collection = " ".join(collection.split())
        if not 0 < len(collection) <= MAX_COLLECTION:
            raise BadRequest(f"the collection's name has {len(collection)} characters; give it 1 to {MAX_COLLECTION}")
        shared = Shared(secrets.token_hex(8), document, name, collection, home, by, _now())
        partial = self._folder / f"{shared.id}.partial"
        try:
            for inner, file in files.items():
                _copy(file, partial / "source" / _inside(inner))
            (partial / "shared.json").write_text(json.dumps(asdict(shared)), encoding="utf-8")
            partial.rename(self._folder / shared.id)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._withdraw_earlier(shared)
        return shared

    def source(self, shared_id: str) -> tuple[Path, str]:
        """Where it lies, and what it is called. Raises BadRequest."""
        shared = self._find(shared_id)
        return next((self._folder / shared.id / "source").iterdir()), shared.name

    def withdraw(self, shared_id: str, home: str) -> None:
        """Raises BadRequest for what is not there, or another's."""
        if self._find(shared_id).home != home:
            raise BadRequest("only who shares a document can withdraw it")
        shutil.rmtree(self._folder / shared_id, ignore_errors=True)

    def forget(self, home: str, document: str | None = None) -> None:
        """Withdraws what a home shares: one document of it, or all."""
        for shared in self.all():
            if shared.home == home and document in (None, shared.document):
                shutil.rmtree(self._folder / shared.id, ignore_errors=True)

    def _withdraw_earlier(self, shared: Shared) -> None:
        """The same document of the same person is in one collection only."""
        for other in self.all():
            if (other.home, other.document) == (shared.home, shared.document) and other.id != shared.id:
                shutil.rmtree(self._folder / other.id, ignore_errors=True)

    def _find(self, shared_id: str) -> Shared:
        found = self._read(self._folder / shared_id) if _ID.fullmatch(shared_id) else None
        if found is None:
            raise BadRequest("this document is not shared any more")
        return found

    def _read(self, folder: Path) -> Shared | None:
        try:
            return Shared(**json.loads((folder / "shared.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # withdrawn this moment
            return None


def _inside(name: str) -> PurePosixPath:
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", ".")]
    if not parts or ".." in parts:
        raise BadRequest(f"{name[:200]!r} cannot be shared under that name")
    return PurePosixPath(*parts)


def _copy(file: Path, target: Path) -> None:
    """Another name for the same bytes where the disk can do that: originals never change."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
