"""Experts fetched one by one, under budgets down to a single one, against transformers with all of them resident."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from app.bench.checkpoints import tiny
from app.bench.exact import differences, reference, through_transformers
from llm.errors import ModelNotFound
from llm.loading.experts import ExpertCache, keep_experts_in_host_memory

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixtures")


FETCHED = (
    "Llama 4 Scout", "Llama 4 Maverick", "DeepSeek-V2", "DeepSeek-V3", "DeepSeek-V3.2", "DeepSeek-V4", "Qwen3-MoE",
    "Mixtral", "Qwen3-VL-MoE", "GLM-4.5", "GLM-4.5V", "Kimi K2.5", "Gemma 4 MoE",
)  # fmt: skip


@pytest.mark.parametrize("name", FETCHED)
@pytest.mark.parametrize("budget_bytes", [1, 10**9])
def test_logits_are_those_of_all_experts_resident(name: str, budget_bytes: int, folder: Path) -> None:
    [checkpoint] = tiny(folder, [name])
    expected = reference(checkpoint, 40, 4)
    caches: list[ExpertCache] = []

    class Fetching(type(checkpoint)):  # type: ignore[misc]
        def load(self):  # type: ignore[no-untyped-def]
            model = super().load()
            caches.append(keep_experts_in_host_memory(model, CPU, budget_bytes))
            return model

    way = through_transformers(Fetching(checkpoint.name, checkpoint.folder))
    for difference in differences(way, expected, chunks=(7, 64)):
        assert difference.is_exact, difference
        assert difference.logits < 1e-5, difference
    [cache] = caches
    if budget_bytes == 1:
        assert len(cache._kept) == 1
        assert cache.use.misses > 10
    else:
        assert cache.use.hits > cache.use.misses
        assert cache.use.fetched_bytes == cache.used_bytes


def test_the_least_recently_used_expert_goes_first() -> None:
    class Experts:
        gate_up_proj = torch.arange(4.0).view(4, 1, 1).expand(4, 2, 1)
        down_proj = torch.zeros(4, 1, 1)

    experts, cache = Experts(), ExpertCache(CPU, budget_bytes=2 * 12)
    for number in (0, 1, 0, 2, 0, 1):
        assert cache.fetch(experts, number)[0][0, 0] == number
    assert (cache.use.hits, cache.use.misses) == (2, 4)  # 1 gave way to 2, and 2 to 1
    assert cache.used_bytes == 2 * 12


def test_a_model_without_experts_is_one_sentence() -> None:
    config = LlamaConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=32
    )
    with pytest.raises(
        ModelNotFound, match=r"type 'llama' has no routed experts to keep in host memory; leave --exper"
    ):
        keep_experts_in_host_memory(LlamaForCausalLM(config), CPU, 1)
