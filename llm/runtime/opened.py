"""Several snapshots as one sequence of blocks: what a session composes its working set from.

Blocks are numbered through all snapshots in order; the tokens behind a snapshot's last full block count as one more,
shorter block. Reads only; keys are un-rotated, so any set of snapshots can stand side by side.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import torch

from llm.kv.layout import BLOCK_TOKENS
from llm.kv.snapshot import Snapshot
from llm.kv.tiers import BlockCache
from llm.runtime.selection import BlockIndex, BoundedBlocks


@dataclass(frozen=True, slots=True)
class BlockPlace:
    """Tokens [start, end) of the snapshot with that index."""

    snapshot_index: int
    start: int
    end: int


class OpenSnapshots:
    """Snapshots that one session sees, in the order of its documents."""

    def __init__(
        self,
        snapshots: Sequence[Snapshot],
        *,
        device: torch.device,
        dtype: torch.dtype,
        cache: BlockCache | None = None,
    ) -> None:
        """`cache` keeps decoded blocks on the device; None: each is decoded when it is gathered."""
        self.snapshots = tuple(snapshots)
        self._cache = cache
        self.device, self._dtype = device, dtype
        counts = [_num_blocks(snapshot) for snapshot in self.snapshots]
        self._firsts = [0, *accumulate(counts)]  # the first block of each snapshot, then the number of all
        self._indexes: dict[int, BlockIndex] = {}

    @property
    def num_blocks(self) -> int:
        return self._firsts[-1]

    @property
    def num_tokens(self) -> int:
        return sum(snapshot.num_tokens for snapshot in self.snapshots)

    @property
    def last_start(self) -> int:
        """Tokens before the last snapshot."""
        return sum(snapshot.num_tokens for snapshot in self.snapshots[:-1])

    def place(self, block: int) -> BlockPlace:
        """Where a block's tokens stand."""
        index = bisect_right(self._firsts, block) - 1
        start = (block - self._firsts[index]) * BLOCK_TOKENS
        return BlockPlace(index, start, min(start + BLOCK_TOKENS, self.snapshots[index].num_tokens))

    def blocks_of(self, snapshot_index: int, start: int, end: int) -> range:
        """The blocks that hold tokens [start, end) of a snapshot."""
        first = self._firsts[snapshot_index]
        return range(first + start // BLOCK_TOKENS, first + (end + BLOCK_TOKENS - 1) // BLOCK_TOKENS)

    def last_blocks(self, num_tokens: int) -> range:
        """The blocks at the end of the last snapshot that hold its last tokens, at most `num_tokens` + 63."""
        whole = self.snapshots[-1].num_tokens if self.snapshots else 0
        return self.blocks_of(len(self.snapshots) - 1, max(0, whole - num_tokens), whole) if whole else range(0)

    def gather(self, layer: int, blocks: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys (K, T, C) and values (K, T, C') of the blocks' tokens, in the order given, un-rotated."""
        parts = [self._read(layer, index, local) for index, local in self._by_snapshot(blocks)]
        if len(parts) == 1:
            return parts[0]
        keys, values = zip(*parts, strict=True)
        return torch.cat(keys, 1), torch.cat(values, 1)

    def prefetch(self, layer: int, blocks: Sequence[int]) -> None:
        """Brings blocks nearer that are gathered next; nothing is kept without a cache."""
        if self._cache is None:
            return
        for index, local in self._by_snapshot(blocks):
            full = [block for block in local if block < self.snapshots[index].num_blocks]
            self._cache.prefetch(self.snapshots[index], layer, torch.tensor(full, dtype=torch.int64))

    def keys(self, layer: int, blocks: torch.Tensor) -> torch.Tensor:
        """Keys (K, n, 64, C) of n blocks; a shorter block repeats its last token, which changes no maximum."""
        parts = []
        for index, local in self._by_snapshot(blocks.tolist()):
            key, _ = self._read(layer, index, local)
            missing = -key.shape[1] % BLOCK_TOKENS
            if missing:
                key = torch.cat((key, key[:, -1:].expand(-1, missing, -1)), 1)
            parts.append(key)
        blocked: torch.Tensor = torch.cat(parts, 1).unflatten(1, (-1, BLOCK_TOKENS))
        return blocked

    def index(self, layer: int) -> BlockIndex:
        """Bounds of all blocks of the layer; kept."""
        if layer not in self._indexes:
            self._indexes[layer] = BlockIndex(list(self._bounded(layer)))
        return self._indexes[layer]

    def _bounded(self, layer: int) -> Iterator[BoundedBlocks]:
        """Each long snapshot by itself, whose bounds stay on disk; all that stands between two of them together."""
        between: list[torch.Tensor] = []
        for snapshot in self.snapshots:
            groups = snapshot.group_bounds(layer)
            if groups is not None:
                yield from self._together(between)
                between = []
                yield BoundedBlocks(
                    snapshot.num_blocks, groups.to(self.device), partial(self._bounds_at, snapshot, layer)
                )
            elif snapshot.num_blocks:
                between.append(snapshot.bounds(layer))
            if snapshot.num_tokens % BLOCK_TOKENS:
                key, _ = snapshot.tail(layer, device=torch.device("cpu"), dtype=torch.float32)
                between.append(torch.stack((key.amin(1), key.amax(1)))[None].bfloat16())  # (1, 2, K, C)
        yield from self._together(between)

    def _together(self, bounds: list[torch.Tensor]) -> Iterator[BoundedBlocks]:
        if bounds:
            yield BoundedBlocks.of((bounds[0] if len(bounds) == 1 else torch.cat(bounds)).to(self.device))

    def _bounds_at(self, snapshot: Snapshot, layer: int, blocks: torch.Tensor) -> torch.Tensor:
        return snapshot.bounds_at(layer, blocks).to(self.device)

    def _read(self, layer: int, snapshot_index: int, local: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Blocks of one snapshot; its tail, if wanted, comes last."""
        snapshot = self.snapshots[snapshot_index]
        full = [block for block in local if block < snapshot.num_blocks]
        parts = []
        if full:
            indices = torch.tensor(full, dtype=torch.int64)
            if self._cache is not None:
                parts.append(self._cache.blocks(snapshot, layer, indices))
            else:
                parts.append(snapshot.blocks(layer, indices, device=self.device, dtype=self._dtype))
        if len(full) < len(local):
            parts.append(snapshot.tail(layer, device=self.device, dtype=self._dtype))
        if len(parts) == 1:
            return parts[0]
        (key, value), (tail_key, tail_value) = parts
        return torch.cat((key, tail_key), 1), torch.cat((value, tail_value), 1)

    def _by_snapshot(self, blocks: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Runs of blocks of one snapshot, with numbers inside it."""
        run: list[int] = []
        run_of = -1
        for block in blocks:
            index = bisect_right(self._firsts, block) - 1
            if index != run_of and run:
                yield run_of, run
                run = []
            run_of = index
            run.append(block - self._firsts[index])
        if run:
            yield run_of, run


def _num_blocks(snapshot: Snapshot) -> int:
    return (snapshot.num_tokens + BLOCK_TOKENS - 1) // BLOCK_TOKENS
