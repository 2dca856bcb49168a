"""The working set of a reading: what its next token sees, and the snapshot that takes each pass's keys and values.

A block that is closed is shown as the snapshot gives it back from then on, rounded if the snapshot rounds. So what is
shown depends on position and snapshot alone, and a reading that was killed goes on bit for bit as it would have.
"""

import torch

from llm.kv.layout import BLOCK_TOKENS, LayerKind, LayerLayout
from llm.kv.snapshot import Snapshot
from llm.pictures import position_shift
from llm.runtime.opened import OpenSnapshots
from llm.runtime.policy import ReadingPolicy
from llm.runtime.rotation import Rotations
from llm.runtime.working import Devices, WorkingKV

_SLIDING_SLACK = 4096  # tokens beyond its window that a sliding layer may show before it is composed anew


class ReadingKV(WorkingKV):
    """Takes passes from the snapshot's last committed token on, and commits each when it ends."""

    def __init__(
        self,
        snapshot: Snapshot,
        policy: ReadingPolicy,
        rotation: Rotations,
        *,
        device: Devices,
        dtype: torch.dtype,
    ) -> None:
        """Raises SnapshotRefused when the snapshot is damaged."""
        super().__init__(snapshot.layouts, rotation, device=device, dtype=dtype)
        self._snapshot, self._policy = snapshot, policy
        self._device, self._dtype = device if isinstance(device, torch.device) else device[0], dtype
        self.num_tokens = snapshot.num_tokens
        self.position_shift = position_shift(snapshot.token_ids, snapshot.num_tokens)
        self._compose(range(len(self.layers)))

    def room(self, wanted: int) -> int:
        return min(super().room(wanted), self._policy.room(self.num_tokens))

    def begin(self, num_new: int) -> None:
        if self._policy.starts_epoch(self.num_tokens):
            self._compose(range(len(self.layers)))
        super().begin(num_new)
        overfull = [
            index
            for index, layer in enumerate(self.layers)
            if layer.layout.kind is LayerKind.SLIDING and layer.num_shown > (layer.layout.reach or 0) + _SLIDING_SLACK
        ]
        self._compose(overfull)

    def finish(self) -> None:
        """Commits the pass. Raises OSError when the disk is full; what was committed before stays readable."""
        states = []
        for layer in self.layers:
            assert layer.latest is not None, "every layer attends in a pass"
            states.append(layer.latest)
        closed_before = self._snapshot.num_blocks
        self._snapshot.append(states, self._num_new)
        super().finish()
        if self._snapshot.rounds(self._dtype):
            self._show_closed(range(closed_before, self._snapshot.num_blocks))

    def _show_closed(self, blocks: range) -> None:
        if not blocks:
            return
        source = self._source()
        for index, layer in enumerate(self.layers):
            start = layer.num_shown - (self.num_tokens - blocks.start * BLOCK_TOKENS)
            skipped = max(0, -start)  # tokens of a chunk that ended with the pass before
            key, value = source.gather(index, blocks)
            layer.replace(start + skipped, key[:, skipped:], value[:, skipped:])

    def _compose(self, layers: range | list[int]) -> None:
        """Shows what the next token sees, from the snapshot."""
        source = self._source()
        for index in layers:
            layer = self.layers[index]
            layer.truncate(0)
            for tokens in self._seen(layer.layout):
                if not tokens:
                    continue
                blocks = source.blocks_of(0, tokens.start, tokens.stop)
                key, value = source.gather(index, blocks)
                before = tokens.start % BLOCK_TOKENS
                end = before + len(tokens)
                layer.show(key[:, before:end], value[:, before:end])

    def _source(self) -> OpenSnapshots:
        return OpenSnapshots([self._snapshot], device=self._device, dtype=self._dtype)

    def _seen(self, layout: LayerLayout) -> tuple[range, ...]:
        if layout.reach is None:
            return self._policy.shown(self.num_tokens)
        return (range(layout.first_kept(self.num_tokens), self.num_tokens),)
