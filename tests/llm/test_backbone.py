"""Loading by name, and what a person is told when a name leads nowhere."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, MambaConfig, MambaForCausalLM

from llm.backbone import Backbone, count_free_cores, load_backbone
from llm.errors import ModelNotFound
from llm.packed import PackedLlama
from llm.runtime.rotation import HalfRotation, NoRotation, PairRotation, RotationByKind
from llm.runtime.through_transformers import TransformersRunner
from tests.llm.conftest import write_tiny_checkpoint


def test_a_checkpoint_folder_loads_with_its_context_and_stop_tokens(tiny: Backbone, tiny_folder: Path) -> None:
    assert tiny.name.name == str(tiny_folder)
    assert (tiny.context_tokens, tiny.stop_ids, tiny.dtype) == (2048, frozenset({1}), torch.float32)


def test_other_weights_have_another_identity(tiny: Backbone, tmp_path: Path) -> None:
    other = load_backbone(
        str(write_tiny_checkpoint(tmp_path / "other", seed=1)), cache_dir=tmp_path, dtype="float32", threads=1
    )
    assert other.snapshot_identity() != tiny.snapshot_identity()


def test_keys_that_are_kept_rotated_are_never_taken_for_others(tiny: Backbone) -> None:
    """A vision model keeps them so when it is shown pictures, and else does not."""
    frequencies = torch.ones(4)
    identities = [
        replace(tiny, runner=cast(Any, SimpleNamespace(rotation=rotation))).snapshot_identity()
        for rotation in (HalfRotation(frequencies), PairRotation(frequencies), NoRotation(), RotationByKind({}))
    ]
    plain = tiny.snapshot_identity()
    assert [identity == plain for identity in identities] == [True, True, False, False]
    assert identities[2] != identities[3]


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


def test_latent_attention_loads_and_goes_through_transformers(tiny: Backbone, tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "latent")
    config = DeepseekV3Config(
        vocab_size=258, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, q_lora_rank=None, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    DeepseekV3ForCausalLM(config).save_pretrained(tmp_path / "latent")
    loaded = load_backbone(str(tmp_path / "latent"), cache_dir=tmp_path, dtype="float32", threads=1)
    assert isinstance(loaded.runner, TransformersRunner)
    assert [layout.values_per_token for layout in loaded.runner.layouts] == [16 + 8]
    assert isinstance(tiny.runner, PackedLlama)


def test_at_least_one_core_is_taken() -> None:
    assert count_free_cores() >= 1
