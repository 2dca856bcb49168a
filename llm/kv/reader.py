"""Reading: blocks, bounds and tail of a snapshot's files, each checked before its first use.

Bounds are a memory map, checked layer by layer, or group by group where there is an overview of them; blocks are read
into fresh memory, so the page cache holds what is used often. A file that is damaged, too short or gone raises
SnapshotRefused; none of them can kill the process or be misread.
"""

import mmap
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from llm.errors import SnapshotRefused
from llm.kv import files
from llm.kv.commit import States, unpack_tail
from llm.kv.files import Bytes
from llm.kv.layout import BLOCK_TOKENS
from llm.kv.manifest import Commit
from llm.kv.overview import GROUP_BLOCKS, Overview, keep, load
from llm.kv.plan import FilePlan, tail_values
from llm.kv.row import first_damaged

_CHECKED_AT_ONCE = 64  # blocks
_MIN_BLOCKS = 1024  # of fewer, all bounds are read as fast


class Reader:
    """Reads what a commit says is there. Remembers what it has checked."""

    def __init__(self, plan: FilePlan) -> None:
        self._plan = plan
        self._name = f"the stored reading {plan.folder.name[:12]}"
        self._checked = np.zeros((plan.capacity_blocks, len(plan.layouts)), np.bool_)
        self._checked_bounds: set[int] = set()
        self._bounds_map: mmap.mmap | None = None
        self._overview: tuple[Commit, Overview] | None = None
        self._checked_groups: set[tuple[int, int]] = set()  # layer, group
        self._tail: tuple[Commit, States] | None = None

    def slots(
        self, commit: Commit, layer: int, blocks: Sequence[int], out: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Slots (n, slot_bytes) uint8 of these blocks, in `out` if given, and their bounds (n, 2, K, C)."""
        reach = self._plan.layouts[layer].reach
        row = self._plan.row_of(layer)
        slots = torch.empty((len(blocks), row.slot_bytes(layer)), dtype=torch.uint8) if out is None else out
        if reach is not None:
            self._read_limited(commit, reach, layer, blocks, slots.numpy())
            return slots, row.bounds(layer, slots)
        assert all(0 <= block < commit.num_blocks for block in blocks), "blocks that are committed"
        with self._refusing(self._plan.blocks_path):
            files.read_rows(self._plan.blocks_path, row.offsets(layer, blocks), slots.numpy())
        unchecked = [at for at, block in enumerate(blocks) if not self._checked[block, layer]]
        if unchecked:
            self._refuse_damaged(slots.numpy()[unchecked], [blocks[at] for at in unchecked], layer)
            self._checked[[blocks[at] for at in unchecked], layer] = True
        return slots, self.bounds_at(commit, layer, blocks)

    def read_ahead(self, layer: int, blocks: Sequence[int]) -> None:
        """Has the system bring blocks of a layer that keeps all tokens into the page cache, meanwhile."""
        row = self._plan.row_of(layer)
        with self._refusing(self._plan.blocks_path):
            files.read_ahead(self._plan.blocks_path, row.offsets(layer, blocks), row.slot_bytes(layer))

    def bounds(self, commit: Commit, layer: int) -> torch.Tensor:
        """(G, 2, K, C) bfloat16 of a layer that keeps all tokens, a view of the memory map."""
        bounds = self._mapped_bounds(commit, layer)
        if layer not in self._checked_bounds and len(bounds):
            expected = commit.bounds_crc32[self._plan.lasting.layers.index(layer)]
            if zlib.crc32(bounds.flatten().view(torch.uint8).numpy().data) != expected:
                raise self._damaged(f"the bounds of layer {layer}")
            self._checked_bounds.add(layer)
        return bounds

    def bounds_at(self, commit: Commit, layer: int, blocks: Sequence[int]) -> torch.Tensor:
        """(n, 2, K, C) bfloat16 of these blocks of a layer that keeps all tokens."""
        indices = torch.tensor(blocks, dtype=torch.int64)
        if self._overview is None or self._overview[0] != commit:
            return self.bounds(commit, layer)[indices]
        bounds = self._mapped_bounds(commit, layer)
        for group in {block // GROUP_BLOCKS for block in blocks}:
            if (layer, group) not in self._checked_groups:
                if not self._overview[1].holds(layer, group, bounds):
                    raise self._damaged(f"the bounds of layer {layer}")
                self._checked_groups.add((layer, group))
        return bounds[indices]

    def overview(self, commit: Commit) -> Overview | None:
        """Of the layers that keep all tokens; made and kept if there is none yet. None for a short snapshot."""
        if commit.num_blocks < _MIN_BLOCKS or not self._plan.lasting.layers:
            return None
        if self._overview is None or self._overview[0] != commit:
            path = self._plan.overview_path
            found = load(path, commit)
            if found is None:
                found = Overview.of({layer: self.bounds(commit, layer) for layer in self._plan.lasting.layers})
                keep(found, path, commit)
            self._overview = commit, found
            self._checked_groups.clear()
        return self._overview[1]

    def _mapped_bounds(self, commit: Commit, layer: int) -> torch.Tensor:
        """(G, 2, K, C), unchecked."""
        layout = self._plan.layouts[layer]
        assert layout.reach is None, "a layer with a reach is shown whole, so its blocks are not scored"
        shape = (-1, 2, layout.key_heads, layout.key_width)
        if commit.num_blocks == 0:
            return torch.empty(0, dtype=torch.bfloat16).view(0, *shape[1:])
        if self._bounds_map is None:
            with self._refusing(self._plan.bounds_path):
                self._bounds_map = files.mapped(self._plan.bounds_path, self._plan.bounds_size)
        offset = self._plan.bounds_offset(layer, 0)
        count = (self._plan.bounds_offset(layer, commit.num_blocks) - offset) // 2
        return torch.frombuffer(self._bounds_map, dtype=torch.bfloat16, count=count, offset=offset).view(shape)

    def tail(self, commit: Commit) -> States:
        """Of each layer the tokens that fill no block: key (K, t, C), value (K', t, C'), on the CPU."""
        if self._tail is None or self._tail[0] != commit:
            self._tail = commit, self._read_tail(commit)
        return self._tail[1]

    def check(self, commit: Commit) -> None:
        """Reads everything that is committed. Raises SnapshotRefused naming the first damaged block."""
        for layer in self._plan.lasting.layers:
            self._checked_bounds.discard(layer)
            self.bounds(commit, layer)
        self._checked[:] = False
        self._checked_groups.clear()
        for start in range(0, commit.num_blocks, _CHECKED_AT_ONCE):
            blocks = range(start, min(start + _CHECKED_AT_ONCE, commit.num_blocks))
            for layer in self._plan.lasting.layers:
                self.slots(commit, layer, blocks)
        for reach, first, count in commit.segments:
            for layer in self._plan.limited[reach].layers:
                self.slots(commit, layer, range(first, first + count))
        self._tail = None
        self.tail(commit)

    def _read_tail(self, commit: Commit) -> States:
        dtype = getattr(torch, commit.tail_dtype or "float32")
        num_bytes = tail_values(self._plan.layouts, commit.tail_tokens) * dtype.itemsize
        content = torch.empty(num_bytes, dtype=torch.uint8)
        if commit.tail_tokens:
            path = self._plan.tail_path(commit.num_tokens)
            with self._refusing(path):
                files.read_rows(path, [0], content[None].numpy())
            if zlib.crc32(content.numpy().data) != commit.tail_crc32:
                raise self._damaged("its last tokens")
        return unpack_tail(content, self._plan.layouts, commit.tail_tokens, dtype)

    def _read_limited(self, commit: Commit, reach: int, layer: int, blocks: Sequence[int], slots: Bytes) -> None:
        row = self._plan.limited[reach]
        found = 0
        for _, first, count in (segment for segment in commit.segments if segment[0] == reach):
            here = [at for at, block in enumerate(blocks) if first <= block < first + count]
            if not here:
                continue
            path = self._plan.segment_path(reach, first)
            part = np.empty((len(here), slots.shape[1]), np.uint8)
            with self._refusing(path):
                files.read_rows(path, row.offsets(layer, [blocks[at] - first for at in here]), part)
            slots[here] = part
            found += len(here)
        assert found == len(blocks), f"layer {layer} keeps the blocks asked for"
        self._refuse_damaged(slots, blocks, layer)

    def _refuse_damaged(self, slots: Bytes, blocks: Sequence[int], layer: int) -> None:
        damaged = first_damaged(slots, blocks, layer)
        if damaged is not None:
            tokens = f"tokens {damaged * BLOCK_TOKENS} to {(damaged + 1) * BLOCK_TOKENS - 1}"
            raise self._damaged(f"block {damaged} of layer {layer} ({tokens})")

    def _damaged(self, part: str) -> SnapshotRefused:
        return SnapshotRefused(f"{self._name} is damaged in {part}; it is read anew")

    @contextmanager
    def _refusing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except EOFError as error:
            raise SnapshotRefused(f"{self._name} is cut short: {error}; it is read anew") from error
        except FileNotFoundError as error:
            raise SnapshotRefused(
                f"{self._name} has no {path.name} any more, because it was deleted or another process has read on; "
                "open it again"
            ) from error
