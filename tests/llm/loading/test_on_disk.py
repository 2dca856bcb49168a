"""Experts left on disk: the same logits, few bytes in memory, and nothing left behind."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.bench.checkpoints import Checkpoint, tiny
from app.bench.exact import differences, reference, through_transformers
from llm import Engine
from llm.answer import ExpertUse
from llm.backbone import _placed, load_backbone
from llm.errors import ModelNotFound
from llm.loading.checkpoint import load_checkpoint
from llm.loading.experts import ExpertCache
from llm.loading.on_disk import BlockOnDisk
from tests.llm.conftest import write_tiny_checkpoint

MIXTURES = (
    "Llama 4 Scout", "Llama 4 Maverick", "DeepSeek-V2", "DeepSeek-V3", "DeepSeek-V3.2", "DeepSeek-V4", "Qwen3-MoE",
    "Mixtral", "Qwen3-VL-MoE", "GLM-4.5", "GLM-4.5V", "Kimi K2.5", "Gemma 4 MoE",
)  # fmt: skip


def with_tokenizer(checkpoint: Checkpoint) -> Checkpoint:
    folder = checkpoint.folder.parent
    write_tiny_checkpoint(folder / "tokenizer")
    AutoTokenizer.from_pretrained(folder / "tokenizer").save_pretrained(checkpoint.folder)
    return checkpoint


def loaded(checkpoint: Checkpoint, folder: Path, budget_bytes: int) -> Any:
    model, *_ = load_checkpoint(
        str(checkpoint.folder), dtype=torch.float32, device=torch.device("cpu"), experts_bytes=budget_bytes,
        cache_dir=folder / "cache",
    )  # fmt: skip
    return model.eval()


def cache_of(model: Any) -> ExpertCache:
    caches = {id(one.matrices.func.__self__): one.matrices.func.__self__ for one in experts_in(model)}
    [cache] = caches.values()
    return cache


def experts_in(model: Any) -> list[Any]:
    return [module for module in model.modules() if hasattr(module, "matrices")]


@pytest.mark.parametrize("name", MIXTURES)
def test_logits_are_those_of_all_experts_in_memory(name: str, tmp_path: Path) -> None:
    [checkpoint] = tiny(tmp_path, [name])
    expected = reference(checkpoint, 40, 4)
    model = loaded(with_tokenizer(checkpoint), tmp_path, 1)
    assert all(isinstance(experts.gate_up_proj, BlockOnDisk) for experts in experts_in(model))
    assert not any(parameter.is_meta for parameter in model.parameters())
    assert list((tmp_path / "cache").iterdir()) == []  # what was joined for it is gone, and can still be read
    model.set_attn_implementation("eager")

    class Loaded:
        def load(self) -> Any:
            return model

    for difference in differences(through_transformers(Loaded()), expected, chunks=(7, 64)):  # type: ignore[arg-type]
        assert difference.is_exact, difference
        assert difference.logits < 1e-5, difference
    assert len(cache_of(model)._kept) == 1
    assert cache_of(model).use.misses > 10


def test_with_room_for_all_each_is_read_once(tmp_path: Path) -> None:
    [checkpoint] = tiny(tmp_path, ["DeepSeek-V3"])
    model = loaded(with_tokenizer(checkpoint), tmp_path, 10**9)
    ids = torch.randint(3, 128, (1, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model(ids)
        read = cache_of(model).use.misses
        model(ids)
    assert cache_of(model).use.misses == read
    assert cache_of(model).use.hits >= read


def test_a_backbone_is_loaded_so_and_narrow_weights_are_refused(tmp_path: Path) -> None:
    [checkpoint] = map(with_tokenizer, tiny(tmp_path, ["Qwen3-MoE"]))
    backbone = load_backbone(
        str(checkpoint.folder), cache_dir=tmp_path, device="cpu", dtype="float32", threads=1, experts_bytes=1
    )
    assert experts_in(backbone.model)
    engine = Engine(backbone, tmp_path / "state")
    assert engine.expert_use == ExpertUse(0, 0, 0)
    backbone.model(torch.tensor([[3, 4, 5]]))
    use = engine.expert_use
    assert use is not None
    assert use.misses == cache_of(backbone.model).use.misses > 0
    assert use.fetched_bytes == cache_of(backbone.model).use.fetched_bytes > 0
    backbone.model(torch.tensor([[3]]))
    assert engine.expert_use != use  # what was handed out stays as it was
    assert backbone.layer_devices == torch.device("cpu")
    with pytest.raises(ModelNotFound, match=r"on disk are taken as they come; leave --weights-dtype or --exp"):
        load_backbone(
            str(checkpoint.folder), cache_dir=tmp_path, device="cpu", threads=1, experts_bytes=1, weights="int8"
        )


def test_a_model_without_experts_is_one_sentence(tiny_folder: Path, tmp_path: Path) -> None:
    said = r"type 'llama' has no routed experts that could stay on disk; leave --experts-gb out"
    with pytest.raises(ModelNotFound, match=said):
        load_backbone(str(tiny_folder), cache_dir=tmp_path, device="cpu", threads=1, experts_bytes=1)
    with pytest.raises(ModelNotFound, match=said):  # as for the packaged base, which is not loaded by that way
        _placed(AutoModelForCausalLM.from_pretrained(tiny_folder), torch.device("cpu"), 1)
