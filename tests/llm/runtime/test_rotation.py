"""Rotations against the plain formula in float64, and which models have one."""

import math

import pytest
import torch
from transformers import GlmConfig, GlmForCausalLM, LlamaConfig, LlamaForCausalLM

from llm.runtime.rotation import HalfRotation, NoRotation, PairRotation, Rotation, rotation_of

FREQUENCIES = torch.tensor([1.0, 0.3, 0.01, 0.002])
TINY = {"vocab_size": 32, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}


def plainly(states: torch.Tensor, start: int, pairs: list[tuple[int, int]]) -> torch.Tensor:
    """Each pair of channels turned by its own angle, in float64. states (H, S, C)"""
    turned = states.double().clone()
    for step in range(states.shape[1]):
        for (first, second), frequency in zip(pairs, FREQUENCIES.tolist(), strict=True):
            angle = (start + step) * frequency
            x, y = states[:, step, first].double(), states[:, step, second].double()
            turned[:, step, first] = x * math.cos(angle) - y * math.sin(angle)
            turned[:, step, second] = x * math.sin(angle) + y * math.cos(angle)
    return turned


@pytest.mark.parametrize("start", [0, 5, 1500])
@pytest.mark.parametrize("width", [8, 12])
@pytest.mark.parametrize(
    ("rotation", "pairs"),
    [
        (HalfRotation(FREQUENCIES), [(0, 4), (1, 5), (2, 6), (3, 7)]),
        (PairRotation(FREQUENCIES), [(0, 1), (2, 3), (4, 5), (6, 7)]),
    ],
)
def test_the_last_channels_turn_as_the_formula_says(
    rotation: Rotation, pairs: list[tuple[int, int]], width: int, start: int
) -> None:
    states = torch.randn(3, 4, width, generator=torch.Generator().manual_seed(0))
    passing = width - 8
    expected = plainly(states, start, [(first + passing, second + passing) for first, second in pairs])
    turned = rotation.rotate(states, start)
    torch.testing.assert_close(turned.double(), expected, atol=2e-4 if start > 1000 else 1e-6, rtol=0)
    assert turned[..., :passing].equal(states[..., :passing])


@pytest.mark.parametrize("rotation", [HalfRotation(FREQUENCIES), PairRotation(FREQUENCIES)])
def test_only_differences_of_positions_matter(rotation: Rotation) -> None:
    query, key = torch.randn(2, 1, 1, 8, generator=torch.Generator().manual_seed(0))  # each (1, 1, 8)
    scores = [rotation.rotate(query, 40 + shift) @ rotation.rotate(key, 3 + shift).mT for shift in (0, 9, 700)]
    torch.testing.assert_close(scores[1:], [scores[0]] * 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rotation", [HalfRotation(FREQUENCIES), PairRotation(FREQUENCIES)])
def test_the_dtype_stays(rotation: Rotation) -> None:
    states = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    turned = rotation.rotate(states.bfloat16(), 0)
    assert turned.dtype == torch.bfloat16
    torch.testing.assert_close(turned.float(), rotation.rotate(states, 0), atol=0.05, rtol=0)


def test_without_positions_nothing_turns() -> None:
    states = torch.randn(1, 5, 8)
    assert NoRotation().rotate(states, 7) is states


def test_frequencies_are_the_models_own_scaled_ones() -> None:
    scaled = {"rope_theta": 5e5, "rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0,
              "high_freq_factor": 1.0, "original_max_position_embeddings": 8192}  # fmt: skip
    rotation = rotation_of(LlamaForCausalLM(LlamaConfig(**TINY, head_dim=128, rope_parameters=scaled)))
    assert isinstance(rotation, HalfRotation)
    channel = 127  # the slowest: its wavelength of 2.6 million exceeds 8,192, so its frequency is divided by 16
    one = torch.zeros(1, 1, 128)
    one[..., 63] = 1
    angle = 10_000 / 5e5 ** (126 / 128) / 16
    assert rotation.rotate(one, 10_000)[0, 0, channel].item() == pytest.approx(math.sin(angle), rel=1e-4)


def test_unknown_families_and_changing_frequencies_have_no_rotation() -> None:
    glm = GlmForCausalLM(GlmConfig(**TINY, head_dim=8, num_key_value_heads=2, pad_token_id=0))
    assert rotation_of(glm) is None  # turns the first half of a head's channels only
    dynamic = {"rope_theta": 1e4, "rope_type": "dynamic", "factor": 2.0}
    assert rotation_of(LlamaForCausalLM(LlamaConfig(**TINY, rope_parameters=dynamic))) is None
    assert rotation_of(LlamaForCausalLM(LlamaConfig(**TINY))) is not None
