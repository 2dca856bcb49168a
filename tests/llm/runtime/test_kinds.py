"""Layer kinds and memory per token against the arithmetic of the released configs; no weights are made."""

import pytest
import torch
from transformers import (
    DeepseekV2Config,
    DeepseekV3Config,
    DeepseekV4Config,
    DeepseekV32Config,
    Gemma2Config,
    Gemma3TextConfig,
    Gemma4TextConfig,
    GlmMoeDsaConfig,
    JambaConfig,
    Llama4Config,
    Llama4TextConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    SmolLM3Config,
)

from llm.errors import ModelNotFound
from llm.kv.layout import LayerKind
from llm.runtime.kinds import kv_bytes, kv_bytes_per_token, layouts_of, sharing_layers

MILLION = 1_048_576
SMOLLM2 = LlamaConfig(hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3)
LLAMA4 = {"hidden_size": 5120, "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8}
SCOUT = Llama4Config(text_config={**LLAMA4, "head_dim": 128, "attention_chunk_size": 8192})
DEEPSEEK_V3 = DeepseekV3Config()  # its defaults are the released numbers


def kinds(config: PretrainedConfig) -> list[LayerKind]:
    return [layout.kind for layout in layouts_of(config)]


def test_smollm2_keeps_11520_values_a_token() -> None:
    layouts = layouts_of(SMOLLM2)
    assert {layout.kind for layout in layouts} == {LayerKind.FULL}
    assert sum(layout.values_per_token for layout in layouts) == 11_520
    assert kv_bytes(layouts, MILLION, torch.bfloat16) == 24_159_191_040


def test_llama4_keeps_a_quarter_for_good_and_a_ring_of_one_chunk() -> None:
    layouts = layouts_of(SCOUT)
    assert [layout.kind for layout in layouts[:4]] == [LayerKind.CHUNKED] * 3 + [LayerKind.UNROTATED]
    assert sum(layout.values_per_token for layout in layouts) == 98_304
    assert kv_bytes_per_token(layouts, torch.bfloat16) == 24_576 * 2
    ring = 36 * 8192 * 2048 * 2
    assert ring == pytest.approx(1.2e9, rel=0.01)
    assert kv_bytes(layouts, MILLION, torch.bfloat16) == 24_576 * MILLION * 2 + ring
    assert kv_bytes(layouts, 100, torch.float32) == 98_304 * 100 * 4  # shorter than a chunk: every layer keeps all


def test_deepseek_keeps_latents_alone() -> None:
    layouts = layouts_of(DEEPSEEK_V3)
    assert {(layout.kind, layout.key_width, layout.value_width) for layout in layouts} == {(LayerKind.LATENT, 512, 64)}
    assert kv_bytes_per_token(layouts, torch.bfloat16) == 35_136 * 2
    assert kv_bytes(layouts, MILLION, torch.bfloat16) == pytest.approx(73.7e9, rel=0.001)


def test_an_indexer_leaves_a_key_before_the_latent() -> None:
    layouts = layouts_of(DeepseekV32Config())
    assert {(layout.kind, layout.key_width, layout.value_width) for layout in layouts} == {
        (LayerKind.INDEXED, 128 + 512, 64)
    }


def test_entries_that_pool_tokens_are_kept_in_shares() -> None:
    """128 tokens an entry of 512 channels, or 4 tokens one of 512 and one of 128."""
    layouts = layouts_of(DeepseekV4Config(num_hidden_layers=4))
    assert [layout.kind for layout in layouts] == [LayerKind.SLIDING, LayerKind.POOLED] * 4
    assert [layout.values_per_token for layout in layouts[1::2]] == [4, 4, 4, 160]
    assert {layout.reach for layout in layouts[::2]} == {128}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (MistralConfig(num_hidden_layers=2, sliding_window=4096), [LayerKind.SLIDING] * 2),
        (MistralConfig(num_hidden_layers=2, sliding_window=None), [LayerKind.FULL] * 2),
        (Qwen2Config(num_hidden_layers=2, use_sliding_window=False), [LayerKind.FULL] * 2),
        (
            Qwen2Config(num_hidden_layers=2, use_sliding_window=True, sliding_window=64, max_window_layers=1),
            [LayerKind.FULL, LayerKind.SLIDING],
        ),
        (Gemma3TextConfig(num_hidden_layers=6), [LayerKind.SLIDING] * 5 + [LayerKind.FULL]),
        (SmolLM3Config(num_hidden_layers=4), [LayerKind.FULL] * 3 + [LayerKind.UNROTATED]),
        (DeepseekV2Config(num_hidden_layers=2), [LayerKind.LATENT] * 2),
        (
            Llama4TextConfig(num_hidden_layers=4, no_rope_layers=[0, 1, 1, 0]),
            [LayerKind.UNROTATED, LayerKind.CHUNKED, LayerKind.CHUNKED, LayerKind.UNROTATED],
        ),
    ],
)
def test_kinds_follow_the_config(config: PretrainedConfig, expected: list[LayerKind]) -> None:
    assert kinds(config) == expected


def test_layers_of_one_model_may_differ_in_heads() -> None:
    layouts = layouts_of(Gemma4TextConfig(num_hidden_layers=6, attention_k_eq_v=True, num_global_key_value_heads=1))
    shapes = [(layout.kind, layout.key_heads, layout.key_width) for layout in layouts]
    assert shapes == [(LayerKind.SLIDING, 4, 256)] * 5 + [(LayerKind.FULL, 1, 512)]


def test_layers_reach_as_far_as_the_config_says() -> None:
    assert layouts_of(MistralConfig(sliding_window=4096))[0].reach == 4096
    assert {layout.reach for layout in layouts_of(SCOUT)} == {8192, None}


def test_layers_that_keep_nothing_look_at_the_last_of_their_kind_that_does() -> None:
    config = Gemma4TextConfig(num_kv_shared_layers=6)  # 30 layers, every sixth sees all
    assert len(layouts_of(config)) == 24
    assert sharing_layers(config) == {24: 22, 25: 22, 26: 22, 27: 22, 28: 22, 29: 23}
    assert sharing_layers(SCOUT) == {}


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (MambaConfig(), "no attention heads"),
        (JambaConfig(), "kinds linear_attention"),
        (Gemma2Config(), "attn_logit_softcapping"),
        (DeepseekV4Config(num_hidden_layers=2, head_dim=500), "entries of 500 channels"),
        (GlmMoeDsaConfig(num_hidden_layers=2), "index_topk"),
        (
            SmolLM3Config(use_sliding_window=True, sliding_window=64, no_rope_layers=[0] * 36, num_hidden_layers=36),
            "layer 0 is sliding and has no positions",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(config: PretrainedConfig, what: str) -> None:
    with pytest.raises(ModelNotFound, match=rf"'{config.model_type}' has layers that Longleaf cannot keep.*{what}"):
        layouts_of(config)
