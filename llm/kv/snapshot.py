"""A snapshot: the KV of one reading on disk, grown by commits, read back block by block.

Owns one folder. What is committed never changes, and a kill loses at most the append that it interrupts. One process
writes at a time and is refused if another has changed the snapshot meanwhile; any number may read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from llm.errors import SnapshotRefused
from llm.kv import files
from llm.kv.commit import States, write_files
from llm.kv.layout import LayerLayout
from llm.kv.manifest import Commit, Manifest, read_manifest
from llm.kv.plan import FilePlan
from llm.kv.reader import Reader

_LOCK_WAIT_S = 60  # an append takes well under a second


class Snapshot:
    """One reading on disk: complete, begun, or empty. Made by `SnapshotStore.open`."""

    def __init__(self, folder: Path, token_ids: Sequence[int], manifest: Manifest) -> None:
        self.folder = folder
        self.token_ids = token_ids
        self._manifest = manifest
        self._plan = FilePlan(folder, manifest.origin)
        self._reader = Reader(self._plan)

    @property
    def layouts(self) -> Sequence[LayerLayout]:
        return self._manifest.origin.layouts

    @property
    def document_ids(self) -> tuple[str, ...]:
        return self._manifest.document_ids

    @property
    def num_tokens(self) -> int:
        """Tokens whose KV is committed."""
        return self._manifest.commit.num_tokens

    @property
    def num_blocks(self) -> int:
        """Full blocks committed."""
        return self._manifest.commit.num_blocks

    @property
    def is_complete(self) -> bool:
        return self.num_tokens == len(self.token_ids)

    def rounds(self, dtype: torch.dtype) -> bool:
        """Whether blocks of keys and values of `dtype` come back changed."""
        return any(codec.rounds(dtype) for codec in self._plan.codecs)

    @property
    def bytes_on_disk(self) -> int:
        return files.bytes_below(self.folder)

    def append(self, states: States, num_new: int) -> None:
        """Commits the next `num_new` tokens: of each layer, un-rotated key (K, num_new, C) and value (K', num_new, C').

        Raises OSError when the disk is full: nothing of this append is committed, nothing is lost, and it may be
        called again. Raises SnapshotRefused when another process has changed the snapshot since it was opened.
        """
        assert len(states) == len(self.layouts), "states of every layer"
        assert all(part.shape[1] == num_new for layer in states for part in layer), "states of the new tokens"
        assert 0 < num_new <= len(self.token_ids) - self.num_tokens, "tokens of the stream that are not yet committed"
        with writer_lock(self.folder.parent):
            origin = self._manifest.origin
            last = read_manifest(self.folder, origin) or Manifest(origin, (), Commit())
            if last.commit != self._manifest.commit:
                raise SnapshotRefused(
                    f"the stored reading {self.folder.name[:12]} has {last.commit.num_tokens} tokens, but "
                    f"{self.num_tokens} when it was opened: another process has changed it; open it again"
                )
            files.make_private_folder(self.folder)
            commit = write_files(self._plan, last.commit, self._reader.tail(last.commit), states, num_new)
            manifest = Manifest(origin, last.document_ids, commit).with_documents(self.document_ids)
            manifest.write(self.folder)
            self._manifest = manifest
            self._remove_leftovers()

    def blocks(
        self, layer: int, indices: torch.Tensor, *, device: torch.device, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Blocks `indices` (n,) of a layer -> un-rotated key (K, n*64, C), value (K', n*64, C'), in that order.

        A layer with a reach has those that the next token sees, and those that the last commit closed.
        """
        slots, bounds = self.slots(layer, indices)
        return self.decode(layer, slots.to(device), bounds.to(device), dtype)

    def slots(
        self, layer: int, indices: torch.Tensor, out: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Blocks `indices` (n,) of a layer as they are stored, checked, on the CPU, for `decode`.

        Slots (n, `slot_bytes(layer)`) uint8, which are `out` if given, and bounds (n, 2, K, C).
        """
        return self._reader.slots(self._manifest.commit, layer, indices.tolist(), out)

    def decode(
        self, layer: int, slots: torch.Tensor, bounds: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What `slots` gave, on any device -> key (K, n*64, C), value (K', n*64, C')."""
        codec = self._plan.codecs[layer]
        return codec.decode(slots[:, : codec.record_bytes], bounds, dtype)

    def slot_bytes(self, layer: int) -> int:
        """Bytes of one stored block of a layer."""
        return self._plan.row_of(layer).slot_bytes(layer)

    def read_ahead(self, layer: int, indices: torch.Tensor) -> None:
        """Has the system bring these blocks into the page cache while the caller goes on."""
        self._reader.read_ahead(layer, indices.tolist())

    def tail(self, layer: int, *, device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """The last `num_tokens % 64` tokens of a layer: un-rotated key (K, t, C), value (K', t, C')."""
        key, value = self._reader.tail(self._manifest.commit)[layer]
        return key.to(device, dtype), value.to(device, dtype)

    def bounds(self, layer: int) -> torch.Tensor:
        """(G, 2, K, C) bfloat16: least and largest key of each full block's channels, a view of the memory map.

        Only for layers without a reach. Not to be written to.
        """
        return self._reader.bounds(self._manifest.commit, layer)

    def bounds_at(self, layer: int, blocks: torch.Tensor) -> torch.Tensor:
        """(n, 2, K, C) bfloat16 of full blocks `blocks` (n,), each checked before its first use."""
        return self._reader.bounds_at(self._manifest.commit, layer, blocks.tolist())

    def group_bounds(self, layer: int) -> torch.Tensor | None:
        """(G/16, 2, K, C) bfloat16: of every 16 full blocks together; None where reading `bounds` costs as little."""
        overview = self._reader.overview(self._manifest.commit)
        return None if overview is None else overview.bounds[layer]

    def check_integrity(self) -> None:
        """Reads everything once. Raises SnapshotRefused naming the first damaged block."""
        self._reader.check(self._manifest.commit)

    def discard(self) -> int:
        """Removes its files and makes it empty; bytes removed."""
        with writer_lock(self.folder.parent):
            removed = files.remove_folder(self.folder)
        self._manifest = Manifest(self._manifest.origin, self.document_ids, Commit())
        self._reader = Reader(self._plan)
        return removed

    def _remove_leftovers(self) -> None:
        """Segments and tails that the commit no longer needs. One that stays is removed by the next commit."""
        needed = self._plan.current_paths(self._manifest.commit)
        for path in (*self.folder.glob("last-*.bin"), *self.folder.glob("tail-*.bin")):
            if path not in needed:
                with suppress(OSError):
                    path.unlink()


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Held by the one process that changes snapshots below `root`. Raises SnapshotRefused when it cannot be had."""
    files.make_private_folder(root)
    try:
        with FileLock(root / ".lock", timeout=_LOCK_WAIT_S, mode=0o600):
            yield
    except Timeout as error:
        raise SnapshotRefused(
            f"another process has been changing the stored readings in {root} for {_LOCK_WAIT_S} s; "
            "wait for it, or end it"
        ) from error
