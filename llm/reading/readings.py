"""The readings of one backbone: from token streams to KV that is at hand, in memory, on disk, or read now.

Owns the one reading that is open in memory and the snapshots below its folder. A stream is read once; later calls, in
this process or another, take it from the snapshot.
"""

import logging
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil
import torch

from llm.answer import ReadingProgress
from llm.backbone import Backbone
from llm.errors import SnapshotRefused
from llm.reading.kv_cache import ReadingCache
from llm.reading.prefill import prefill
from llm.reading.snapshot import Snapshot, SnapshotStore
from llm.stream import TokenStream

_log = logging.getLogger(__name__)
_MEMORY_SHARE = 0.5  # of what is free may be taken by the KV of one reading


class Readings:
    """Reads token streams and keeps what it read. One caller at a time."""

    def __init__(self, backbone: Backbone, folder: Path) -> None:
        self._backbone = backbone
        self._store = SnapshotStore(folder)
        self._identity = backbone.snapshot_identity()
        self._open: tuple[Path, ReadingCache] | None = None  # the snapshot's folder is its key

    def max_tokens(self) -> int:
        """The longest stream, prompt included, that can be read whole: trained context, or what memory holds."""
        per_token = kv_bytes_per_token(self._backbone)
        return min(self._backbone.context_tokens, int(_free_bytes(self._backbone.device) * _MEMORY_SHARE / per_token))

    def is_read(self, stream: TokenStream) -> bool:
        """Whether the whole stream is on disk."""
        return self._snapshot(stream).is_complete

    def read(self, stream: TokenStream, cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Reads what is not yet read and commits it chunk by chunk; a stream already read yields one report."""
        snapshot = self._snapshot(stream)
        cache = self._cache_of(snapshot)
        reused = cache.num_tokens
        if snapshot.is_complete:
            yield ReadingProgress("read", reused, reused, "tokens", 0.0, 0.0, reused)
        for progress in prefill(self._backbone, cache, snapshot.token_ids, cancel):
            snapshot.append(cache, progress.done)
            yield progress

    def cache_of(self, stream: TokenStream) -> ReadingCache:
        """The KV of a stream that was read. The caller may append to it; the next call cuts that off again."""
        snapshot = self._snapshot(stream)
        assert snapshot.is_complete, "a stream is read before it is asked about"
        return self._cache_of(snapshot)

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes every snapshot that holds one of the documents; bytes removed."""
        self._open = None
        return self._store.forget(document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        return self._store.bytes_of(document_ids)

    def _snapshot(self, stream: TokenStream) -> Snapshot:
        return self._store.open(self._identity, self._backbone.prompt.prefix + stream.token_ids, stream.document_ids)

    def _cache_of(self, snapshot: Snapshot) -> ReadingCache:
        """In memory if it is the open one, else from disk; a damaged snapshot is thrown away and read anew."""
        open_here = self._open is not None and self._open[0] == snapshot.folder
        if self._open is None or not open_here or self._open[1].num_tokens < snapshot.num_tokens:
            self._open = None  # frees its memory before more is taken
            try:
                cache = snapshot.load(self._backbone.device)
            except SnapshotRefused as refused:
                _log.warning("%s", refused)
                self._store.discard(snapshot)
                cache = ReadingCache()
            self._open = (snapshot.folder, cache)
        cache = self._open[1]
        cache.truncate(snapshot.num_tokens)
        return cache


def kv_bytes_per_token(backbone: Backbone) -> int:
    """Bytes of keys and values that one token leaves in all layers, as a plain cache keeps them."""
    config = backbone.model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(config.num_hidden_layers * heads * width * 2 * backbone.dtype.itemsize)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
