"""Tiny shapes of every family that the runtime reads, as random models.

They have the ratios, layer patterns and position rules of the released configs. Windows and chunks of 16 to 20 tokens
and temperature floors of 8 are crossed many times by a few hundred tokens. Image towers are as small as their classes
allow.
"""

from collections.abc import Callable
from typing import Any

from transformers import (
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    DeepseekV4Config,
    DeepseekV4ForCausalLM,
    DeepseekV32Config,
    DeepseekV32ForCausalLM,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Glm4MoeConfig,
    Glm4MoeForCausalLM,
    Glm4vMoeConfig,
    Glm4vMoeForConditionalGeneration,
    Glm46VConfig,
    Glm46VForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Kimi_K25Config,
    Kimi_K25ForConditionalGeneration,
    Llama4Config,
    Llama4ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
    SmolLM3Config,
    SmolLM3ForCausalLM,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from llm.leafmoe import LeafMoEConfig, LeafMoEForCausalLM

VOCABULARY = 128

_Fields = dict[str, Any]
_SHAPE: _Fields = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1280, "tie_word_embeddings": False,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_ROPE_LLAMA3: _Fields = {
    "rope_theta": 5e5, "rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
_ROPE_YARN: _Fields = {
    "rope_theta": 1e4, "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 32,
    "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0,
}  # fmt: skip
_LLAMA4_TEXT: _Fields = _SHAPE | {
    "head_dim": 16, "intermediate_size_mlp": 128, "num_local_experts": 4, "num_experts_per_tok": 1,
    "attention_chunk_size": 16, "floor_scale": 8, "attn_scale": 0.1,
}  # fmt: skip
_LLAMA4_VISION: _Fields = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 128, "image_size": 28,
    "patch_size": 14, "vision_output_dim": 32, "projector_input_dim": 32, "projector_output_dim": 32,
}  # fmt: skip
_SCOUT: _Fields = {"interleave_moe_layer_step": 1, "use_qk_norm": True, "rope_parameters": _ROPE_LLAMA3}
_MAVERICK: _Fields = {
    "interleave_moe_layer_step": 2, "use_qk_norm": False, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}
}  # fmt: skip
_DEEPSEEK: _Fields = _SHAPE | {
    "moe_intermediate_size": 32, "n_routed_experts": 8, "n_shared_experts": 1, "n_group": 4, "topk_group": 2,
    "num_experts_per_tok": 2, "q_lora_rank": 24, "kv_lora_rank": 32, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16,
    "v_head_dim": 16, "first_k_dense_replace": 1, "num_key_value_heads": 4, "rope_parameters": _ROPE_YARN,
    "norm_topk_prob": True, "routed_scaling_factor": 2.5,
}  # fmt: skip
# chooses 24 tokens, which a few hundred exceed many times; enough heads that scores do not tie at zero
_INDEXER: _Fields = {"index_topk": 24, "index_n_heads": 16, "index_head_dim": 16}
# every kind of layer; pools of 4 and of 16 tokens, which blocks of 64 cut and a few hundred tokens fill many times
_DEEPSEEK_V4: _Fields = _SHAPE | {
    "num_hidden_layers": 5, "num_key_value_heads": 1, "head_dim": 32, "q_lora_rank": 24, "moe_intermediate_size": 32,
    "n_routed_experts": 4, "num_experts_per_tok": 2, "o_groups": 2, "o_lora_rank": 16, "sliding_window": 20,
    "partial_rotary_factor": 0.25, "index_n_heads": 16, "index_head_dim": 16, "index_topk": 6, "hc_mult": 2,
    "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 16},
    "layer_types": ["heavily_compressed_attention", "compressed_sparse_attention", "sliding_attention",
                    "compressed_sparse_attention", "heavily_compressed_attention"],
    "mlp_layer_types": ["hash_moe", "moe", "moe", "moe", "moe"],
}  # fmt: skip
_QWEN3: _Fields = _SHAPE | {"head_dim": 16}
_QWEN3_MOE: _Fields = _QWEN3 | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_HALF_SLIDING: _Fields = {"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 2}
_SPARSE: _Fields = {"num_local_experts": 4, "num_experts_per_tok": 2}
_LEAFMOE: _Fields = _SHAPE | {"num_experts": 4, "expert_width": 8, "attention_rank": 2}


_TOWER: _Fields = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
_DEEP_TOWER: _Fields = {
    "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64, "patch_size": 14
}  # fmt: skip
_QWEN_TOWER: _Fields = _DEEP_TOWER | {"num_position_embeddings": 16, "deepstack_visual_indexes": [0]}
_GLM_TOWER: _Fields = _DEEP_TOWER | {"image_size": 28}
_KIMI_TOWER: _Fields = _TOWER | {"pos_emb_height": 4, "pos_emb_width": 4}
_GEMMA_TOWER: _Fields = _TOWER | {"num_key_value_heads": 2, "head_dim": 16}
_ROPE_QWEN_VL: _Fields = {
    "rope_type": "default", "rope_theta": 5e6, "mrope_section": [3, 3, 2], "mrope_interleaved": True
}  # fmt: skip
_ROPE_GLM_V: _Fields = {
    "rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1]
}  # fmt: skip
_QWEN3_VL: _Fields = _QWEN3 | {"rope_parameters": _ROPE_QWEN_VL}
_GLM_MOE: _Fields = _QWEN3 | {"n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_GLM45: _Fields = _GLM_MOE | {"use_qk_norm": True, "attention_bias": True}
_GLM46V_FLASH: _Fields = _QWEN3 | {"model_type": "glm4v_text", "rope_parameters": _ROPE_GLM_V}
_KIMI: _Fields = _DEEPSEEK | {"model_type": "deepseek_v3", "n_group": 1, "topk_group": 1}
_GEMMA4: _Fields = _QWEN3 | {
    "num_hidden_layers": 6, "global_head_dim": 32, "num_global_key_value_heads": 1, "attention_k_eq_v": True,
    "sliding_window": 20, "hidden_size_per_layer_input": 0, "final_logit_softcapping": 30.0,
    "use_bidirectional_attention": "vision",
}  # fmt: skip
_GEMMA4_MOE: _Fields = _GEMMA4 | {
    "enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 32
}  # fmt: skip
# its last three layers keep nothing; every layer takes an embedding of the token of its own
_GEMMA4_SMALL: _Fields = _QWEN3 | {
    "num_hidden_layers": 7, "layer_types": ["sliding_attention", "full_attention"] * 3 + ["full_attention"],
    "global_head_dim": 32, "sliding_window": 20, "num_kv_shared_layers": 3, "use_double_wide_mlp": True,
    "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY, "final_logit_softcapping": 30.0,
}  # fmt: skip
_LLAMA_TEXT: _Fields = _SHAPE | {"model_type": "llama"}


def _llama4(fields: _Fields) -> PreTrainedModel:
    return Llama4ForConditionalGeneration(Llama4Config(text_config=_LLAMA4_TEXT | fields, vision_config=_LLAMA4_VISION))


def _deepseek_v3(fields: _Fields) -> PreTrainedModel:
    return DeepseekV3ForCausalLM(DeepseekV3Config(**_DEEPSEEK | fields))


def _deepseek_v32(fields: _Fields) -> PreTrainedModel:
    return DeepseekV32ForCausalLM(DeepseekV32Config(**_DEEPSEEK | _INDEXER | fields))


def _gemma4(fields: _Fields) -> PreTrainedModel:
    return Gemma4ForConditionalGeneration(Gemma4Config(text_config=fields, vision_config=_GEMMA_TOWER))


def _kimi() -> PreTrainedModel:
    config = Kimi_K25Config(
        text_config=_KIMI, vision_config=_KIMI_TOWER, projection_hidden_size=32, tie_word_embeddings=False
    )
    return Kimi_K25ForConditionalGeneration(config)


TINY: dict[str, Callable[[], PreTrainedModel]] = {
    "Llama 4 Scout": lambda: _llama4(_SCOUT),
    "Llama 4 Maverick": lambda: _llama4(_MAVERICK),
    "DeepSeek-V3": lambda: _deepseek_v3({}),
    "DeepSeek-V3 without q_lora": lambda: _deepseek_v3({"q_lora_rank": None}),
    # its rotary module multiplies cosine and sine by 1.18 / 1.37
    "DeepSeek-V3 with rotary gain": lambda: _deepseek_v3({"rope_parameters": _ROPE_YARN | {"mscale": 0.5}}),
    "DeepSeek-V3.2": lambda: _deepseek_v32({}),
    "DeepSeek-V3.2 with rotary gain": lambda: _deepseek_v32({"rope_parameters": _ROPE_YARN | {"mscale": 0.5}}),
    "DeepSeek-V4": lambda: DeepseekV4ForCausalLM(DeepseekV4Config(**_DEEPSEEK_V4)),
    "DeepSeek-V2": lambda: DeepseekV2ForCausalLM(DeepseekV2Config(**_DEEPSEEK)),
    "Qwen3-MoE": lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**_QWEN3_MOE)),
    "Qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**_QWEN3 | _HALF_SLIDING)),
    "Qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**_SHAPE | _HALF_SLIDING)),
    "Llama": lambda: LlamaForCausalLM(LlamaConfig(**_SHAPE, rope_parameters=_ROPE_LLAMA3)),
    "LeafMoE": lambda: LeafMoEForCausalLM(LeafMoEConfig(**_LEAFMOE)),
    "Mistral": lambda: MistralForCausalLM(MistralConfig(**_SHAPE, sliding_window=20)),
    "Mixtral": lambda: MixtralForCausalLM(MixtralConfig(**_SHAPE | _SPARSE)),
    "SmolLM3": lambda: SmolLM3ForCausalLM(SmolLM3Config(**_SHAPE)),
    "Qwen3-VL": lambda: Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(text_config=_QWEN3_VL, vision_config=_QWEN_TOWER)
    ),
    "Qwen3-VL-MoE": lambda: Qwen3VLMoeForConditionalGeneration(
        Qwen3VLMoeConfig(text_config=_QWEN3_MOE | _QWEN3_VL, vision_config=_QWEN_TOWER)
    ),
    "GLM-4.5": lambda: Glm4MoeForCausalLM(Glm4MoeConfig(**_GLM45)),
    "GLM-4.5V": lambda: Glm4vMoeForConditionalGeneration(
        Glm4vMoeConfig(text_config=_GLM_MOE | {"rope_parameters": _ROPE_GLM_V}, vision_config=_GLM_TOWER)
    ),
    "GLM-4.6V-Flash": lambda: Glm46VForConditionalGeneration(
        Glm46VConfig(text_config=_GLM46V_FLASH, vision_config=_GLM_TOWER | {"model_type": "glm4v_vision"})
    ),
    "Kimi K2.5": _kimi,
    "Gemma 4": lambda: _gemma4(_GEMMA4),
    "Gemma 4 MoE": lambda: _gemma4(_GEMMA4_MOE),
    "Gemma 4 E2B": lambda: _gemma4(_GEMMA4_SMALL),
    "SmolVLM": lambda: SmolVLMForConditionalGeneration(
        SmolVLMConfig(text_config=_LLAMA_TEXT, vision_config=_TOWER, scale_factor=1)
    ),
    "Granite-Docling": lambda: Idefics3ForConditionalGeneration(
        Idefics3Config(text_config=_LLAMA_TEXT, vision_config=_TOWER, scale_factor=1)
    ),
}
