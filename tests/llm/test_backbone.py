"""Loading by name, and what a person is told when a name leads nowhere."""

from pathlib import Path

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from llm.backbone import Backbone, count_free_cores, load_backbone
from llm.errors import ModelNotFound
from tests.llm.conftest import write_tiny_checkpoint


def test_a_checkpoint_folder_loads_with_its_context_and_stop_tokens(tiny: Backbone, tiny_folder: Path) -> None:
    assert tiny.name.name == str(tiny_folder)
    assert (tiny.context_tokens, tiny.stop_ids, tiny.dtype) == (2048, frozenset({1}), torch.float32)


def test_other_weights_have_another_identity(tiny: Backbone, tmp_path: Path) -> None:
    other = load_backbone(
        str(write_tiny_checkpoint(tmp_path / "other", seed=1)), cache_dir=tmp_path, dtype="float32", threads=1
    )
    assert other.snapshot_identity() != tiny.snapshot_identity()


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no model could be loaded from .*nowhere.*give a checkpoint folder"):
        load_backbone(str(tmp_path / "nowhere"), cache_dir=tmp_path, threads=1)


def test_an_unknown_dtype_names_the_known_ones(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="dtype 'float7' is unknown; use bfloat16, float16 or float32"):
        load_backbone(str(tiny_folder), cache_dir=tmp_path, dtype="float7", threads=1)


def test_a_model_without_keys_and_values_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "mamba")
    MambaForCausalLM(MambaConfig(vocab_size=258, hidden_size=16, state_size=4, num_hidden_layers=2)).save_pretrained(
        tmp_path / "mamba"
    )
    with pytest.raises(ModelNotFound, match="layers that Longleaf cannot keep on disk yet"):
        load_backbone(str(tmp_path / "mamba"), cache_dir=tmp_path, dtype="float32", threads=1)


def test_at_least_one_core_is_taken() -> None:
    assert count_free_cores() >= 1
