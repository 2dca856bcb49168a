"""Token streams on disk: what a leaf document was encoded to, so that a new process need not encode it again.

One safetensors file a stream, below one folder, named by leaf and by all that its tokens depend on; replaced
atomically. A file that cannot be read is made again.
"""

import hashlib
import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ingest.document import Document
from llm.eyes import ShownPages
from llm.prompt import Prompt
from llm.stream import StreamPage, TokenStream, doubts_of
from llm.tokens import Placed, Tokens
from vision import Mixture

_FORMAT = 2  # raise it whenever labels or the order of pages are made in another way
_MIN_TOKENS = 4096  # shorter streams are encoded sooner than read
_log = logging.getLogger(__name__)


class StreamStore:
    """Streams of single leaves."""

    def __init__(self, folder: Path, prompt: Prompt, identity: str) -> None:
        """`identity` names the tokenizer."""
        self._folder, self._prompt, self._identity = folder, prompt, identity
        self.shown: ShownPages | None = None  # which pages are shown as pictures

    def stream(self, leaf: Document) -> TokenStream:
        """From disk, or encoded and kept there; a full disk keeps nothing and harms nothing.

        A leaf with pictures is always encoded: a picture's tokens take next to no time without its pixels.
        """
        if self.shown is not None and any(map(self.shown.shows, leaf.pages)):
            return TokenStream.of([leaf], self._prompt, self.shown)
        path = self._path(leaf)
        if path.is_file():
            try:
                return self._loaded(path, leaf)
            except (OSError, SafetensorError, KeyError) as error:
                _log.warning("the tokens of %s are encoded again: %s", leaf.name, error)
        stream = TokenStream.of([leaf], self._prompt)
        if len(stream) >= _MIN_TOKENS:
            self._keep(stream, path)
        return stream

    def forget(self, document_ids: Collection[str]) -> int:
        return forget(self._folder, document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        """Bytes of these leaves' streams."""
        return sum(path.stat().st_size for path in _files(self._folder, document_ids))

    def _path(self, leaf: Document) -> Path:
        chars = sum(len(page.text) for page in leaf.pages)
        doubts = sum(len(doubts_of(page)) for page in leaf.pages)
        seen_by = (doubts, self._prompt.patches_identity) if doubts else ()
        parts = (_FORMAT, self._identity, leaf.name, leaf.id, len(leaf.pages), chars, *seen_by)
        key = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
        return self._folder / f"{_prefix(leaf.id)}.{key}.tokens"

    def _keep(self, stream: TokenStream, path: Path) -> None:
        tensors = {
            "token_ids": torch.tensor(list(stream.token_ids), dtype=torch.int32),
            **_mixtures_to_tensors(stream.token_ids.mixtures),
            "page_ends": torch.tensor([page.end for page in stream.pages], dtype=torch.int64),
        }
        writing = path.with_suffix(".tokens-writing")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_file(tensors, writing)
            os.chmod(writing, 0o600)
            os.replace(writing, path)
        except (OSError, SafetensorError) as error:
            _log.warning("the tokens of %s are not kept: %s", stream.leaves[0].name, error)

    def _loaded(self, path: Path, leaf: Document) -> TokenStream:
        tensors = load_file(path)
        ends: list[int] = tensors["page_ends"].tolist()
        pages = tuple(
            StreamPage(0, index, start, end) for index, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
        )
        token_ids = Tokens(tensors["token_ids"].tolist(), _mixtures_from_tensors(tensors))
        return TokenStream((leaf,), token_ids, pages, self._prompt)


def _mixtures_to_tensors(mixtures: Sequence[Placed]) -> dict[str, torch.Tensor]:
    """One row a token of a mixture: its place, its id, its weight."""
    rows = [
        (at, token_id, weight)
        for at, mixture in mixtures
        for token_id, weight in zip(mixture.token_ids, mixture.weights, strict=True)
    ]
    return {
        "mixture_at": torch.tensor([row[0] for row in rows], dtype=torch.int64),
        "mixture_ids": torch.tensor([row[1] for row in rows], dtype=torch.int32),
        "mixture_weights": torch.tensor([row[2] for row in rows], dtype=torch.float64),
    }


def _mixtures_from_tensors(tensors: Mapping[str, torch.Tensor]) -> Iterator[Placed]:
    columns = (tensors[f"mixture_{name}"].tolist() for name in ("at", "ids", "weights"))
    for at, rows in groupby(zip(*columns, strict=True), key=itemgetter(0)):
        _, token_ids, weights = zip(*rows, strict=True)
        yield at, Mixture(token_ids, weights)


def forget(folder: Path, document_ids: Collection[str]) -> int:
    """Removes the streams of these leaves; bytes removed."""
    removed = 0
    for path in _files(folder, document_ids):
        removed += path.stat().st_size
        path.unlink()
    return removed


def _files(folder: Path, document_ids: Collection[str]) -> list[Path]:
    prefixes = {_prefix(leaf_id) for leaf_id in document_ids}
    return [path for path in folder.glob("*.tokens*") if path.name.partition(".")[0] in prefixes]


def _prefix(leaf_id: str) -> str:
    return hashlib.sha256(leaf_id.encode()).hexdigest()[:24]
