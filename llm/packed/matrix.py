"""Weight matrices packed into integers, for products with a few tokens, where reading the weights is the whole cost.

Int4: groups of 32 along the input, each with a step and a middle. A tensor that came out of a Q4_1 file has at most 16
values a group, its smallest and largest among them, so it is met to within the rounding of step and middle to bfloat16
(0.4 % of the weights' size). Every other tensor is rounded to int8 with a scale a row (1 %).
The products are torch's own (`_weight_int4pack_mm_for_cpu`, `_weight_int8pack_mm`); they take and give bfloat16.
"""

from typing import Protocol

import torch

_GROUP = 32
_ROWS = 16  # torch's int4 product takes rows by 16
_CLOSE = 0.01  # relative error above which a matrix is not taken for one of 4 bits


class PackedMatrix(Protocol):
    """A weight (N, D)."""

    def product(self, states: torch.Tensor) -> torch.Tensor:
        """states (S, D) bfloat16 -> (S, N) bfloat16."""
        ...


class Int4Matrix:
    """16 levels for each group of 32 inputs."""

    def __init__(self, levels: torch.Tensor, scales: torch.Tensor) -> None:
        """levels (N, D) int32 of 0 to 15, scales (D/32, N, 2) bfloat16: a group's step, and what level 8 stands for."""
        self._levels = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels, 1)
        self._scales = scales

    def product(self, states: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(states, self._levels, _GROUP, self._scales)
        return out


class Int8Matrix:
    """255 levels for each row."""

    def __init__(self, weight: torch.Tensor) -> None:
        """weight (N, D)."""
        scale = (weight.abs().amax(1).float() / 127).clamp(min=torch.finfo(torch.float32).tiny)  # (N,)
        self._levels = (weight.float() / scale[:, None]).round_().to(torch.int8)
        self._scale = scale.to(torch.bfloat16)

    def product(self, states: torch.Tensor) -> torch.Tensor:
        return torch._weight_int8pack_mm(states, self._levels, self._scale)


def pack(weight: torch.Tensor) -> PackedMatrix:
    """weight (N, D) bfloat16, in 4 bits if they hold it, else in 8."""
    return pack_int4(weight) or Int8Matrix(weight)


def pack_int4(weight: torch.Tensor) -> Int4Matrix | None:
    """weight (N, D) bfloat16; None if its groups hold other values than 16 even steps."""
    if weight.shape[0] % _ROWS or weight.shape[1] % _GROUP:
        return None
    groups = weight.float().view(len(weight), -1, _GROUP)  # (N, D/32, 32)
    lowest, highest = groups.aminmax(dim=-1)
    step = ((highest - lowest) / 15).to(torch.bfloat16)
    middle = (lowest + 8 * step.float()).to(torch.bfloat16)
    wide_step = step.float().clamp(min=torch.finfo(torch.float32).tiny)[..., None]
    levels = torch.sub(groups, middle.float()[..., None]).div_(wide_step).round_().add_(8).clamp_(0, 15)
    rebuilt = (levels - 8).mul_(wide_step).add_(middle.float()[..., None])
    if (rebuilt - groups).norm() > _CLOSE * groups.norm():
        return None
    scales = torch.stack((step, middle), -1).transpose(0, 1).contiguous()  # (D/32, N, 2)
    return Int4Matrix(levels.flatten(1).to(torch.int32), scales)
