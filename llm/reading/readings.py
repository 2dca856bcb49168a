"""The readings of one backbone: from token streams to KV that is at hand, in memory, on disk, or read now.

Every leaf document is read as a stream of its own and leaves its own snapshot, so any set of documents can be opened
together and one changed file is the only one that is read again. The last session is kept open.
"""

import logging
import threading
import weakref
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import torch

from llm.answer import ReadingProgress
from llm.backbone import Backbone
from llm.errors import SnapshotRefused
from llm.kv.codec import KVDtype
from llm.kv.layout import BLOCK_TOKENS, LayerKind, LayerLayout
from llm.kv.snapshot import Snapshot
from llm.kv.store import SnapshotStore
from llm.kv.tiers import BlockCache
from llm.reading.prefill import prefill
from llm.runtime.opened import OpenSnapshots
from llm.runtime.policy import ReadingPolicy
from llm.runtime.reading_kv import ReadingKV
from llm.runtime.selection import SelectionOptions
from llm.runtime.session import SessionKV, SessionOptions
from llm.stream import TokenStream
from llm.tokens import Tokens

RESERVED_TOKENS = 640  # behind what is shown whole: the question and its answer
# what a token sees beyond the trained context; less where that is short, so that positions stay inside it
_WINDOW_TOKENS, _END_TOKENS, _SELECTED_BLOCKS = 1024, 512, 32
_DEVICE_SHARE = 0.5  # of a GPU's free memory, for the blocks of one session
_log = logging.getLogger(__name__)


