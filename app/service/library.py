"""Sources in, documents out, documents away: the catalogue and the originals as one thing.

Guarantees: adding the same bytes again parses nothing; a member that several folders share goes with the last of
them; passwords stay in this process's memory. KV and index are the engine's, and named in `Removed.ids`.
"""

import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import ingest
from app.errors import AmbiguousName, BadRequest, NotInLibrary, OriginalMissing, SourceNotFound
from app.service.catalogue import Catalogue, Removed, renamed
from app.service.originals import Originals, private_dir
from app.service.page_images import PageImages
from app.service.recipe import file_recipe
from app.service.values import Entry
from ingest.document import Document, Kind, Page
from ingest.options import ReadOptions
from ingest.reader import OnProgress, SourceFile
from ingest.sandbox import read_file

if TYPE_CHECKING:
    from ingest import SourceProgress

OnSource = Callable[["SourceProgress"], None]
MIN_DPI, MAX_DPI = 20, 400
MIN_PREFIX = 8  # characters of a document's id
KEPT_IN_MEMORY = 16  # documents; a page turned must not parse the whole book's JSON again


class Library:
    """One data folder."""

    def __init__(self, data_dir: Path, page_images: PageImages | None = None) -> None:
        """`page_images`: where pictures of pages are kept; None: in one of its own."""
        private_dir(data_dir)
        self._data_dir = data_dir
        self.catalogue = Catalogue(data_dir / "catalogue.sqlite")
        self.originals = Originals(data_dir / "originals", data_dir / "work")
        self._page_images = page_images or PageImages()
        self._passwords: dict[str, str] = {}
        self._recent: dict[tuple[str, str, str | None], Document] = {}  # by id, recipe and name
        self.sweep()

    def sweep(self) -> tuple[int, int]:
        """Removes files that no catalogued document names: a killed process's, and a deleted document's."""
        self.originals.sweep_scratch()
        with self.catalogue.transaction():
            return self.originals.sweep(self.catalogue.document_ids())

    def add(
        self,
        source: Path,
        *,
        name: str | None,
        options: ReadOptions,
        count_tokens: Callable[[str], int],
        on_progress: OnSource,
        cancel: threading.Event | None,
    ) -> tuple[str, Removed]:
        """The entry's id, and what an earlier way of reading it left. Raises SourceNotFound, IngestError, OSError."""
        if not source.exists():
            raise SourceNotFound(f"{source} does not exist; give the path of a file or folder")
        known = self._known(source, name, options)
        if known is not None:
            return known, Removed()
        with self.originals.scratch() as scratch:
            opened = ingest.open_source(
                source, work_dir=scratch, options=options, name=name, read=self._read_once,
                count_tokens=count_tokens, on_progress=on_progress, cancel=cancel,
            )  # fmt: skip
            document = opened.document
            names = {leaf.id: leaf.name for leaf in document.leaves()}
            files = {leaf_id: file for leaf_id, file in opened.files.items() if leaf_id in names}
            staged = self.originals.stage(files, names, scratch)
            with self.catalogue.transaction():
                self.originals.settle(staged)
                removed = self.catalogue.save(document, options)
        self._remember(files, options)
        self._recent.clear()
        return document.id, removed

    def _known(self, source: Path, name: str | None, options: ReadOptions) -> str | None:
        """The id of a single file that is an entry already, read in this way."""
        if not source.is_file():
            return None
        file = SourceFile.of(source, name)
        if not self.catalogue.lone(file.id, file_recipe(file.name, options), file.name):
            return None
        self._remember({file.id: source}, options)
        self._recent.clear()
        return file.id

    def _remember(self, files: dict[str, Path], options: ReadOptions) -> None:
        if options.password is not None:
            self._passwords.update(dict.fromkeys(files, options.password))

    def _read_once(self, file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> Document:
        """`ingest.ReadFile`: from the catalogue what was parsed before, in this way; the rest in a child process."""
        known = self.catalogue.parsed(file.id, file_recipe(file.name, options))
        return renamed(known, file.name) if known is not None else read_file(file, options, on_progress)

    def entry(self, key: str, model: str) -> Entry:
        """By id, by the beginning of one (4 characters or more), or by name. Raises NotInLibrary."""
        if whole := self.catalogue.entries(model, key):  # a batch asks so for each of its thousands
            return whole[0]
        entries = self.catalogue.entries(model)
        found = [entry for entry in entries if entry.name == key]
        if not found and len(key) >= 4:
            found = [entry for entry in entries if entry.id.startswith(key.lower())]
        if not found:
            raise NotInLibrary(f"the library has no document {key!r}; `library list` shows the {len(entries)} it has")
        if len(found) > 1:
            ids = ", ".join(entry.id[:12] for entry in found)
            raise AmbiguousName(f"{key!r} stands for {len(found)} documents of the library; name one by its id: {ids}")
        return found[0]

    def document(self, document_id: str) -> Document:
        """Any catalogued document or member of one, with its members. Raises NotInLibrary."""
        recipes = self.catalogue.recipes(document_id)
        if not recipes:
            raise NotInLibrary(f"the library has no document with id {document_id[:12]}; it may have been deleted")
        name = self.catalogue.entry_name(document_id)
        key = (document_id, recipes[0], name)
        document = self._recent.get(key)
        if document is None:
            document = next((found for how in recipes if (found := self.catalogue.tree(document_id, how))), None)
            document = document or self._read_again(document_id, recipes[0])
            document = renamed(document, name or document.name)
            for oldest in list(self._recent)[: max(0, len(self._recent) + 1 - KEPT_IN_MEMORY)]:  # others add meanwhile
                self._recent.pop(oldest, None)
            self._recent[key] = document
        return document

    def place_of(self, leaf_prefix: str) -> tuple[str, str]:
        """The ids of an entry and of its leaf that begins so. Raises NotInLibrary."""
        found = self.catalogue.beginning(leaf_prefix.lower()) if len(leaf_prefix) >= MIN_PREFIX else []
        for entry_id in self.catalogue.entry_ids() if len(found) == 1 else ():
            if found[0] in self.catalogue.reached(entry_id):
                return entry_id, found[0]
        raise NotInLibrary(f"the library has no document {leaf_prefix[:12]!r}; it may have been deleted")

    def _read_again(self, document_id: str, how: str) -> Document:
        """Of a single file that an older Longleaf had parsed into another format. Folders must be handed over again."""
        name = self.catalogue.entry_name(document_id)
        path = self.originals.path(document_id)
        options = ReadOptions()
        if name is None or path is None or how != file_recipe(name, options):
            raise NotInLibrary(
                f"{name or document_id[:12]} was read by an older Longleaf in another format; hand it over again"
            )
        document = read_file(SourceFile.of(path, name), options, lambda done, total: None)
        self.catalogue.save(document, options)
        return document

    def page_image(self, document_id: str, page_index: int, dpi: int) -> bytes:
        """PNG of one page, upright. Raises NotInLibrary, BadRequest, OriginalMissing, IngestError."""
        document = self.document(document_id)
        if not 0 <= page_index < len(document.pages):
            raise BadRequest(f"{document.name} has no page index {page_index}; it has {len(document.pages)} pages")
        if document.kind not in (Kind.PDF, Kind.IMAGE):
            raise BadRequest(f"{document.name} has no page images; it is a {document.kind} document, shown as text")
        if not MIN_DPI <= dpi <= MAX_DPI:
            raise BadRequest(f"a page image of {dpi} dpi was asked for; it must be {MIN_DPI} to {MAX_DPI}")
        page = document.pages[page_index]
        key = (self._data_dir, document_id, page.page_no, page.rotation, dpi)
        return self._page_images.get(key, lambda: self._render(document, page, dpi))

    def _render(self, document: Document, page: Page, dpi: int) -> bytes:
        path = self.originals.path(document.id)
        if path is None:
            raise OriginalMissing(f"the library's copy of {document.name} is gone; hand it over again")
        return ingest.render_page(path, document.kind, page, dpi, self._passwords.get(document.id))

    def files(self, document_id: str) -> dict[str, Path]:
        """The library's copies of a document's files, by their names in it. Raises NotInLibrary."""
        document = self.document(document_id)
        found = {leaf.name: self.originals.path(leaf.id) for leaf in document.leaves() if leaf.kind is not Kind.MAP}
        under = f"{PurePosixPath(document.name).name}/" if document.kind is Kind.FOLDER else ""
        return {under + name: path for name, path in found.items() if path is not None}

    def delete(self, entry: Entry) -> tuple[Removed, int, int]:
        """What went from the catalogue, then files and bytes of originals. `removals` still names its KV and index."""
        removed = self.catalogue.delete(entry.id)
        files, file_bytes = self.sweep()
        self._recent.clear()
        self._page_images.forget(self._data_dir, removed.ids)
        for document_id in removed.ids:
            self._passwords.pop(document_id, None)
        return removed, files, file_bytes

    def close(self) -> None:
        self.catalogue.close()
