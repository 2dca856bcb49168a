"""Decoded blocks kept on a device under a byte budget: the tier above the page cache.

On a CPU the page cache is the host tier, so nothing is kept unless a budget is given. On CUDA blocks travel as they are
stored, through pinned memory and on a stream of their own, and are decoded on the device. What comes back never depends
on the budget.
"""

from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from llm.kv.layout import BLOCK_TOKENS
from llm.kv.snapshot import Snapshot

_Place = tuple[Path, int, int]  # a snapshot's folder, layer, block


@dataclass(frozen=True, slots=True)
class _Kept:
    """One decoded block."""

    key: torch.Tensor  # (K, 64, C)
    value: torch.Tensor  # (K', 64, C')
    ready: torch.cuda.Event | None  # when the copy has arrived; None: it has

    @property
    def num_bytes(self) -> int:
        return self.key.nbytes + self.value.nbytes


class BlockCache:
    """Blocks of any snapshots, the least recently used dropped first. Not for two threads."""

    def __init__(self, budget_bytes: int, *, device: torch.device, dtype: torch.dtype) -> None:
        self._budget_bytes = budget_bytes
        self._dtype = dtype
        self._loader = _Loader(device, dtype)
        self._kept: OrderedDict[_Place, _Kept] = OrderedDict()  # the next to drop comes first
        self.used_bytes = 0

    def blocks(self, snapshot: Snapshot, layer: int, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Snapshot.blocks`, and to the bit: key (K, n*64, C), value (K', n*64, C')."""
        wanted = indices.tolist()
        places = [(snapshot.folder, layer, block) for block in wanted]
        known = {place[2]: self._kept[place] for place in places if place in self._kept}
        for block in known:
            self._kept.move_to_end((snapshot.folder, layer, block))
        missing = [block for block in dict.fromkeys(wanted) if block not in known]
        if missing:
            key, value, ready = self._loader.load(snapshot, layer, missing)
            if missing == wanted:
                self._keep(snapshot, layer, missing, key, value, ready)
                _wait([_Kept(key, value, ready)])
                return key, value
            known |= self._keep(snapshot, layer, missing, key, value, ready)
        parts = [known[block] for block in wanted]
        _wait(parts)
        return torch.cat([part.key for part in parts], 1), torch.cat([part.value for part in parts], 1)

    def prefetch(self, snapshot: Snapshot, layer: int, indices: torch.Tensor) -> None:
        """Brings blocks nearer that are likely wanted soon: those that the last step selected."""
        distinct = dict.fromkeys(indices.tolist())
        wanted = [block for block in distinct if (snapshot.folder, layer, block) not in self._kept]
        if not wanted:
            return
        if self._budget_bytes:
            self._keep(snapshot, layer, wanted, *self._loader.load(snapshot, layer, wanted))
        elif snapshot.layouts[layer].reach is None:
            snapshot.read_ahead(layer, torch.tensor(wanted))

    def check_integrity(self) -> None:
        """Raises AssertionError unless the accounting equals the content."""
        content = sum(kept.num_bytes for kept in self._kept.values())
        assert self.used_bytes == content, f"{self.used_bytes} bytes are accounted for, {content} are kept"
        assert content <= self._budget_bytes, f"{content} bytes are kept of a budget of {self._budget_bytes}"
        assert all(kept.key.dtype == self._dtype for kept in self._kept.values()), "blocks are in the compute dtype"

    def _keep(
        self,
        snapshot: Snapshot,
        layer: int,
        blocks: list[int],
        key: torch.Tensor,
        value: torch.Tensor,
        ready: torch.cuda.Event | None,
    ) -> dict[int, _Kept]:
        """Takes in loaded blocks as far as the budget allows; all of them by number, kept or not."""
        loaded = {}
        for at, block in enumerate(blocks):
            tokens = slice(at * BLOCK_TOKENS, (at + 1) * BLOCK_TOKENS)
            whole = _Kept(key[:, tokens], value[:, tokens], ready)
            loaded[block] = whole
            if self._make_room(whole.num_bytes):
                own = self._loader.own(whole)
                loaded[block] = self._kept[snapshot.folder, layer, block] = own
                self.used_bytes += own.num_bytes
        return loaded

    def _make_room(self, num_bytes: int) -> bool:
        """Drops blocks until `num_bytes` more fit; drops none when they cannot."""
        if num_bytes > self._budget_bytes:
            return False
        while self.used_bytes + num_bytes > self._budget_bytes:
            _, dropped = self._kept.popitem(last=False)
            self.used_bytes -= dropped.num_bytes
        return True


class _Loader:
    """Carries stored blocks to a device and decodes them there."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._staging = torch.empty(0, dtype=torch.uint8)
        self._copied: torch.cuda.Event | None = None  # when the staging memory may be written to again

    def load(
        self, snapshot: Snapshot, layer: int, blocks: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.cuda.Event | None]:
        """Key (K, n*64, C), value (K', n*64, C'), and when they are there. A CUDA device goes on meanwhile."""
        staging = self._room(len(blocks), snapshot.slot_bytes(layer))
        slots, bounds = snapshot.slots(layer, torch.tensor(blocks), staging)
        with self._on_stream():
            moved = slots.to(self._device, non_blocking=True)
            self._copied = self._event()
            key, value = snapshot.decode(layer, moved, bounds.to(self._device, non_blocking=True), self._dtype)
            return key, value, self._event()

    def own(self, block: _Kept) -> _Kept:
        """The block in memory of its own, so that keeping it does not keep its neighbours."""
        with self._on_stream():
            return _Kept(block.key.clone(), block.value.clone(), self._event())

    def _room(self, num_blocks: int, width: int) -> torch.Tensor:
        """(n, width) uint8 that no copy reads any more; pinned for CUDA."""
        if self._copied is not None:
            self._copied.synchronize()
        if len(self._staging) < num_blocks * width:
            self._staging = torch.empty(num_blocks * width, dtype=torch.uint8, pin_memory=self._stream is not None)
        return self._staging[: num_blocks * width].view(num_blocks, width)

    def _on_stream(self) -> "torch.cuda.StreamContext | nullcontext[None]":
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _event(self) -> torch.cuda.Event | None:
        return None if self._stream is None else self._stream.record_event()


def _wait(parts: list[_Kept]) -> None:
    """Lets the current stream go on only when the blocks are there, and keeps their memory until it is done."""
    for part in parts:
        if part.ready is not None:
            current = torch.cuda.current_stream(part.key.device)
            current.wait_event(part.ready)
            part.key.record_stream(current)
            part.value.record_stream(current)