class Readings:
    """Reads token streams and keeps what it read. One caller at a time."""

    def __init__(
        self,
        backbone: Backbone,
        folder: Path,
        *,
        kv_dtype: KVDtype = KVDtype.INT8,
        disk_budget_bytes: int | None = None,
    ) -> None:
        self._backbone, self._runner = backbone, backbone.runner
        exact = max(BLOCK_TOKENS, _whole_blocks(backbone.context_tokens - RESERVED_TOKENS))
        window = min(_WINDOW_TOKENS, _whole_blocks(exact // 4))
        self._policy = ReadingPolicy(exact=exact, window=window, epoch=max(BLOCK_TOKENS, window))
        self._store = SnapshotStore(
            folder,
            layouts=self._runner.layouts,
            identity=f"{backbone.snapshot_identity()} {self._policy}",
            kv_dtype=_kept_in(kv_dtype, self._runner.layouts, backbone.dtype),
            disk_budget_bytes=disk_budget_bytes,
        )
        self._snapshots: weakref.WeakKeyDictionary[TokenStream, Snapshot] = weakref.WeakKeyDictionary()
        self._open: tuple[tuple[Path, ...], SessionKV] | None = None  # the snapshots' folders are its key

    @property
    def exact_tokens(self) -> int:
        """The longest stream, prompt included, whose every token sees all before it."""
        return self._policy.exact

    @property
    def is_position_free(self) -> bool:
        """Whether streams of any length can be read, and opened together."""
        return self._runner.is_position_free

    def is_read(self, stream: TokenStream) -> bool:
        """Whether the whole stream is on disk."""
        return self._snapshot(stream).is_complete

    def tokens_read(self, stream: TokenStream) -> int:
        """How many tokens of the stream are on disk, the prompt's start not counted."""
        return max(0, self._snapshot(stream).num_tokens - len(self._backbone.prompt.prefix))

    def read(self, stream: TokenStream, cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Reads what is not yet read and commits it chunk by chunk; a stream already read yields one report.

        Raises OSError when the disk is full.
        """
        snapshot = self._snapshot(stream)
        if snapshot.is_complete:
            reused = snapshot.num_tokens
            yield ReadingProgress("read", reused, reused, "tokens", 0.0, 0.0, reused)
            return
        self._open = None  # frees its memory before more is taken
        kv = self._reading_kv(snapshot)
        yield from prefill(self._runner, kv, snapshot.token_ids, self._policy, cancel)
        self._store.evict(keep=[known.folder for known in self._snapshots.values()])  # asked about together

    def session(self, streams: Sequence[TokenStream]) -> SessionKV:
        """The KV of streams that were read, opened together; the caller takes a turn of it for each question.

        Raises SnapshotRefused when a snapshot is damaged; so may any pass over the session. See `discard_damaged`.
        """
        snapshots = [self._snapshot(stream) for stream in streams]
        assert all(snapshot.is_complete for snapshot in snapshots), "a stream is read before it is asked about"
        key = tuple(snapshot.folder for snapshot in snapshots)
        if self._open is None or self._open[0] != key:
            self._open = None
            self._open = (key, self._opened(snapshots))
        return self._open[1]

    def put_away(self) -> None:
        """Closes the session that is kept open."""
        self._open = None

    def discard_damaged(self, streams: Sequence[TokenStream]) -> None:
        """Throws away what is damaged of the streams' snapshots; the next reading makes it anew."""
        self._open = None
        for stream in streams:
            snapshot = self._snapshot(stream)
            try:
                snapshot.check_integrity()
            except SnapshotRefused as refused:
                _log.warning("%s", refused)
                self._store.discard(snapshot)

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes every snapshot that holds one of the documents; bytes removed."""
        self._open = None
        self._snapshots.clear()
        return self._store.forget(document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        return self._store.bytes_of(document_ids)

    def _snapshot(self, stream: TokenStream) -> Snapshot:
        known = self._snapshots.get(stream)
        if known is None or not known.is_complete:  # the same tokens may have been read on as another stream
            token_ids = Tokens.joined((self._backbone.prompt.prefix, stream.token_ids))
            known = self._snapshots[stream] = self._store.open(token_ids, stream.document_ids)
        return known

    def _reading_kv(self, snapshot: Snapshot) -> ReadingKV:
        """From where the snapshot stops; a damaged one is thrown away and read anew."""
        try:
            return self._made(snapshot)
        except SnapshotRefused as refused:
            _log.warning("%s", refused)
            self._store.discard(snapshot)
            return self._made(snapshot)

    def _made(self, snapshot: Snapshot) -> ReadingKV:
        backbone = self._backbone
        return ReadingKV(
            snapshot, self._policy, self._runner.rotation, device=backbone.layer_devices, dtype=backbone.dtype
        )

    def _opened(self, snapshots: Sequence[Snapshot]) -> SessionKV:
        device, dtype = self._backbone.device, self._backbone.dtype
        budget = _device_budget_bytes(device)
        cache = None if budget is None else BlockCache(budget, device=device, dtype=dtype)
        source = OpenSnapshots(snapshots, device=device, dtype=dtype, cache=cache)
        options = SessionOptions(
            exact=self._policy.exact,
            window=min(_END_TOKENS, self._policy.exact // 8),
            selection=SelectionOptions(selected=min(_SELECTED_BLOCKS, max(1, self._policy.exact // 2 // BLOCK_TOKENS))),
            device_budget_bytes=budget,
        )
        devices = self._backbone.layer_devices
        return SessionKV(source, self._runner.layouts, self._runner.rotation, options, device=devices, dtype=dtype)


def _kept_in(wanted: KVDtype, layouts: Sequence[LayerLayout], dtype: torch.dtype) -> KVDtype:
    """Entries that pool many tokens are few; they are kept as they are."""
    if all(layout.kind is not LayerKind.POOLED for layout in layouts):
        return wanted
    return KVDtype.BFLOAT16 if dtype == torch.bfloat16 else KVDtype.FLOAT32


def _whole_blocks(num_tokens: int) -> int:
    """Tokens of the full blocks in that many."""
    return num_tokens // BLOCK_TOKENS * BLOCK_TOKENS


def _device_budget_bytes(device: torch.device) -> int | None:
    """None on a CPU, whose page cache holds the blocks."""
    return int(torch.cuda.mem_get_info(device)[0] * _DEVICE_SHARE) if device.type == "cuda" else None
