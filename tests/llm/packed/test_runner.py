"""The packed runner against transformers' own forward pass with eager attention."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from llm.leafmoe import LeafMoEConfig, LeafMoEForCausalLM, merge_low_rank
from llm.packed import PackedLlama
from llm.packed.projections import OneTokenExperts
from llm.runtime.runner import Carrier
from llm.runtime.runners import runner_of
from llm.runtime.working import WorkingKV

SHAPE: dict[str, Any] = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "attn_implementation": "eager",
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def llama(**changes: Any) -> PreTrainedModel:
    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**{**SHAPE, **changes})).eval()


@torch.no_grad()
def leafmoe(experts_per_token: int) -> PreTrainedModel:
    """With experts that count: fresh ones add nothing."""
    torch.manual_seed(2)
    config = LeafMoEConfig(**SHAPE, num_experts=4, expert_width=32, experts_per_token=experts_per_token)
    model = LeafMoEForCausalLM(config).eval()
    for part in model.experts():
        torch.nn.init.normal_(part.down_proj.weight, std=0.1)
        for matrix in (part.gate_up_proj, part.down_proj):  # of values that 4 bits hold
            matrix.weight.mul_(100).round_().clamp_(-8, 7).div_(100)
        torch.nn.init.normal_(part.router.weight, std=1)
        torch.nn.init.normal_(part.router.selection_bias, std=0.1)
    return model


def updated() -> PreTrainedModel:
    """With low-rank updates of attention, merged as for answering."""
    torch.manual_seed(3)
    model = LeafMoEForCausalLM(LeafMoEConfig(**SHAPE, num_experts=4, expert_width=16, attention_rank=4)).eval()
    for name, part in model.named_parameters():
        if "low_rank_out" in name:
            torch.nn.init.normal_(part, std=0.1)
    merge_low_rank(model)
    return model


MODELS = {
    "llama": llama,
    "tied, llama3 rope": lambda: llama(tie_word_embeddings=True, rope_parameters=LLAMA3_ROPE),
    "leafmoe top-1": lambda: leafmoe(1),
    "leafmoe top-2": lambda: leafmoe(2),
    "leafmoe, attention updated": updated,
}


def packed(model: PreTrainedModel) -> tuple[PackedLlama, WorkingKV]:
    runner = PackedLlama.of(model)
    assert runner is not None
    return runner, WorkingKV(runner.layouts, runner.rotation, device=model.device, dtype=model.dtype)


@torch.no_grad()
def wanted(model: PreTrainedModel, token_ids: list[int]) -> torch.Tensor:
    """Logits (S, V) of all tokens."""
    logits: torch.Tensor = model(torch.tensor([token_ids])).logits[0]
    return logits.float()


def test_the_logits_of_several_tokens_are_those_of_each() -> None:
    model, ids = llama(), list(range(3, 23))
    runner, kv = packed(model)
    runner.forward(ids[:10], kv)
    logits, states = runner.carry(ids[10:], kv, 4)
    assert states.shape == (10, 64)
    assert torch.allclose(logits, wanted(model, ids)[-4:], atol=1e-4)
    assert isinstance(runner, Carrier)


@pytest.mark.parametrize("name", MODELS)
def test_sequences_apart_have_the_logits_of_each_alone(name: str) -> None:
    model, ids = MODELS[name](), list(range(3, 23))
    sequences = [[5, 9, 2], [7], list(range(30, 44)), [5, 9]]
    packed_runner, kv = packed(model)
    packed_runner.forward(ids, kv)
    plain = runner_of(model)
    assert isinstance(plain, Carrier)
    plain_kv = WorkingKV(plain.layouts, plain.rotation, device=model.device, dtype=model.dtype)
    plain.forward(ids, plain_kv)
    for runner, working in ((packed_runner, kv), (plain, plain_kv)):
        assert isinstance(runner, Carrier)
        apart = runner.carry_apart(sequences, working)
        for sequence, logits in zip(sequences, apart, strict=True):
            assert torch.allclose(logits, wanted(model, ids + sequence)[len(ids) :], atol=1e-3)
        assert working.num_tokens == len(ids)
        assert torch.allclose(runner.forward([50], working), wanted(model, [*ids, 50])[-1], atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_float32_logits_are_those_of_transformers(name: str, chunk: int) -> None:
    model = MODELS[name]()
    tokens = torch.randint(0, 256, (90,)).tolist()
    reference = wanted(model, tokens)
    runner, kv = packed(model)
    for start in range(0, len(tokens), chunk):
        part = tokens[start : start + chunk]
        torch.testing.assert_close(
            runner.forward(part, kv), reference[start + len(part) - 1], atol=1e-3, rtol=0, msg=f"at {start}"
        )
    assert kv.num_tokens == len(tokens)


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_logits_stay_close_for_many_tokens_and_for_one(name: str) -> None:
    model = MODELS[name]()
    tokens = torch.randint(0, 256, (60,)).tolist()
    reference = wanted(model, tokens)
    runner, kv = packed(model.to(torch.bfloat16))
    got = [runner.forward(tokens[:40], kv), *(runner.forward([token], kv) for token in tokens[40:])]
    errors = (torch.stack(got) - reference[39:]).norm(dim=1) / reference[39:].norm(dim=1)
    assert errors.median() < 0.05  # where rounding sends a token to another expert, the error is larger


@torch.no_grad()
@pytest.mark.parametrize("experts_per_token", [1, 2])
def test_one_token_meets_its_own_experts_alone(experts_per_token: int) -> None:
    for part in leafmoe(experts_per_token).to(torch.bfloat16).experts():
        one_token = OneTokenExperts(part)
        for states in torch.randn(8, 1, 64).to(torch.bfloat16):
            result = torch.zeros_like(states)
            one_token.add_to(result, states)
            wanted = part(states[None])[0]
            assert (result - wanted).norm() < 0.05 * wanted.norm()


def test_a_few_tokens_at_once_equal_one_at_a_time() -> None:
    model = leafmoe(1).to(torch.bfloat16)
    tokens = torch.randint(0, 256, (16,)).tolist()
    runner, apart = packed(model)
    _, together = packed(model)
    for token in tokens:
        last = runner.forward([token], apart)
    for start in (0, 5, 10):
        logits = runner.forward(tokens[start : start + (6 if start == 10 else 5)], together)
    assert (last - logits).norm() < 0.05 * logits.norm()


def test_other_shapes_are_left_to_transformers() -> None:
    assert PackedLlama.of(llama(attention_bias=True)) is None
    assert PackedLlama.of(llama(hidden_act="gelu")) is None
    assert PackedLlama.of(llama().to(torch.float16)) is None
    assert PackedLlama.of(llama().to("meta")) is None
    assert PackedLlama.of(Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=16))) is None


class _Products(TorchDispatchMode):
    """Collects the shapes of all matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[str, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(name in str(func) for name in ("aten.mm", "aten.bmm", "aten.addmm", "aten.linear")):
            self.shapes.add((str(func), *(str(tuple(each.shape)) for each in args)))
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_texts_of_many_lengths_need_few_kernels() -> None:
    runner, _ = packed(leafmoe(1).to(torch.bfloat16))
    known: set[tuple[str, ...]] = set()
    with _Products() as products:
        for length in (64, *range(49, 64)):
            kv = WorkingKV(runner.layouts, runner.rotation, device=torch.device("cpu"), dtype=torch.bfloat16)
            runner.forward(list(range(length)), kv)
            runner.forward(list(range(length - 32)), kv)
            known = known or set(products.shapes)
    assert known
    assert products.shapes == known
