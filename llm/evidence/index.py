"""The evidence index of one leaf document: the vectors of its pieces, beside the passages and words that it was cut to.

Vectors are made once: `<folder>/<leaf id>.evidence.safetensors`, float16, replaced atomically. The file names its
format, the embedder and the text that was cut; anything else is refused, never misread. A build that is stopped or
killed goes on from its last commit, at most 10 s back. What a document was cut to is kept by `CutStore`.
"""

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ingest.document import Document
from llm.errors import SnapshotRefused
from llm.evidence.cut_store import CutStore, text_sha256
from llm.evidence.cutting import FORMAT, CutLeaf
from llm.evidence.embedding import WIDTH, Embedder

_SUFFIX = ".evidence.safetensors"
_BLOCK = 256  # pieces between two looks at the clock
_COMMIT_S = 10.0

OnProgress = Callable[[int, int], None]  # pieces done, pieces in all


@dataclass(frozen=True, slots=True)
class EvidenceIndex:
    """What is searched in one leaf document. Row i of `vectors` (M, WIDTH) float16 belongs to piece i."""

    document: Document
    cut: CutLeaf
    vectors: Tensor


class EvidenceStore:
    """The indexes of many leaf documents below one folder."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._folder = folder
        self._embedder = embedder
        self._cuts = CutStore(folder)

    def is_built(self, document: Document) -> bool:
        """Whether `load` would succeed; looks at the file's head only."""
        try:
            return self._open(document)[1]
        except SnapshotRefused:
            return False

    def build(
        self, document: Document, on_progress: OnProgress = lambda done, total: None, cancel: Event | None = None
    ) -> bool:
        """Embeds what is not yet embedded and commits it; whether the index is complete now (not if cancelled)."""
        texts = self._cuts.cut(document).piece_texts(document)
        vectors = self._committed(document)[: len(texts)]
        committed_at, num_committed = time.monotonic(), len(vectors)
        for start in range(len(vectors), len(texts), _BLOCK):
            made = self._embedder.embed(texts[start : start + _BLOCK], _from(start, len(texts), on_progress), cancel)
            if made is None:
                break
            vectors = torch.cat([vectors, made.half()])
            if time.monotonic() - committed_at > _COMMIT_S:
                self._commit(document, vectors, len(texts))
                committed_at, num_committed = time.monotonic(), len(vectors)
        if len(vectors) > num_committed or not self._path(document.id).exists():
            self._commit(document, vectors, len(texts))
        return len(vectors) == len(texts)

    def load(self, document: Document) -> EvidenceIndex:
        """The index, vectors memory-mapped. Raises SnapshotRefused when it is absent, unfinished or of another kind."""
        vectors, _ = self._open(document)
        leaf = self._cuts.cut(document)
        if len(vectors) != len(leaf.pieces):
            raise SnapshotRefused(
                f"the evidence index is not whole: {document.name} has {len(leaf.pieces)} pieces and {len(vectors)} "
                "vectors; read it again"
            )
        return EvidenceIndex(document, leaf, vectors)

    def forget(self, leaf_ids: Collection[str]) -> int:
        """Removes the indexes of these leaves; bytes removed."""
        removed = self._cuts.forget(leaf_ids)
        for leaf_id in leaf_ids:
            for path in (self._path(leaf_id), self._path(leaf_id).with_suffix(".writing")):
                if path.exists():
                    removed += path.stat().st_size
                    path.unlink()
        return removed

    def bytes_of(self, leaf_ids: Collection[str]) -> int:
        paths = [self._path(leaf_id) for leaf_id in leaf_ids]
        return self._cuts.bytes_of(leaf_ids) + sum(path.stat().st_size for path in paths if path.exists())

    def _path(self, leaf_id: str) -> Path:
        return self._folder / f"{leaf_id}{_SUFFIX}"

    def _metadata(self, document: Document) -> dict[str, str]:
        return {"format": str(FORMAT), "embedder": self._embedder.identity, "text_sha256": text_sha256(document)}

    def _committed(self, document: Document) -> Tensor:
        try:
            return self._open(document)[0]
        except SnapshotRefused:
            return torch.empty(0, WIDTH, dtype=torch.float16)

    def _open(self, document: Document) -> tuple[Tensor, bool]:
        """The vectors on disk, and whether they are all."""
        path = self._path(document.id)
        try:
            with safe_open(path, framework="pt") as stored:
                found: dict[str, str] = stored.metadata() or {}
                vectors: Tensor = stored.get_tensor("vectors")
        except (OSError, SafetensorError) as error:
            raise SnapshotRefused(
                f"the evidence index of {document.name} cannot be read ({error}); read it again"
            ) from error
        expected = self._metadata(document)
        other = [f"{key} {found.get(key)}" for key in expected if found.get(key) != expected[key]]
        if other:
            raise SnapshotRefused(
                f"the evidence index of {document.name} was made with {', '.join(other)}; "
                f"needed is {', '.join(f'{key} {value}' for key, value in expected.items())}; read it again"
            )
        return vectors, found.get("pieces") == str(len(vectors))

    def _commit(self, document: Document, vectors: Tensor, num_pieces: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(document.id)
        writing = path.with_suffix(".writing")
        save_file({"vectors": vectors}, writing, {**self._metadata(document), "pieces": str(num_pieces)})
        with writing.open("rb+") as stream:
            os.fsync(stream.fileno())
        writing.replace(path)


def _from(start: int, total: int, on_progress: OnProgress) -> OnProgress:
    def report(done: int, _: int) -> None:
        on_progress(start + done, total)

    return report
