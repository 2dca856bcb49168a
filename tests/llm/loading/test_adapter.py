"""LoRA adapters: merged exactly, named apart, and refused in one sentence where they do not fit."""

import warnings
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llm.backbone import Backbone, load_backbone
from llm.errors import ModelNotFound
from tests.llm.conftest import write_tiny_checkpoint


def write_adapter(base: Path, folder: Path, target: str = "q_proj") -> tuple[Path, torch.Tensor]:
    """A random LoRA for the model in `base`; the folder, and the change of the first layer's weight."""
    loaded = load_backbone(str(base), cache_dir=folder, dtype="float32", threads=1)
    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=[target], init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        adapted = get_peft_model(loaded.model, config)
    layer = dict(adapted.named_modules())[f"base_model.model.model.layers.0.self_attn.{target}"]
    change = layer.get_delta_weight("default").detach()
    adapted.save_pretrained(str(folder))
    return folder, change


def test_an_adapter_is_merged_into_the_weights_and_named(tiny: Backbone, tiny_folder: Path, tmp_path: Path) -> None:
    folder, change = write_adapter(tiny_folder, tmp_path / "law")
    adapted = load_backbone(str(tiny_folder), cache_dir=tmp_path, dtype="float32", threads=1, adapter=folder)
    name = "model.layers.0.self_attn.q_proj.weight"
    before, after = dict(tiny.model.named_parameters())[name], dict(adapted.model.named_parameters())[name]
    torch.testing.assert_close(after, before + change)
    assert change.abs().max() > 1e-3
    assert adapted.name.name == f"{tiny_folder} with law"
    assert adapted.snapshot_identity() != tiny.snapshot_identity()
    ids = [5, 6, 7]
    assert not torch.allclose(
        adapted.runner.forward(ids, adapted.empty_kv()), tiny.runner.forward(ids, tiny.empty_kv()), atol=1e-4
    )


def test_a_folder_without_adapter_is_one_sentence(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"holds no adapter; give one with adapter_model.safetensors and adapter_c"):
        load_backbone(str(tiny_folder), cache_dir=tmp_path, dtype="float32", threads=1, adapter=tmp_path)


def test_an_adapter_of_another_model_is_one_sentence(tiny_folder: Path, tmp_path: Path) -> None:
    folder, _ = write_adapter(tiny_folder, tmp_path / "law")
    text = (folder / "adapter_config.json").read_text("utf-8").replace('"q_proj"', '"no_such_layer"')
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    other = write_tiny_checkpoint(tmp_path / "other")
    with pytest.raises(ModelNotFound, match=r"the adapter in .* does not fit .*give one that was made for this model"):
        load_backbone(str(other), cache_dir=tmp_path, dtype="float32", threads=1, adapter=folder)
