"""Matrices of four-bit integers, two in a byte: a layer that makes them numbers again whenever it is used.

The integers and their scales are torchao's, which itself keeps every four bits in a byte of its own where no kernel for
packed ones fits the machine: as much memory as eight bits, for worse answers.
"""

from typing import Any

import torch
from torch.nn.functional import linear

GROUP = 32  # columns that share a scale


class FourBitLinear(torch.nn.Module):
    """As the `Linear` that torchao has narrowed to four bits. `weight` is made anew each time that it is asked for."""

    packed: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, narrowed: torch.nn.Linear) -> None:
        """`narrowed.weight` holds integers from -8 to 7 and a scale for every GROUP columns of a row."""
        super().__init__()
        weight: Any = narrowed.weight
        self.in_features, self.out_features = narrowed.in_features, narrowed.out_features
        assert weight.scale.shape == (self.out_features, self.in_features // GROUP), "a scale for every group"
        assert not weight.zero_point.any(), "the integers are symmetric about 0"
        low, high = weight.qdata.view(torch.uint8).unflatten(1, (-1, 2)).unbind(-1)
        self.register_buffer("packed", (low & 15) | (high << 4))  # (out, in / 2)
        self.register_buffer("scale", weight.scale.detach().clone())
        self.register_buffer("bias", None if narrowed.bias is None else narrowed.bias.detach())

    @property
    def weight(self) -> torch.Tensor:
        """(out, in) in the dtype of the scales."""
        signed = torch.stack((self.packed & 15, self.packed >> 4), -1).flatten(1).view(torch.int8)
        integers: Any = ((signed ^ 8) - 8).unflatten(1, (-1, GROUP))  # the fourth bit is the sign
        numbers: torch.Tensor = integers * self.scale[..., None]
        return numbers.flatten(1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return linear(states, self.weight, self.bias)
