"""The evidence index of one leaf document: its passages in memory, the vectors of their pieces on disk.

A piece is a sentence, or neighbouring short units of one passage put together; pieces are what is embedded, because a
passage is found better by its best sentence than by its own vector (docs/BENCHMARKS.md). Passages and words are cut
again at every load (2 s for a million tokens); vectors are made once: `<folder>/<leaf id>.evidence.safetensors`,
float16, replaced atomically. The file names its format, the embedder and the text that was cut; anything else is
refused, never misread. A build that is stopped or killed goes on from its last commit, at most 10 s back.
"""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ingest.document import Document
from llm.errors import SnapshotRefused
from llm.evidence.embedding import WIDTH, Embedder
from llm.evidence.passages import Passage, cut, flowing

FORMAT = 2  # raise it whenever passages, pieces or vectors are made in another way
_SUFFIX = ".evidence.safetensors"
_PIECE_CHARS = 60  # shorter units are put together; at 120, recall@5 over 5,664 contexts falls from 0.70 to 0.68
_BLOCK = 256  # pieces between two looks at the clock
_COMMIT_S = 10.0

OnProgress = Callable[[int, int], None]  # pieces done, pieces in all


class Piece(NamedTuple):
    """Characters [start, end) of a page that have one vector."""

    page_index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EvidenceIndex:
    """What is searched in one leaf document. Row i of `vectors` (N, WIDTH) float16 belongs to piece i."""

    document: Document
    passages: tuple[Passage, ...]
    pieces: tuple[Piece, ...]  # in the order of the passages
    pieces_of: tuple[range, ...]  # of each passage, never empty: which pieces are its own
    vectors: Tensor

    @classmethod
    def of(cls, document: Document, vectors: Tensor) -> "EvidenceIndex":
        """From the vectors of `piece_texts(document)`. Raises ValueError when there are more or fewer."""
        passages = tuple(cut(document))
        pieces, pieces_of = _pieces(passages)
        if len(vectors) != len(pieces):
            raise ValueError(f"{document.name} has {len(pieces)} pieces and {len(vectors)} vectors; embed it again")
        return cls(document, passages, pieces, pieces_of, vectors)


def piece_texts(document: Document) -> list[str]:
    """What is embedded of a leaf document, in the order of its vectors."""
    pieces, _ = _pieces(tuple(cut(document)))
    return [flowing(document.pages[piece.page_index].text[piece.start : piece.end]) for piece in pieces]


class EvidenceStore:
    """The indexes of many leaf documents below one folder."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._folder = folder
        self._embedder = embedder

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
        texts = piece_texts(document)
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
        try:
            return EvidenceIndex.of(document, vectors)
        except ValueError as error:
            raise SnapshotRefused(f"the evidence index is not whole: {error}") from error

    def forget(self, leaf_ids: Collection[str]) -> int:
        """Removes the indexes of these leaves; bytes removed."""
        removed = 0
        for leaf_id in leaf_ids:
            for path in (self._path(leaf_id), self._path(leaf_id).with_suffix(".writing")):
                if path.exists():
                    removed += path.stat().st_size
                    path.unlink()
        return removed

    def bytes_of(self, leaf_ids: Collection[str]) -> int:
        paths = [self._path(leaf_id) for leaf_id in leaf_ids]
        return sum(path.stat().st_size for path in paths if path.exists())

    def _path(self, leaf_id: str) -> Path:
        return self._folder / f"{leaf_id}{_SUFFIX}"

    def _metadata(self, document: Document) -> dict[str, str]:
        digest = hashlib.sha256()
        for page in document.pages:
            digest.update(page.text.encode("utf-8", "surrogatepass") + b"\0")
        return {"format": str(FORMAT), "embedder": self._embedder.identity, "text_sha256": digest.hexdigest()}

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


def _pieces(passages: Sequence[Passage]) -> tuple[tuple[Piece, ...], tuple[range, ...]]:
    pieces: list[Piece] = []
    pieces_of = []
    for passage in passages:
        first, start = len(pieces), None
        for low, high in passage.units:
            start = low if start is None else start
            if high - start >= _PIECE_CHARS or high == passage.end:
                pieces.append(Piece(passage.page_index, start, high))
                start = None
        pieces_of.append(range(first, len(pieces)))
    return tuple(pieces), tuple(pieces_of)


def _from(start: int, total: int, on_progress: OnProgress) -> OnProgress:
    def report(done: int, _: int) -> None:
        on_progress(start + done, total)

    return report
