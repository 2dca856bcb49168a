"""All snapshots below one folder: opened by what they were made from, removed by document or by age.

Removing needs neither a model nor its layouts, and takes snapshots of every model and format.
"""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from llm.kv import files
from llm.kv.codec import KVDtype
from llm.kv.layout import LayerLayout
from llm.kv.manifest import MANIFEST, Commit, Manifest, Origin, read_documents, read_manifest, tokens_sha256
from llm.kv.snapshot import Snapshot, writer_lock


class SnapshotStore:
    """The snapshots that one model, with one tokenizer and one dtype of KV, makes and may read."""

    def __init__(
        self,
        root: Path,
        *,
        layouts: Sequence[LayerLayout],
        identity: str,
        kv_dtype: KVDtype,
        disk_budget_bytes: int | None,
    ) -> None:
        """identity: names weights, tokenizer and whatever else the KV depends on."""
        self._root = root
        self._layouts = tuple(layouts)
        self._identity = identity
        self._kv_dtype = kv_dtype
        self._disk_budget_bytes = disk_budget_bytes

    def open(self, token_ids: Sequence[int], document_ids: Sequence[str]) -> Snapshot:
        """The snapshot of these tokens: complete, begun, or empty when there is none that may be used."""
        origin = Origin(self._identity, self._kv_dtype, self._layouts, len(token_ids), tokens_sha256(token_ids))
        folder = self._root / origin.folder_name()
        manifest = read_manifest(folder, origin)
        if manifest is None:
            return Snapshot(folder, token_ids, Manifest(origin, tuple(document_ids), Commit()))
        if not set(document_ids) <= set(manifest.document_ids):
            manifest = self._with_documents(folder, manifest, document_ids)
        with suppress(OSError):
            os.utime(folder / MANIFEST)  # used now
        return Snapshot(folder, token_ids, manifest)

    def discard(self, snapshot: Snapshot) -> int:
        """Removes its files and makes it empty; bytes removed."""
        return snapshot.discard()

    def forget(self, document_ids: Collection[str]) -> int:
        return forget(self._root, document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        return bytes_of(self._root, document_ids)

    def evict(self, keep: Collection[Path]) -> int:
        """Removes the least recently used snapshots, but none whose folder is in `keep`, until under the budget.

        Bytes removed.
        """
        if self._disk_budget_bytes is None or not self._root.is_dir():
            return 0
        removed = 0
        with writer_lock(self._root):
            sizes = {folder: files.bytes_below(folder) for folder in sorted(_folders(self._root), key=_last_used_ns)}
            total = sum(sizes.values())
            for folder in sizes:
                if total - removed <= self._disk_budget_bytes:
                    break
                if folder not in keep:
                    removed += files.remove_folder(folder)
        return removed

    def _with_documents(self, folder: Path, manifest: Manifest, document_ids: Sequence[str]) -> Manifest:
        """The same tokens came from other documents too: deleting any of them must find this snapshot."""
        with writer_lock(self._root):
            manifest = (read_manifest(folder, manifest.origin) or manifest).with_documents(document_ids)
            manifest.write(folder)
        return manifest


def forget(root: Path, document_ids: Collection[str]) -> int:
    """Removes every snapshot that holds one of the documents, whatever model made it; bytes removed."""
    if not root.is_dir():
        return 0
    with writer_lock(root):
        return sum(files.remove_folder(folder) for folder in _folders_with(root, document_ids))


def bytes_of(root: Path, document_ids: Collection[str]) -> int:
    """Bytes on disk of the snapshots that hold one of the documents."""
    return sum(files.bytes_below(folder) for folder in _folders_with(root, document_ids))


def _folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def _folders_with(root: Path, document_ids: Collection[str]) -> list[Path]:
    wanted = set(document_ids)
    return [folder for folder in _folders(root) if wanted.intersection(read_documents(folder))]


def _last_used_ns(folder: Path) -> int:
    """0 for what a kill left before its first commit."""
    try:
        return (folder / MANIFEST).stat().st_mtime_ns
    except OSError:
        return 0
