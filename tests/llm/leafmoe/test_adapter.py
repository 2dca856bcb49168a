from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from llm.errors import ModelNotFound
from llm.leafmoe import (
    LeafMoEForCausalLM,
    load_adapter,
    load_leafmoe,
    merge_low_rank,
    read_shape,
    save_adapter,
    upcycle,
)
from llm.leafmoe.modeling import LowRankLinear
from tests.llm.leafmoe.test_modeling import logits


def test_base_and_adapter_make_the_trained_model(
    tmp_path: Path, base_folder: Path, trained: LeafMoEForCausalLM
) -> None:
    path = tmp_path / "weights.safetensors"
    save_adapter(trained, path, {"steps": "7"})
    assert read_shape(path) == {"num_experts": 4, "expert_width": 8, "experts_per_token": 1, "attention_rank": 2}
    composed = upcycle(base_folder, **read_shape(path)).eval()
    load_adapter(composed, path)
    assert torch.equal(logits(composed), logits(trained))


def test_only_the_trained_part_is_saved(tmp_path: Path, trained: LeafMoEForCausalLM) -> None:
    path = tmp_path / "weights.safetensors"
    save_adapter(trained, path)
    base_values = sum(p.numel() for p in trained.parameters()) - sum(
        t.numel() for t in trained.trained_state().values()
    )
    assert path.stat().st_size < base_values  # two bytes a value, and far fewer values


def test_merged_updates_answer_alike(tmp_path: Path, base_folder: Path) -> None:
    torch.manual_seed(5)
    model = upcycle(base_folder, dtype=torch.float32, attention_rank=2).eval()
    with torch.no_grad():
        for tensor in model.trained_state().values():
            tensor.copy_(torch.randn(tensor.shape) * 0.2)
    before = logits(model)
    merge_low_rank(model)
    assert not any(isinstance(module, LowRankLinear) for module in model.modules())
    torch.testing.assert_close(logits(model), before, atol=1e-4, rtol=1e-4)


def test_loading_for_answers_merges_and_freezes_nothing_else(
    tmp_path: Path, base_folder: Path, trained: LeafMoEForCausalLM
) -> None:
    path = tmp_path / "weights.safetensors"
    save_adapter(trained, path)
    loaded = load_leafmoe(base_folder, path, dtype=torch.float32)
    assert not loaded.training
    assert loaded.config.attention_rank == 0
    reference = trained.float()
    torch.testing.assert_close(logits(loaded), logits(reference), atol=1e-4, rtol=1e-4)


def test_other_files_and_other_models_are_refused(
    tmp_path: Path, base_folder: Path, trained: LeafMoEForCausalLM
) -> None:
    with pytest.raises(ModelNotFound, match=r"nothing\.safetensors cannot be read as LeafMoE weights"):
        read_shape(tmp_path / "nothing.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    with pytest.raises(ModelNotFound, match="has format None and this version reads 'leafmoe-1'"):
        read_shape(foreign)
    path = tmp_path / "weights.safetensors"
    save_adapter(trained, path)
    with pytest.raises(ModelNotFound, match="was trained for another model: it differs in"):
        load_adapter(upcycle(base_folder, expert_width=8), path)
    with pytest.raises(ModelNotFound, match="the model wants"):
        load_adapter(upcycle(base_folder, expert_width=16, attention_rank=2), path)
