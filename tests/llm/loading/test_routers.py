"""Routers for 10,000 random tokens, ties and negative biases included, against formulas written out token by token.

A tie goes to whichever expert it likes, so choices are compared by what they score; where none is tied, by number.
"""

import pytest
import torch
from transformers import DeepseekV3Config
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE, DeepseekV3TopkRouter

from llm.leafmoe import LeafMoEConfig
from llm.leafmoe.modeling import Router
from llm.loading.experts import keep_experts_in_host_memory

NUM_TOKENS, WIDTH, EXPERTS = 10_000, 16, 8
CPU = torch.device("cpu")


def config(**fields: object) -> DeepseekV3Config:
    return DeepseekV3Config(
        **{
            "hidden_size": WIDTH, "moe_intermediate_size": 8, "n_routed_experts": EXPERTS, "n_shared_experts": 1,
            "n_group": 4, "topk_group": 2, "num_experts_per_tok": 3, "norm_topk_prob": True,
            "routed_scaling_factor": 2.5, **fields,
        }
    )  # fmt: skip


def tokens(*, tied: bool) -> torch.Tensor:
    """(T, D). Tied: of so few different numbers that many experts score the same."""
    draw = torch.Generator().manual_seed(0)
    if tied:
        return torch.randint(-1, 2, (NUM_TOKENS, WIDTH), generator=draw).float()
    return torch.randn((NUM_TOKENS, WIDTH), generator=draw)


def fill(weight: torch.Tensor, bias: torch.Tensor, *, tied: bool) -> None:
    """Tied experts come in equal pairs, with equal biases; half of all biases are negative."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        if tied:
            weight.copy_(torch.randint(-1, 2, (EXPERTS // 2, WIDTH), generator=draw).repeat(2, 1) / 8)
            bias.copy_(torch.tensor([-0.25, 0.5, -1.5, 0.0]).repeat(2))
        else:
            weight.copy_(torch.randn((EXPERTS, WIDTH), generator=draw) / 2)
            bias.copy_(torch.randn(EXPERTS, generator=draw))
    assert (bias < 0).sum() >= EXPERTS // 4


def routed(scores: torch.Tensor, bias: torch.Tensor, groups: int, best_groups: int, top: int) -> list[float]:
    """The biased scores of the experts that one token goes to, best first (arXiv:2412.19437, section 2.1.2)."""
    biased = [score + shift for score, shift in zip(scores.tolist(), bias.tolist(), strict=True)]
    size = len(biased) // groups
    parts = [biased[start : start + size] for start in range(0, len(biased), size)]
    parts.sort(key=lambda part: -sum(sorted(part, reverse=True)[:2]))
    return sorted((score for part in parts[:best_groups] for score in part), reverse=True)[:top]


@pytest.mark.parametrize("tied", [False, True])
def test_leafmoes_router_is_deepseeks_without_groups(tied: bool) -> None:
    ours = Router(LeafMoEConfig(hidden_size=WIDTH, num_attention_heads=2, num_experts=EXPERTS, experts_per_token=1))
    fill(ours.weight, ours.selection_bias, tied=tied)
    theirs = DeepseekV3TopkRouter(config(n_group=1, topk_group=1, num_experts_per_tok=1, norm_topk_prob=False))
    theirs.weight, theirs.routed_scaling_factor = ours.weight, 1.0
    theirs.e_score_correction_bias.copy_(ours.selection_bias)
    hidden = tokens(tied=tied)
    gates, chosen = ours(hidden[None])
    _, weights, numbers = theirs(hidden)
    assert torch.equal(chosen[0].sum(-1), torch.ones(NUM_TOKENS, dtype=torch.int64))
    torch.testing.assert_close(gates[0].sum(-1, keepdim=True), weights, atol=1e-7, rtol=0)
    assert torch.equal(chosen[0].int().argmax(-1, keepdim=True), numbers)


@pytest.mark.parametrize("tied", [False, True])
def test_deepseeks_router_is_the_published_formula(tied: bool) -> None:
    router = DeepseekV3TopkRouter(config())
    fill(router.weight, router.e_score_correction_bias, tied=tied)
    hidden = tokens(tied=tied)
    logits, weights, numbers = router(hidden)
    scores = logits.sigmoid()
    biased = (scores + router.e_score_correction_bias).gather(1, numbers).sort(-1, descending=True).values
    expected = torch.tensor([routed(one, router.e_score_correction_bias, 4, 2, 3) for one in scores])  # (T, 3)
    torch.testing.assert_close(biased, expected, atol=1e-6, rtol=0)
    num_tied = int((scores[:, :4] == scores[:, 4:]).any(-1).sum())
    assert num_tied == (NUM_TOKENS if tied else 0)
    picked = scores.gather(1, numbers)
    torch.testing.assert_close(weights, 2.5 * picked / picked.sum(-1, keepdim=True), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tied", [False, True])
def test_experts_fetched_one_at_a_time_mix_as_all_resident_ones(tied: bool) -> None:
    torch.manual_seed(0)
    layer = DeepseekV3MoE(config())
    layer.config._experts_implementation = "eager"
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.3)
    fill(layer.gate.weight, layer.gate.e_score_correction_bias, tied=tied)
    hidden = tokens(tied=tied)[None]
    with torch.no_grad():
        _, weights, numbers = layer.gate(hidden)
        expected = layer.experts(hidden[0], numbers, weights)
        cache = keep_experts_in_host_memory(layer, CPU, 1)  # type: ignore[arg-type]
        fetched = ALL_EXPERTS_FUNCTIONS["longleaf_fetched"](layer.experts, hidden[0], numbers, weights)
    assert len(cache._kept) == 1
    torch.testing.assert_close(fetched, expected, atol=1e-4, rtol=1e-5)
