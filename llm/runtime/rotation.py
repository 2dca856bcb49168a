"""A model's rotary positions, applied by the runtime at positions of its own choice.

The model is fed position 0 and so hands over un-rotated queries and keys. A rotation of attention by a constant
changes nothing, so only differences of positions matter: the runtime numbers what it shows compactly.
"""

from typing import Protocol

import torch


class Rotation(Protocol):
    """Rotates heads by their positions."""

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        """states (H, S, C) un-rotated, of positions start, start + 1, … -> (H, S, C) rotated."""
        ...


class HalfRotation:
    """Channel c turns with channel c + R/2, as in Llama and Qwen; the last R of C channels turn, the others pass."""

    def __init__(self, inverse_frequencies: torch.Tensor) -> None:
        """inverse_frequencies (R/2,) float32, in radians a position."""
        self._inverse_frequencies = inverse_frequencies
        self._tables: dict[torch.dtype, tuple[torch.Tensor, torch.Tensor]] = {}  # cos, sin (T, R), grown on demand

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        end = start + states.shape[-2]
        cos, sin = self._table(end, states.dtype)
        cos, sin = cos[start:end], sin[start:end]
        width = cos.shape[-1]
        if width < states.shape[-1]:
            passing, turning = states[..., :-width], states[..., -width:]
            return torch.cat((passing, _turn(turning, cos, sin)), -1)
        return _turn(states, cos, sin)

    def _table(self, end: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        known = self._tables.get(dtype)
        if known is None or len(known[0]) < end:
            size = max(1024, 1 << (end - 1).bit_length())
            positions = torch.arange(size, device=self._inverse_frequencies.device, dtype=torch.float32)
            angles = positions[:, None] * self._inverse_frequencies  # (T, R/2)
            cos, sin = angles.cos(), angles.sin()
            # the sine of the first half carries the minus of rotate-half
            known = torch.cat((cos, cos), -1).to(dtype), torch.cat((-sin, sin), -1).to(dtype)
            self._tables[dtype] = known
        return known


def _turn(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = states.shape[-1] // 2
    swapped = torch.roll(states, half, -1)
    return torch.addcmul(states * cos, swapped, sin)


class NoRotation:
    """For layers without positions."""

    def rotate(self, states: torch.Tensor, start: int) -> torch.Tensor:
        return states
