"""Packed weights against the weights that they were made of."""

import torch

from llm.packed.matrix import Int4Matrix, Int8Matrix, pack


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
    assert relative_error(weight, states, packed.product(states)) < 0.02


def test_a_shape_that_four_bits_cannot_hold_takes_eight() -> None:
    torch.manual_seed(0)
    weight, states = levelled(40, 96), torch.randn(1, 96).to(torch.bfloat16)
    packed = pack(weight)
    assert isinstance(packed, Int8Matrix)
    assert relative_error(weight, states, packed.product(states)) < 0.02


def test_a_row_of_zeros_stays_zero() -> None:
    weight = levelled(16, 64)
    weight[3] = 0
    other = torch.zeros(7, 64, dtype=torch.bfloat16)
    states = torch.ones(1, 64, dtype=torch.bfloat16)
    assert pack(weight).product(states)[0, 3] == 0
    assert pack(other).product(states).eq(0).all()
