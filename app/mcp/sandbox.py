"""What an assistant may reach: files below the folders that the person allowed, and what was opened from there.

Guarantees: a path counts where it really leads, symbolic links resolved; of anything else not even its existence is
told. Owns no document; only which ids were opened here.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from app.errors import BadRequest, NotAllowed, NotInLibrary, SourceNotFound
from app.service import Entry, Longleaf

MAX_LISTED = 1000


class Sandbox:
    """`whole_library`: documents of the library may be asked about, too, wherever they came from."""

    def __init__(self, longleaf: Longleaf, folders: Sequence[Path], *, whole_library: bool = False) -> None:
        """Raises BadRequest."""
        self._longleaf, self._whole_library = longleaf, whole_library
        self._folders = [folder.expanduser().resolve() for folder in folders]
        wrong = [str(folder) for folder in self._folders if not folder.is_dir()]
        if wrong:
            raise BadRequest(f"{wrong[0]} is no folder; allow folders that exist")
        if not folders and not whole_library:
            raise BadRequest("nothing was allowed; give --allow FOLDER, or --library for what is read already")
        self._opened: dict[str, str] = {}  # path -> id of its document
        self._ids: set[str] = set()  # those, and of the files in them

    def folders(self) -> list[str]:
        return [str(folder) for folder in self._folders]

    def path(self, text: str) -> Path:
        """Where a path leads; a relative one begins at an allowed folder. Raises NotAllowed, SourceNotFound."""
        inside = [path for path in self._meant(text) if any(path.is_relative_to(folder) for folder in self._folders)]
        if not inside:
            allowed = ", ".join(self.folders()) or "none"
            raise NotAllowed(f"{text[:200]!r} is not below an allowed folder; allowed: {allowed}")
        there = [path for path in inside if path.exists()]
        if not there:
            raise SourceNotFound(f"{text[:200]!r} does not exist; `list_files` shows what there is")
        return there[0]

    def listing(self, folder: str | None) -> list[dict[str, Any]]:
        """What lies in a folder, or the allowed folders themselves. Raises NotAllowed, SourceNotFound, BadRequest."""
        if folder is None:
            return [self._listed(path) for path in self._folders]
        path = self.path(folder)
        if not path.is_dir():
            raise BadRequest(f"{folder[:200]!r} is a file; name a folder")
        inside = [child for child in sorted(path.iterdir()) if self._is_inside(child)]
        if len(inside) > MAX_LISTED:
            raise BadRequest(f"{folder[:200]!r} holds {len(inside):,} files; at most {MAX_LISTED:,} are listed at once")
        return [self._listed(child) for child in inside]

    def remember(self, path: Path | None, entry: Entry) -> None:
        """From now on the document and its files may be named by id."""
        if path is not None:
            self._opened[str(path)] = entry.id
        self._ids |= {entry.id, *(leaf.id for leaf in self._longleaf.document(entry.id).leaves())}

    def known(self, key: str) -> Entry | None:
        """The document of that id or name, if it was opened here or the whole library is allowed."""
        try:
            entry = self._longleaf.entry(key)
        except NotInLibrary:
            return None
        return entry if self._whole_library or entry.id in self._ids else None

    def check_id(self, document_id: str) -> None:
        """Raises NotInLibrary, in the same words for what is elsewhere and for what is nowhere."""
        if document_id not in self._ids and not self._whole_library:
            raise NotInLibrary(f"no document with id {document_id[:12]!r} was opened here; read or ask about it first")

    def documents(self) -> list[Entry]:
        """Those that may be named by id."""
        return [entry for entry in self._longleaf.entries() if self._whole_library or entry.id in self._ids]

    def _meant(self, text: str) -> Iterable[Path]:
        try:
            given = Path(text).expanduser()
            return [given.resolve()] if given.is_absolute() else [(top / given).resolve() for top in self._folders]
        except (OSError, RuntimeError, ValueError):  # a loop of links, a null character, an unknown user
            return []

    def _is_inside(self, path: Path) -> bool:
        try:
            return any(path.resolve().is_relative_to(folder) for folder in self._folders)
        except (OSError, RuntimeError):
            return False

    def _listed(self, path: Path) -> dict[str, Any]:
        is_folder = path.is_dir()
        size = None if is_folder or not path.exists() else path.stat().st_size
        return {
            "path": str(path), "is_folder": is_folder, "size_bytes": size, "document": self._opened.get(str(path)),
        }  # fmt: skip
