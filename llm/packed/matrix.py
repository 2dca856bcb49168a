"""Weight matrices packed into integers, for products with a few tokens, where reading the weights is the whole cost.

Int4: groups of 32 along the input, each with a step and a middle. A tensor that came out of a Q4_1 file has at most 16
values a group, its smallest and largest among them, so it is met to within the rounding of step and middle to bfloat16
(0.4 % of the weights' size). Small parts that were trained beside such a tensor are rounded to 16 levels, too; every
other tensor to 8 bits, a row at a time.
The products are torch's own (`_weight_int4pack_mm_for_cpu`, `_weight_int8pack_mm`); they take and give bfloat16.
"""

from typing import Protocol

import torch
import torch.nn.functional as F

_GROUP = 32
_ROWS = 16  # torch's product takes rows by 16
_CLOSE = 0.01  # relative error above which a matrix is not taken for one of 4 bits


class PackedMatrix(Protocol):
    """A weight (N, D)."""

    def product(self, states: torch.Tensor) -> torch.Tensor:
        """states (S, D) bfloat16 -> (S, N) bfloat16."""
        ...


class Int4Matrix:
    """16 levels for each group of 32 inputs."""

    def __init__(self, levels: torch.Tensor, step: torch.Tensor, middle: torch.Tensor) -> None:
        """levels (N, D/32, 32) of 0 to 15; (N, D/32) bfloat16: a group's step, and what its level 8 stands for."""
        self._levels = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels.flatten(1).to(torch.int32), 1)
        self._scales = torch.stack((step, middle), -1).transpose(0, 1).contiguous()  # (D/32, N, 2)

    def product(self, states: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(states, self._levels, _GROUP, self._scales)
        return out


class Int8Matrix:
    """255 levels for each row.

    Half the time of the upper and the lower four bits as two matrices with 32 inputs to a step, whose logits are hardly
    nearer (docs/LOG.md).
    """

    def __init__(self, weight: torch.Tensor) -> None:
        """weight (N, D) bfloat16."""
        self._steps = (weight.float().abs().amax(1) / 127).to(torch.bfloat16)  # (N,)
        levels = weight.float() / _divisor(self._steps)
        self._levels = levels.round_().clamp_(-127, 127).to(torch.int8)

    def product(self, states: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.ops.aten._weight_int8pack_mm(states, self._levels, self._steps)
        return out


class PlainMatrix:
    """As it is, for shapes that torch's integer products do not take."""

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight

    def product(self, states: torch.Tensor) -> torch.Tensor:
        return F.linear(states, self._weight)


class UpdatedMatrix:
    """A matrix of 16 levels and beside it a low-rank update; together they would have to take 8 bits."""

    def __init__(self, plain: Int4Matrix, low_rank_in: torch.Tensor, low_rank_out: torch.Tensor) -> None:
        """low_rank_in (R, D) and low_rank_out (N, R) bfloat16."""
        padding = -len(low_rank_in) % _GROUP
        self._plain = plain
        self._in = pack_small(F.pad(low_rank_in, (0, 0, 0, padding)))
        self._out = pack_small(F.pad(low_rank_out, (0, padding)))

    def product(self, states: torch.Tensor) -> torch.Tensor:
        return self._plain.product(states).add_(self._out.product(self._in.product(states)))


def pack_updated(weight: torch.Tensor, low_rank_in: torch.Tensor, low_rank_out: torch.Tensor) -> PackedMatrix:
    """weight (N, D) bfloat16, in which the product of low_rank_out (N, R) and low_rank_in (R, D) is contained.

    In 4 bits beside its update, if they hold it without that; else all in one.
    """
    plain = pack((weight.float() - low_rank_out.float() @ low_rank_in.float()).to(weight.dtype))
    if isinstance(plain, Int4Matrix):
        return UpdatedMatrix(plain, low_rank_in.to(weight.dtype), low_rank_out.to(weight.dtype))
    return pack(weight)


def pack_small(weight: torch.Tensor) -> PackedMatrix:
    """weight (N, D) bfloat16 of a part that adds little to a result: rounded to 4 bits, whatever it holds.

    What is lost so cannot be told from the rounding that is there anyway (docs/LOG.md).
    """
    return Int4Matrix(*_in_16_levels(_groups(weight))) if _is_packable(weight) else PlainMatrix(weight)


def pack(weight: torch.Tensor) -> PackedMatrix:
    """weight (N, D) bfloat16, in 4 bits if they hold it, else in 8."""
    if not _is_packable(weight):
        return PlainMatrix(weight)
    if not _holds_16_levels(weight[::_ROWS]):
        return Int8Matrix(weight)
    return Int4Matrix(*_in_16_levels(_groups(weight)))


def _is_packable(weight: torch.Tensor) -> bool:
    return weight.shape[0] % _ROWS == 0 and weight.shape[1] % _GROUP == 0


def _holds_16_levels(weight: torch.Tensor) -> bool:
    """Whether groups hold no other values than 16 even steps: then they came out of a file of 4 bits."""
    groups = _groups(weight)
    levels, step, middle = _in_16_levels(groups)
    rebuilt = (levels - 8) * step.float()[..., None] + middle.float()[..., None]
    return bool((rebuilt - groups).norm() <= _CLOSE * groups.norm())


def _in_16_levels(groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """groups (N, D/32, 32) -> levels of the same shape, step and middle (N, D/32)."""
    lowest, highest = groups.aminmax(dim=-1)
    step = ((highest - lowest) / 15).to(torch.bfloat16)
    middle = (lowest + 8 * step.float()).to(torch.bfloat16)
    levels = torch.sub(groups, middle.float()[..., None]).div_(_divisor(step)).round_().add_(8).clamp_(0, 15)
    return levels, step, middle


def _groups(weight: torch.Tensor) -> torch.Tensor:
    """(N, D) -> (N, D/32, 32) in float32."""
    return weight.float().reshape(len(weight), -1, _GROUP)


def _divisor(step: torch.Tensor) -> torch.Tensor:
    """(N, …) -> (N, …, 1) in float32, above zero."""
    return step.float().clamp(min=torch.finfo(torch.float32).tiny)[..., None]
