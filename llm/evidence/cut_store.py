"""Cut leaves on disk, so that a new process need not cut them again (2 s for a million tokens).

One safetensors file a leaf, `<leaf id>.<key>.cut`: the arrays of `CutLeaf`, its strings as JSON, a checksum over all of
them; replaced atomically. The key is made of everything that the cut depends on, so a file of another version,
stemmer or name is never opened. A file that is damaged is made again.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import Stemmer  # type: ignore[import-not-found]
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ingest.document import Document
from llm.evidence.cutting import FORMAT, CutLeaf
from llm.evidence.words import WordIndex

_FORMAT = 1  # raise it whenever words are found, or arrays are laid out, in another way
_MIN_PASSAGES = 4  # fewer are cut sooner than read
_NAMES = (
    "places", "units", "unit_ends", "pieces", "piece_ends", "word_starts", "word_passages", "word_counts", "lengths",
    "strings",
)  # fmt: skip
_log = logging.getLogger(__name__)

_Arrays = Mapping[str, NDArray[Any]]


class CutStore:
    """The cut leaves below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def cut(self, document: Document) -> CutLeaf:
        """From disk, or cut now and kept there; a full disk keeps nothing and harms nothing."""
        key = _key(document)
        path = self._folder / f"{document.id}.{key[:16]}.cut"
        if path.is_file():
            try:
                return _loaded(path, key)
            except (OSError, SafetensorError, ValueError, KeyError) as error:
                _log.warning("%s is cut into passages again: %s", document.name, error)
        leaf = CutLeaf.of(document)
        if len(leaf) >= _MIN_PASSAGES:
            self._keep(leaf, key, path)
        return leaf

    def forget(self, leaf_ids: Collection[str]) -> int:
        """Removes what these leaves were cut to; bytes removed."""
        removed = 0
        for path in self._files(leaf_ids):
            removed += path.stat().st_size
            path.unlink()
        return removed

    def bytes_of(self, leaf_ids: Collection[str]) -> int:
        return sum(path.stat().st_size for path in self._files(leaf_ids))

    def _files(self, leaf_ids: Collection[str]) -> list[Path]:
        wanted = set(leaf_ids)
        return [path for path in self._folder.glob("*.cut*") if path.name.partition(".")[0] in wanted]

    def _keep(self, leaf: CutLeaf, key: str, path: Path) -> None:
        arrays = _arrays(leaf)
        writing = path.with_suffix(".cut-writing")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_file(dict(arrays), writing, {"key": key, "crc32": _checksum(arrays)})
            os.chmod(writing, 0o600)
            os.replace(writing, path)
        except (OSError, SafetensorError) as error:
            _log.warning("the passages of %s are not kept: %s", path.name.partition(".")[0][:12], error)


def text_sha256(document: Document) -> str:
    """Names the text of a leaf's pages."""
    digest = hashlib.sha256()
    for page in document.pages:
        digest.update(page.text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _key(document: Document) -> str:
    """Names everything that a cut depends on."""
    parts = (
        FORMAT, _FORMAT, Stemmer.version(), document.name, document.kind, text_sha256(document), document.headings,
        document.definitions,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _arrays(leaf: CutLeaf) -> _Arrays:
    words = leaf.words
    strings = json.dumps([leaf.contexts, leaf.defines, words.vocabulary]).encode()
    arrays = (
        leaf.places, leaf.units, leaf.unit_ends, leaf.pieces, leaf.piece_ends, words.starts, words.passages,
        words.counts, words.lengths, np.frombuffer(strings, np.uint8),
    )  # fmt: skip
    return dict(zip(_NAMES, arrays, strict=True))


def _loaded(path: Path, key: str) -> CutLeaf:
    """Raises ValueError when the file is damaged."""
    with safe_open(path, framework="numpy") as stored:
        metadata: dict[str, str] = stored.metadata() or {}
        arrays = {name: stored.get_tensor(name) for name in _NAMES}
    if metadata.get("key") != key or metadata.get("crc32") != _checksum(arrays):
        raise ValueError(f"{path.name} is damaged")
    places, units, unit_ends, pieces, piece_ends, starts, passages, counts, lengths, strings = arrays.values()
    contexts, defines, vocabulary = json.loads(strings.tobytes())
    words = WordIndex(vocabulary, starts, passages, counts, lengths)
    return CutLeaf(places, contexts, defines, units, unit_ends, pieces, piece_ends, words)


def _checksum(arrays: _Arrays) -> str:
    total = 0
    for name in _NAMES:
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).data, total)
    return f"{total:08x}"
