"""Snapshots: the KV of one reading on disk, below `<state_dir>/kv/<key>/`.

A snapshot is a manifest and one safetensors file for each chunk read. A chunk's file is written and synced first, then
the manifest is renamed into place: that is the commit, so a kill loses at most the chunk being read. The manifest
names the identity (weights, tokenizer, prompt, dtype) and the tokens; anything else is refused, never misread.

This is the seam for the block store: `Engine` knows `open`, `append`, `load`, `forget`, `bytes_of`, nothing of files.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from llm.errors import SnapshotRefused
from llm.reading.kv_cache import ReadingCache

FORMAT = 1
_MANIFEST = "manifest.json"


@dataclass(slots=True)
class Snapshot:
    """One reading on disk, complete or begun."""

    folder: Path
    identity: str
    token_ids: Sequence[int]
    document_ids: tuple[str, ...]
    chunks: list[dict[str, int | str]] = field(default_factory=list)  # file, start, end, sha256

    @property
    def num_tokens(self) -> int:
        """Tokens whose KV is committed."""
        return int(self.chunks[-1]["end"]) if self.chunks else 0

    @property
    def is_complete(self) -> bool:
        return self.num_tokens == len(self.token_ids)

    def append(self, cache: ReadingCache, end: int) -> None:
        """Commits tokens [num_tokens, end) of `cache`. Raises OSError when the disk is full; nothing is lost then."""
        start = self.num_tokens
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"chunk-{len(self.chunks):05d}.safetensors"
        writing = path.with_suffix(".writing")
        save_file(cache.tensors(start, end), writing)
        _sync_and_rename(writing, path)
        self.chunks.append({"file": path.name, "start": start, "end": end, "sha256": _sha256(path)})
        manifest = {
            "format": FORMAT,
            "identity": self.identity,
            "tokens_sha256": tokens_sha256(self.token_ids),
            "documents": list(self.document_ids),
            "chunks": self.chunks,
        }
        writing = self.folder / "manifest.writing"
        writing.write_text(json.dumps(manifest), encoding="utf-8")
        _sync_and_rename(writing, self.folder / _MANIFEST)

    def load(self, device: torch.device) -> ReadingCache:
        """The committed KV in memory. Raises SnapshotRefused when a file is missing or damaged."""
        cache = ReadingCache()
        for chunk in self.chunks:
            path = self.folder / str(chunk["file"])
            if not path.is_file() or _sha256(path) != chunk["sha256"]:
                raise SnapshotRefused(
                    f"the stored reading {self.folder.name[:12]} is damaged in {path.name}; it is read anew"
                )
            cache.append_tensors(load_file(path), device)
        return cache


class SnapshotStore:
    """All snapshots below one folder. Two processes may read; the one that reads a document writes its snapshot."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, identity: str, token_ids: Sequence[int], document_ids: Sequence[str]) -> Snapshot:
        """The snapshot of these tokens: complete, begun, or empty when there is none that can be used."""
        key = hashlib.sha256(f"{FORMAT} {identity} {tokens_sha256(token_ids)}".encode()).hexdigest()
        snapshot = Snapshot(self._root / key, identity, token_ids, tuple(document_ids))
        try:
            manifest = json.loads((snapshot.folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return snapshot
        made_for = (manifest.get("format"), manifest.get("identity"), manifest.get("tokens_sha256"))
        if made_for == (FORMAT, identity, tokens_sha256(token_ids)):
            snapshot.chunks = list(manifest["chunks"])
        return snapshot

    def discard(self, snapshot: Snapshot) -> None:
        """Removes its files and makes it empty."""
        shutil.rmtree(snapshot.folder, ignore_errors=True)
        snapshot.chunks = []

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes every snapshot that holds one of the documents; bytes removed."""
        removed = 0
        for folder in self._folders_with(document_ids):
            removed += _bytes_below(folder)
            shutil.rmtree(folder)
        return removed

    def bytes_of(self, document_ids: Collection[str]) -> int:
        """Bytes on disk of the snapshots that hold one of the documents."""
        return sum(_bytes_below(folder) for folder in self._folders_with(document_ids))

    def _folders_with(self, document_ids: Collection[str]) -> list[Path]:
        wanted = set(document_ids)
        found = []
        for manifest_path in self._root.glob(f"*/{_MANIFEST}"):
            try:
                documents = json.loads(manifest_path.read_text(encoding="utf-8"))["documents"]
            except (OSError, ValueError, KeyError):
                continue
            if wanted.intersection(documents):
                found.append(manifest_path.parent)
        return found


def tokens_sha256(token_ids: Sequence[int]) -> str:
    """Hex digest of the token ids as little-endian 32-bit integers."""
    return hashlib.sha256(torch.tensor(token_ids, dtype=torch.int32).numpy().astype("<i4").tobytes()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_and_rename(writing: Path, final: Path) -> None:
    with writing.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(writing, final)


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
