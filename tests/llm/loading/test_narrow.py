"""Weights in 8 and 4 bits: how far they are from those they stand for, what they take, and what is refused."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from platformdirs import user_cache_dir
from transformers import PreTrainedModel

from app.bench.checkpoints import Checkpoint
from app.bench.checkpoints import tiny as tiny_checkpoints
from app.bench.exact import differences, reference, through_transformers
from llm.backbone import Backbone, load_backbone
from llm.errors import ModelNotFound
from llm.generation import Generated, generate
from llm.loading.experts import ExpertCache, bytes_of, keep_experts_in_host_memory
from llm.loading.four_bits import FourBitLinear
from llm.loading.narrow import narrow

pytest.importorskip("torchao", reason="torchao is not installed; pip install torchao==0.18.0 runs these")
TEXT = "The supplier delivers the boxes to the client on the first working day of each month."


def logits(backbone: Backbone) -> torch.Tensor:
    ids = [*backbone.prompt.prefix, *backbone.prompt.encode(TEXT)]
    return backbone.runner.forward(ids, backbone.empty_kv())


def opened(weight: torch.Tensor) -> torch.Tensor:
    return weight.dequantize() if hasattr(weight, "qdata") else weight


@pytest.mark.parametrize(("weights", "step"), [("int8", 1 / 127), ("int4", 1 / 7)])
def test_every_weight_is_within_half_a_step(tiny_folder: Path, weights: str, step: float) -> None:
    plain = load_backbone(str(tiny_folder), cache_dir=tiny_folder, dtype="float32", threads=1)
    narrowed = load_backbone(str(tiny_folder), cache_dir=tiny_folder, dtype="float32", threads=1, weights=weights)
    assert narrowed.name.revision == f"{plain.name.revision}+{weights}"
    assert narrowed.snapshot_identity() != plain.snapshot_identity()
    name = "model.layers.0.mlp.down_proj"
    ours, theirs = (one.model.get_submodule(name) for one in (narrowed, plain))
    wide, exact = opened(cast(torch.Tensor, ours.weight)), cast(torch.Tensor, theirs.weight)
    assert bytes_of(ours) < exact.nbytes * (0.36 if weights == "int8" else 0.19)
    largest = exact.unflatten(1, (-1, 32)).abs().amax(-1) if weights == "int4" else exact.abs().amax(-1, keepdim=True)
    allowed = (0.5 * step * largest * 1.1).repeat_interleave(exact.shape[1] // largest.shape[1], 1)
    assert ((wide - exact).abs() <= allowed).all()
    assert (wide - exact).abs().max() > 0
    for kept in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(*(one.model.get_parameter(kept) for one in (narrowed, plain)))
    assert 0 < (logits(narrowed) - logits(plain)).abs().max() < 0.1


@pytest.mark.slow
def test_the_packaged_base_writes_the_same_in_8_bits() -> None:
    written = []
    for weights in (None, "int8"):
        backbone = load_backbone(
            "smollm2-135m",
            cache_dir=Path(user_cache_dir("longleaf", appauthor=False)),
            dtype="bfloat16",
            threads=1,
            weights=weights,
        )
        into = Generated()
        prompt = [*backbone.prompt.prefix, *backbone.prompt.encode(TEXT), *backbone.prompt.suffix("When?")]
        for _ in generate(backbone, backbone.empty_kv(), prompt, into, max_new_tokens=8):
            pass
        written.append(into.text)
    assert written[0] == written[1]


class Changed:
    """A checkpoint whose model is changed on loading."""

    def __init__(self, checkpoint: Checkpoint, change: Callable[[PreTrainedModel], PreTrainedModel]) -> None:
        self.name, self.folder, self._plain, self._change = checkpoint.name, checkpoint.folder, checkpoint, change

    def load(self) -> PreTrainedModel:
        return self._change(self._plain.load())

    def prompt(self, num_tokens: int) -> list[int]:
        return self._plain.prompt(num_tokens)


def narrowing(weights: str, budget_bytes: int | None = None, caches: list[ExpertCache] | None = None) -> Any:
    def change(model: PreTrainedModel) -> PreTrainedModel:
        narrow(model, weights)
        if budget_bytes is not None and caches is not None:
            caches.append(keep_experts_in_host_memory(model, torch.device("cpu"), budget_bytes))
        return model

    return change


def with_opened_weights(weights: str) -> Any:
    """The change to plain numbers, those that narrow weights stand for, computed as transformers computes."""

    @torch.no_grad()
    def change(model: PreTrainedModel) -> PreTrainedModel:
        other = copy.deepcopy(model)
        narrow(other, weights)
        for name, layer in other.named_modules():
            if hasattr(layer, "narrow"):
                experts: Any = model.get_submodule(name)
                is_turned = type(experts).__name__ == "Llama4TextExperts"
                for number, pair in enumerate(layer.narrow):
                    for block, part in zip((experts.gate_up_proj, experts.down_proj), pair, strict=True):
                        wide = opened(part.weight)
                        block[number] = wide.T if is_turned else wide
            elif isinstance(layer, torch.nn.Linear | FourBitLinear) and ".narrow." not in name:
                model.get_submodule(name).weight.copy_(opened(layer.weight))
        return model

    return change


MIXTURES = (
    "Llama 4 Scout", "Llama 4 Maverick", "DeepSeek-V2", "DeepSeek-V3", "DeepSeek-V3.2", "DeepSeek-V4", "Qwen3-MoE",
    "Mixtral", "Qwen3-VL-MoE", "GLM-4.5", "GLM-4.5V", "Kimi K2.5", "Gemma 4 MoE",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixtures")


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_computes_with_the_numbers_that_its_four_bits_stand_for(name: str, folder: Path) -> None:
    [checkpoint] = tiny_checkpoints(folder, [name])
    expected = reference(cast(Checkpoint, Changed(checkpoint, with_opened_weights("int4"))), 40, 4)
    way = through_transformers(cast(Checkpoint, Changed(checkpoint, narrowing("int4"))))
    for difference in differences(way, expected, chunks=(7, 64)):
        assert difference.is_exact, difference
        assert difference.logits < 1e-4, difference


@pytest.mark.parametrize(("weights", "most", "least"), [("int8", 0.02, 1e-5), ("int4", 0.15, 0.02)])
@pytest.mark.parametrize("name", ["Llama 4 Scout", "DeepSeek-V3", "Qwen3-MoE"])
def test_a_narrow_mixture_takes_less_and_says_nearly_the_same(
    name: str, weights: str, most: float, least: float, folder: Path
) -> None:
    [checkpoint] = tiny_checkpoints(folder, [name])
    model, ids = checkpoint.load(), torch.tensor([checkpoint.prompt(40)])
    experts = [layer for layer in model.modules() if getattr(getattr(layer, "gate_up_proj", None), "ndim", 0) == 3]
    wide_bytes = sum(map(bytes_of, experts))
    with torch.no_grad():
        wide = model(ids).logits
        narrow(model, weights)
        difference = float((model(ids).logits - wide).norm() / wide.norm())
    assert least < difference < most
    share = sum(map(bytes_of, experts)) / wide_bytes
    assert share < (0.33 if weights == "int8" else 0.17)  # of float32, with the scales of rows this short
    assert not any(parameter.ndim == 3 for layer in experts for parameter in layer.parameters())


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_narrow_experts_are_fetched_as_they_are(weights: str, folder: Path) -> None:
    [checkpoint] = tiny_checkpoints(folder, ["DeepSeek-V3"])
    caches: list[ExpertCache] = []
    expected = reference(cast(Checkpoint, Changed(checkpoint, narrowing(weights))), 40, 4)
    for budget_bytes in (1, 10**9):
        way = through_transformers(cast(Checkpoint, Changed(checkpoint, narrowing(weights, budget_bytes, caches))))
        for difference in differences(way, expected, chunks=(7, 64)):
            assert difference.is_exact, difference
    for cache in caches:
        assert cache.use.fetched_bytes / cache.use.misses < 0.33 * 4 * (64 * 64 + 64 * 32)


def test_experts_of_another_layout_are_one_sentence() -> None:
    class Experts(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_up_proj = torch.nn.Parameter(torch.zeros(2, 64, 64))
            self.has_gate, self.has_bias = True, True

    model: Any = torch.nn.Sequential(Experts())
    with pytest.raises(ModelNotFound, match=r"the experts 0 of type Experts have a layout .* --weights-dtype out"):
        narrow(model, "int4")
