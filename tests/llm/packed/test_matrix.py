"""Packed weights against the weights that they were made of."""

import pytest
import torch

from llm.packed.matrix import (
    Int4Matrix,
    Int8Matrix,
    PlainMatrix,
    UpdatedMatrix,
    pack,
    pack_small,
    pack_updated,
)


def levelled(rows: int, columns: int) -> torch.Tensor:
    """What a Q4_1 file holds: groups of 32 with 16 even steps from the smallest to the largest value."""
    levels = torch.randint(0, 16, (rows, columns // 32, 32)).float()
    levels[..., 0], levels[..., 1] = 0, 15
    steps = torch.rand(rows, columns // 32, 1) * 0.01 + 0.001
    return (levels * steps - torch.rand(rows, columns // 32, 1) * 0.1).flatten(1).to(torch.bfloat16)


def relative_error(weight: torch.Tensor, states: torch.Tensor, product: torch.Tensor) -> float:
    wanted = states.float() @ weight.float().T
    return float((product.float() - wanted).norm() / wanted.norm())


def test_sixteen_even_steps_take_four_bits_and_lose_next_to_nothing() -> None:
    torch.manual_seed(0)
    weight, states = levelled(48, 96), torch.randn(3, 96).to(torch.bfloat16)
    packed = pack(weight)
    assert isinstance(packed, Int4Matrix)
    assert relative_error(weight, states, packed.product(states)) < 0.01


def test_other_weights_take_eight_bits() -> None:
    torch.manual_seed(0)
    weight, states = torch.randn(48, 96).to(torch.bfloat16), torch.randn(3, 96).to(torch.bfloat16)
    packed = pack(weight)
    assert isinstance(packed, Int8Matrix)
    assert relative_error(weight, states, packed.product(states)) < 0.01


@pytest.mark.parametrize("rank", [1, 16, 48])
def test_a_low_rank_update_stands_beside_what_four_bits_hold(rank: int) -> None:
    torch.manual_seed(0)
    states = torch.randn(3, 96).to(torch.bfloat16)
    low_rank_in, low_rank_out = torch.randn(rank, 96) * 0.05, torch.randn(48, rank) * 0.5 * rank**-0.5
    update = low_rank_out @ low_rank_in
    for plain, expected in ((levelled(48, 96), UpdatedMatrix), (torch.randn(48, 96) * 0.1, Int8Matrix)):
        weight = (plain.float() + update).to(torch.bfloat16)
        packed = pack_updated(weight, low_rank_in, low_rank_out)
        assert isinstance(packed, expected)
        assert relative_error(weight, states, packed.product(states)) < 0.07  # the update is rounded to 4 bits
        assert relative_error(plain, states, packed.product(states)) > 0.2, "the update does not count"


def test_a_small_part_takes_four_bits_whatever_it_holds() -> None:
    torch.manual_seed(0)
    weight, states = torch.randn(48, 96).to(torch.bfloat16), torch.randn(3, 96).to(torch.bfloat16)
    small = pack_small(weight)
    assert isinstance(small, Int4Matrix)
    assert relative_error(weight, states, small.product(states)) < 0.12
    assert isinstance(pack_small(weight[:40]), PlainMatrix)


@pytest.mark.parametrize("shape", [(40, 96), (48, 80)])
def test_a_shape_that_groups_cannot_hold_stays_plain(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    weight, states = torch.randn(shape).to(torch.bfloat16), torch.randn(1, shape[1]).to(torch.bfloat16)
    packed = pack(weight)
    assert isinstance(packed, PlainMatrix)
    assert relative_error(weight, states, packed.product(states)) < 0.005


def test_a_row_of_zeros_stays_zero() -> None:
    torch.manual_seed(0)
    states = torch.ones(1, 64, dtype=torch.bfloat16)
    for weight in (levelled(16, 64), torch.randn(16, 64).to(torch.bfloat16)):
        weight[3] = 0
        assert pack(weight).product(states)[0, 3] == 0
