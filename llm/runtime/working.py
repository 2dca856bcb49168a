"""The working set: keys and values that the next forward pass sees, rotated and in the compute dtype.

A runner announces a pass (`begin`), each of its layers attends, and the runner ends the pass (`finish`). Positions are
numbered compactly, from 0, over what a layer shows.
"""

from collections.abc import Sequence

import torch

from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime.attention import attend
from llm.runtime.latent import LatentExpansion, attend_latent
from llm.runtime.rotation import NoRotation, Rotation

_FIRST_CAPACITY = 1024  # tokens


class LayerKV:
    """What one layer shows to the next pass."""

    def __init__(self, layout: LayerLayout, rotation: Rotation, device: torch.device, dtype: torch.dtype) -> None:
        self.layout = layout
        self._rotation = NoRotation() if layout.kind is LayerKind.UNROTATED else rotation
        self.num_shown = 0
        self._keys = torch.empty((layout.key_heads, 0, layout.key_width), device=device, dtype=dtype)
        self._values = torch.empty((layout.value_heads, 0, layout.value_width), device=device, dtype=dtype)

    def attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        scaling: float,
        expansion: LatentExpansion | None = None,
    ) -> torch.Tensor:
        """query (H, S, C), key (K, S, C), value (K, S, C') of the next S tokens, un-rotated -> (S, H, C').

        Appends the tokens. A latent layer needs its `expansion`; it is given latents as key and rotary keys as value.
        """
        start = self.num_shown
        if expansion is not None:
            self._append(key, self._rotation.rotate(value, start))
            return attend_latent(self._rotation.rotate(query, start), *self.shown(), expansion, scaling=scaling)
        self._append(self._rotation.rotate(key, start), value)
        keys, values = self.shown()
        window = self.layout.reach if self.layout.kind is LayerKind.SLIDING else None
        return attend(self._rotation.rotate(query, start), keys, values, scaling=scaling, window=window)

    def shown(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotated keys (K, T, C) and values (K, T, C') as views."""
        return self._keys[:, : self.num_shown], self._values[:, : self.num_shown]

    def truncate(self, num_shown: int) -> None:
        self.num_shown = num_shown

    def _append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        end = self.num_shown + keys.shape[1]
        if end > self._keys.shape[1]:
            capacity = max(end, 2 * self._keys.shape[1], _FIRST_CAPACITY)
            self._keys = _grown(self._keys, self.num_shown, capacity)
            self._values = _grown(self._values, self.num_shown, capacity)
        self._keys[:, self.num_shown : end] = keys
        self._values[:, self.num_shown : end] = values
        self.num_shown = end


class WorkingKV:
    """All layers of one session or reading. Batch size 1."""

    def __init__(
        self, layouts: Sequence[LayerLayout], rotation: Rotation, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.layers = [LayerKV(layout, rotation, device, dtype) for layout in layouts]
        self.num_tokens = 0  # the true position of the next token
        self._num_new = 0

    def room(self, wanted: int) -> int:
        """How many of `wanted` tokens the next pass may take: a pass ends where a chunk of some layer ends."""
        reaches = {layer.layout.reach for layer in self.layers if layer.layout.kind is LayerKind.CHUNKED}
        return min([wanted, *(reach - self.num_tokens % reach for reach in reaches if reach)])

    def begin(self, num_new: int) -> None:
        """Announces a pass over the next `num_new` tokens, at most `room(num_new)`."""
        for layer in self.layers:
            if layer.layout.kind is LayerKind.CHUNKED and self.num_tokens % (layer.layout.reach or 1) == 0:
                layer.truncate(0)
        self._num_new = num_new

    def finish(self) -> None:
        """Ends the pass: its tokens count as seen."""
        self.num_tokens += self._num_new
        self._num_new = 0


def _grown(states: torch.Tensor, used: int, capacity: int) -> torch.Tensor:
    larger = states.new_empty((states.shape[0], capacity, states.shape[2]))
    larger[:, :used] = states[:, :used]
    return larger
