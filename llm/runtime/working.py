"""The working set: keys and values that the next forward pass sees, rotated and in the compute dtype.

A runner announces a pass (`begin`), each of its layers attends, and the runner ends the pass (`finish`). Positions are
numbered compactly, from 0, over what a layer shows. As it stands here the working set is exact and lives in memory;
`ReadingKV` and `SessionKV` compose it from snapshots.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime.attention import attend, attend_one, visible
from llm.runtime.indexed import IndexQuery, attend_indexed
from llm.runtime.latent import LatentExpansion, attend_latent
from llm.runtime.rotation import Rotations, rotated, rotation_in
from llm.runtime.streamed import StreamedBlocks

_FIRST_CAPACITY = 1024  # tokens
_STEP = 64  # one query's products have so few lengths, since oneDNN compiles one for each (docs/LOG.md)

States = tuple[torch.Tensor, torch.Tensor]  # keys (K, T, C) and values (K, T, C')


@dataclass(slots=True)
class _Buffers:
    """Room for the states of one layer, which forks share as long as only one of them appends."""

    keys: torch.Tensor  # (K, room, C), rotated
    values: torch.Tensor  # (K, room, C')
    used: int = 0
    num_forks: int = 0  # holders besides one

    def writable(self, kept: int, end: int) -> "_Buffers":
        """These, or a copy of the first `kept` tokens where another holder's tokens follow or the room ends."""
        room = self.keys.shape[1]
        if end <= room and (self.num_forks == 0 or kept == self.used):
            return self
        if end > room:
            room = _rounded(max(end, room + room // 2, _FIRST_CAPACITY))
        self.num_forks = max(0, self.num_forks - 1)
        return _Buffers(_grown(self.keys, kept, room), _grown(self.values, kept, room), kept)


Devices = torch.device | Sequence[torch.device]  # of all layers, or of each


class LayerKV:
    """What one layer shows to the next pass."""

    def __init__(self, layout: LayerLayout, rotation: Rotations, device: torch.device, dtype: torch.dtype) -> None:
        self.layout = layout
        self.rotation = rotation_in(rotation, layout.kind)
        self._buffers = _Buffers(
            torch.empty((layout.key_heads, 0, layout.key_width), device=device, dtype=dtype),
            torch.empty((layout.value_heads, 0, layout.value_width), device=device, dtype=dtype),
        )
        self._forked_from = self._buffers
        self._forked_at = 0
        self.behind: StreamedBlocks | None = None  # what is looked at before all that is shown
        self.num_shown = 0
        self.latest: States | None = None  # of the last pass, un-rotated

    def attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        scaling: float,
        expansion: LatentExpansion | None = None,
        index: IndexQuery | None = None,
        together: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """query (H, S, C), key (K, S, C), value (K, S, C') of the next S tokens, un-rotated -> (S, H, C').

        Appends the tokens. A latent layer needs its `expansion`; it is given latents as key and rotary keys as value.
        An indexed one needs its `index` too, and is given index keys before the latents. `together` (S, S), for a
        layer with a window: True at (i, j) where query i sees new token j even if that comes later.
        """
        self.latest = (key, value)
        self.show(key, value)
        return self._look(query, scaling, expansion, index, together)

    def attend_apart(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, num_apart: int, scaling: float
    ) -> torch.Tensor:
        """As `attend`, for so many sequences of one length, one behind the other, of a layer that looks at everything.

        Each follows what is shown, none sees another, and none stays.
        """
        if self.behind is not None:
            return self._attend_each(query, key, value, num_apart, scaling)
        length = query.shape[1] // num_apart
        query, key, value = (states.unflatten(1, (num_apart, length)).flatten(0, 1) for states in (query, key, value))
        key, value = rotated(self.layout, self.rotation, key, value, self.num_shown)
        query = self.rotation.rotate(query, self.num_shown)
        query, key, value = (states.unflatten(0, (-1, num_apart)).flatten(1, 2) for states in (query, key, value))
        own = torch.ones((length, length), dtype=torch.bool, device=query.device).tril()
        seen = torch.cat(
            [own.new_ones((num_apart * length, self.num_shown)), torch.block_diag(*[own] * num_apart).bool()], dim=1
        )
        keys, values = (torch.cat(both, dim=1) for both in zip(self.shown(), (key, value), strict=True))
        return attend(query, keys, values, scaling=scaling, seen=seen)

    def _attend_each(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, num_apart: int, scaling: float
    ) -> torch.Tensor:
        mixed = []
        for own in zip(*(states.chunk(num_apart, dim=1) for states in (query, key, value)), strict=True):
            mixed.append(self.attend(*own, scaling=scaling))
            self.take_back(own[0].shape[1])
        return torch.cat(mixed)

    def look(self, query: torch.Tensor, *, scaling: float) -> torch.Tensor:
        """query (H, S, C) of the last S tokens shown, un-rotated -> (S, H, C'): for a layer that keeps nothing."""
        return self._look(query, scaling)

    def show(self, key: torch.Tensor, value: torch.Tensor) -> None:
        """Shows key (K, S, C) and value (K, S, C'), un-rotated, behind what is shown."""
        key, value = rotated(self.layout, self.rotation, key, value, self._first_position + self.num_shown)
        end = self.num_shown + key.shape[1]
        self._buffers = self._buffers.writable(self.num_shown, end)
        self._buffers.keys[:, self.num_shown : end] = key
        self._buffers.values[:, self.num_shown : end] = value
        self._buffers.used = self.num_shown = end

    def replace(self, start: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Puts other states, un-rotated, in the place of those shown from `start` on."""
        end = start + key.shape[1]
        key, value = rotated(self.layout, self.rotation, key, value, start)
        self._buffers.keys[:, start:end], self._buffers.values[:, start:end] = key, value

    def shown(self) -> States:
        """Rotated keys (K, T, C) and values (K, T, C') as views."""
        return self._buffers.keys[:, : self.num_shown], self._buffers.values[:, : self.num_shown]

    def truncate(self, num_shown: int) -> None:
        """Shows only the first `num_shown` tokens of what is shown."""
        self.num_shown = min(self.num_shown, num_shown)

    def take_back(self, num_tokens: int) -> None:
        """Forgets the last tokens that were shown, as if they had not come."""
        if self._buffers.used == self.num_shown:
            self._buffers.used -= num_tokens
        self.num_shown -= num_tokens

    def fork(self) -> Self:
        """A layer that shows the same; the first of the two to append does so in place, the other copies."""
        self._buffers.num_forks += 1
        other = copy.copy(self)
        other._forked_from, other._forked_at = self._buffers, self.num_shown
        return other

    def release(self) -> None:
        """Gives back the room that a fork took up, so that the next fork appends in place. The fork is used no more."""
        if self._forked_from is self._buffers:
            self._buffers.num_forks -= 1
            if self._buffers.used == self.num_shown:
                self._buffers.used = self._forked_at

    def compacted(self) -> Self:
        """A layer that shows the same for forks to go on from, in no more memory than that takes."""
        other = copy.copy(self)
        keys, values = self.shown()
        other._forked_from = other._buffers = _Buffers(keys.clone(), values.clone(), self.num_shown)
        other.latest = None
        return other

    @property
    def num_bytes(self) -> int:
        """What the states that are shown take."""
        return sum(states.nbytes for states in self.shown())

    @property
    def _first_position(self) -> int:
        return self.behind.num_tokens if self.behind is not None else 0

    def _look(
        self,
        query: torch.Tensor,
        scaling: float,
        expansion: LatentExpansion | None = None,
        index: IndexQuery | None = None,
        together: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of the last tokens shown, query (H, S, C) un-rotated, over all that is shown."""
        keys, values = self.shown()
        start = self._first_position + self.num_shown - query.shape[1]
        query = self.rotation.rotate(query, start)
        index = index.rotated(self.rotation, start) if index is not None else None
        if self.behind is not None:
            return self.behind.attend(query, keys, values, scaling=scaling, expansion=expansion, index=index)
        if expansion is not None and index is not None:
            return attend_indexed(query, keys, values, expansion, index, scaling=scaling)
        if expansion is not None:
            return attend_latent(query, keys, values, expansion, scaling=scaling)
        window = self.layout.reach if self.layout.kind is LayerKind.SLIDING else None
        if query.shape[1] == 1 and query.device.type == "cpu" and (window is None or self.num_shown <= window):
            end = _rounded(self.num_shown)
            keys, values = self._buffers.keys[:, :end], self._buffers.values[:, :end]
            return attend_one(query, keys, values, scaling=scaling, num_seen=self.num_shown)
        if together is not None and window is not None:
            seen = visible(query.shape[1], self.num_shown, window, query.device)
            seen[:, -query.shape[1] :] |= together
            return attend(query, keys, values, scaling=scaling, seen=seen)
        return attend(query, keys, values, scaling=scaling, window=window)


class WorkingKV:
    """All layers of one session or reading. Batch size 1. States come from any device and lie on their layer's own."""

    layer_class: type[LayerKV] = LayerKV

    def __init__(
        self, layouts: Sequence[LayerLayout], rotation: Rotations, *, device: Devices, dtype: torch.dtype
    ) -> None:
        devices = [device] * len(layouts) if isinstance(device, torch.device) else device
        self.layers: list[LayerKV] = [
            self.layer_class(layout, rotation, own, dtype) for layout, own in zip(layouts, devices, strict=True)
        ]
        self.num_tokens = 0  # seen so far
        self.position_shift = 0  # added to that, the true position of the next token: a picture takes up fewer
        self.own: Any = None  # what a model keeps that keeps it in a form of its own; forks share it, none changes it
        self._num_new = 0
        self._chunk_origin = 0  # where chunks are counted from
        self._chunks = {layout.reach for layout in layouts if layout.kind is LayerKind.CHUNKED and layout.reach}

    def room(self, wanted: int) -> int:
        """How many of `wanted` tokens the next pass may take: a pass ends where a chunk of some layer ends."""
        inside = self.num_tokens - self._chunk_origin
        return min([wanted, *(chunk - inside % chunk for chunk in self._chunks)])

    def begin(self, num_new: int) -> None:
        """Announces a pass over the next `num_new` tokens, at most `room(num_new)`."""
        assert num_new <= self.room(num_new), f"a pass of {num_new} tokens crosses a chunk's end"
        inside = self.num_tokens - self._chunk_origin
        for layer in self.layers:
            if layer.layout.kind is LayerKind.CHUNKED and inside % (layer.layout.reach or 1) == 0:
                layer.truncate(0)
        self._num_new = num_new

    def finish(self) -> None:
        """Ends the pass: its tokens count as seen."""
        self.num_tokens += self._num_new
        self._num_new = 0

    @property
    def shows_all(self) -> bool:
        """Whether a token sees all before it, so that it does not matter how many come in a pass."""
        return True

    def take_back(self, num_tokens: int) -> None:
        """Forgets the last tokens of the last pass, which had more than these."""
        for layer in self.layers:
            layer.take_back(num_tokens)
        self.num_tokens -= num_tokens

    def fork(self) -> Self:
        """The same working set, to go on from in another way."""
        other = copy.copy(self)
        other.layers = [layer.fork() for layer in self.layers]
        return other

    def compacted(self) -> Self:
        """The same working set to keep, of which only forks are appended to."""
        other = copy.copy(self)
        other.layers = [layer.compacted() for layer in self.layers]
        return other

    @property
    def num_bytes(self) -> int:
        """What the states that are shown take."""
        return sum(layer.num_bytes for layer in self.layers)

    def release(self) -> None:
        """Ends a fork: what it appended is forgotten."""
        for layer in self.layers:
            layer.release()


def _grown(states: torch.Tensor, used: int, capacity: int) -> torch.Tensor:
    larger = states.new_zeros((states.shape[0], capacity, states.shape[2]))  # what is not used is finite
    larger[:, :used] = states[:, :used]
    return larger


def _rounded(num_tokens: int) -> int:
    """Up to a multiple of `_STEP`."""
    return -(-num_tokens // _STEP) * _STEP
