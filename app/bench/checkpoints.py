"""Checkpoints to compare ways of computing with: tiny random ones in the released layouts, and the packaged weights.

The tiny ones are written by transformers' `save_pretrained` and loaded again, with the ratios, layer patterns and
position rules of the released configs. Windows and chunks of 16 to 20 tokens and temperature floors of 8 are crossed
many times by a few hundred tokens.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
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
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

from llm.backbone import LEAFMOE_NAME, LEAFMOE_WEIGHTS
from llm.leafmoe import LeafMoEConfig, LeafMoEForCausalLM, load_leafmoe, register
from llm.packaged import PACKAGED_NAME, prepare

VOCABULARY = 128  # of the tiny checkpoints
_TEXT = Path(__file__).resolve().parents[2] / "assets" / "samples" / "sources" / "contract.txt"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on disk, which any process can load. `adapter`: LeafMoE's weights over the base in `folder`."""

    name: str
    folder: Path
    adapter: Path | None = None

    def load(self) -> PreTrainedModel:
        """The model in float32, with transformers' eager attention."""
        register()
        transformers.utils.logging.disable_progress_bar()
        if self.adapter is not None:
            mixture = load_leafmoe(self.folder, self.adapter, dtype=torch.float32)
            mixture.set_attn_implementation("eager")
            return mixture
        level = transformers.utils.logging.get_verbosity()
        transformers.utils.logging.set_verbosity_error()  # it lists the weights of a tower that stays unused
        try:
            model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                self.folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
            )
        finally:
            transformers.utils.logging.set_verbosity(level)
        model.eval()
        return model

    def prompt(self, num_tokens: int) -> list[int]:
        """Tokens to read: of a sample document, or random ones for a checkpoint without tokenizer."""
        if (self.folder / "tokenizer.json").exists():
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            text_ids: list[int] = tokenizer(_TEXT.read_text("utf-8"))["input_ids"]
            return text_ids[:num_tokens]
        drawn = torch.randint(3, VOCABULARY, (num_tokens,), generator=torch.Generator().manual_seed(1))
        return [int(token) for token in drawn]


def packaged(cache_dir: Path) -> Iterator[Checkpoint]:
    """The packaged model, and LeafMoE where its weights are in the checkout."""
    base = prepare(cache_dir)
    yield Checkpoint(PACKAGED_NAME, base)
    if LEAFMOE_WEIGHTS.is_file():
        yield Checkpoint(LEAFMOE_NAME, base, LEAFMOE_WEIGHTS)


def tiny(folder: Path, names: Iterable[str] | None = None) -> Iterator[Checkpoint]:
    """Writes the tiny checkpoints below `folder`; all of them, or those of `TINY` that are named."""
    for name in names or TINY:
        torch.manual_seed(0)
        model = _randomised(TINY[name]())
        where = folder / name.replace(" ", "-")
        model.save_pretrained(where)
        yield Checkpoint(name, where)


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
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 28,
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
_QWEN3: _Fields = _SHAPE | {"head_dim": 16}
_QWEN3_MOE: _Fields = _QWEN3 | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_HALF_SLIDING: _Fields = {"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 2}
_SPARSE: _Fields = {"num_local_experts": 4, "num_experts_per_tok": 2}
_LEAFMOE: _Fields = _SHAPE | {"num_experts": 4, "expert_width": 8, "attention_rank": 2}


def _llama4(fields: _Fields) -> PreTrainedModel:
    return Llama4ForConditionalGeneration(Llama4Config(text_config=_LLAMA4_TEXT | fields, vision_config=_LLAMA4_VISION))


def _deepseek_v3(fields: _Fields) -> PreTrainedModel:
    return DeepseekV3ForCausalLM(DeepseekV3Config(**_DEEPSEEK | fields))


TINY: dict[str, Callable[[], PreTrainedModel]] = {
    "Llama 4 Scout": lambda: _llama4(_SCOUT),
    "Llama 4 Maverick": lambda: _llama4(_MAVERICK),
    "DeepSeek-V3": lambda: _deepseek_v3({}),
    "DeepSeek-V3 without q_lora": lambda: _deepseek_v3({"q_lora_rank": None}),
    # its rotary module multiplies cosine and sine by 1.18 / 1.37
    "DeepSeek-V3 with rotary gain": lambda: _deepseek_v3({"rope_parameters": _ROPE_YARN | {"mscale": 0.5}}),
    "DeepSeek-V2": lambda: DeepseekV2ForCausalLM(DeepseekV2Config(**_DEEPSEEK)),
    "Qwen3-MoE": lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**_QWEN3_MOE)),
    "Qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**_QWEN3 | _HALF_SLIDING)),
    "Qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**_SHAPE | _HALF_SLIDING)),
    "Llama": lambda: LlamaForCausalLM(LlamaConfig(**_SHAPE, rope_parameters=_ROPE_LLAMA3)),
    "LeafMoE": lambda: LeafMoEForCausalLM(LeafMoEConfig(**_LEAFMOE)),
    "Mistral": lambda: MistralForCausalLM(MistralConfig(**_SHAPE, sliding_window=20)),
    "Mixtral": lambda: MixtralForCausalLM(MixtralConfig(**_SHAPE | _SPARSE)),
    "SmolLM3": lambda: SmolLM3ForCausalLM(SmolLM3Config(**_SHAPE)),
}


def _randomised(model: PreTrainedModel) -> PreTrainedModel:
    """Weights large enough to matter; norms, biases and the routers' selection biases too."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("embed_tokens.weight"):
                parameter.normal_(0, 1)  # so that greedy decoding does not settle on one token
            elif parameter.dim() > 1:
                parameter.normal_(0, 0.08)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith(("e_score_correction_bias", "selection_bias")):
                buffer.normal_(0, 0.1)
    model.eval()
    return model
