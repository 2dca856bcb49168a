"""Latent attention: both ways against the plain formula, which is taken when, and what is kept."""

import pytest
import torch

from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime import latent
from llm.runtime.latent import LatentExpansion, attend_absorbed, attend_expanded, attend_latent
from llm.runtime.rotation import HalfRotation
from llm.runtime.working import WorkingKV

HEADS, WIDTH, KEY, ROTARY, VALUE = 6, 32, 16, 8, 12
SCALING = 0.2


def states(num_new: int, num_shown: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, LatentExpansion]:
    draw = torch.Generator().manual_seed(num_new)
    return (
        torch.randn(HEADS, num_new, KEY + ROTARY, generator=draw),
        torch.randn(1, num_shown, WIDTH, generator=draw),
        torch.randn(1, num_shown, ROTARY, generator=draw),
        LatentExpansion.from_weight(
            torch.randn(HEADS * (KEY + VALUE), WIDTH, generator=draw) / 5, key_width=KEY, value_width=VALUE
        ),
    )


def plainly(
    query: torch.Tensor, latents: torch.Tensor, rotary_keys: torch.Tensor, expansion: LatentExpansion
) -> torch.Tensor:
    """Query by query and head by head."""
    num_new, num_shown = query.shape[1], latents.shape[1]
    output = torch.empty(num_new, HEADS, VALUE)
    for head in range(HEADS):
        keys = torch.cat((latents[0] @ expansion.keys[head].T, rotary_keys[0]), -1)  # (T, N + R)
        values = latents[0] @ expansion.values[head].T  # (T, V)
        for step in range(num_new):
            seen = num_shown - num_new + step + 1
            weights = (keys[:seen] @ query[head, step] * SCALING).softmax(0)
            output[step, head] = weights @ values[:seen]
    return output


@pytest.mark.parametrize(("num_new", "num_shown"), [(1, 1), (1, 50), (7, 50), (50, 50)])
@pytest.mark.parametrize("way", [attend_absorbed, attend_expanded, attend_latent])
def test_both_ways_equal_the_plain_formula(way: type, num_new: int, num_shown: int) -> None:
    given = states(num_new, num_shown)
    torch.testing.assert_close(way(*given, scaling=SCALING), plainly(*given), atol=2e-6, rtol=0)


def test_heads_in_groups_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given = states(7, 50)
    whole = attend_latent(*given, scaling=SCALING)
    monkeypatch.setattr(latent, "_GROUP_NUMBERS", 4 * 50 * 36)  # groups of four heads, then two
    torch.testing.assert_close(attend_latent(*given, scaling=SCALING), whole, atol=1e-6, rtol=0)


def test_deepseek_v3_expands_from_about_170_new_tokens_on() -> None:
    """Per pair 320 products against 1,088, per token expanded or absorbed 131,072 (a head)."""
    expansion = LatentExpansion(torch.empty(1, 128, 512), torch.empty(1, 128, 512))
    assert [expansion.is_cheaper(num_new, 100_000) for num_new in (1, 100, 170, 171, 512)] == [False] * 3 + [True] * 2
    assert expansion.is_cheaper(30, 30)  # nothing was read before: each token is expanded once in either way


def test_a_working_set_keeps_the_latent_and_one_rotary_key() -> None:
    layout = LayerLayout(LayerKind.LATENT, 1, WIDTH, 1, ROTARY)
    rotation = HalfRotation(torch.tensor([1.0, 0.5, 0.1, 0.02]))
    kv = WorkingKV([layout], rotation, device=torch.device("cpu"), dtype=torch.float32)
    query, latents, rotary_keys, expansion = states(9, 9)
    attended = kv.layers[0].attend(query, latents, rotary_keys, scaling=SCALING, expansion=expansion)
    kept, turned = kv.layers[0].shown()
    assert (kept.shape, turned.shape) == ((1, 9, WIDTH), (1, 9, ROTARY))
    expected = plainly(rotation.rotate(query, 0), latents, rotation.rotate(rotary_keys, 0), expansion)
    torch.testing.assert_close(attended, expected, atol=2e-6, rtol=0)
