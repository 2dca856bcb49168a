"""How many bytes the keys and values of a stream take, layer by layer, and what a plain cache would take.

For families that the runtime reads, what its block store writes (`llm.kv`). For two that it does not read yet,
DeepSeek-V3.2 and V4, what transformers' own cache keeps: V3.2 a key of its indexer beside each latent, V4 a sliding
window and compressed entries (config fields `index_head_dim`, `compress_rates`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PretrainedConfig

from llm.errors import ModelNotFound
from llm.kv.codec import Codec, KVDtype
from llm.kv.layout import BLOCK_TOKENS, LayerKind, LayerLayout
from llm.runtime.kinds import layouts_of

_WORKING_TOKENS = 8192  # shown to a pass at once: sinks, selection, window, the chunk that is read


@dataclass(frozen=True, slots=True)
class Kept:
    """One state for every `every` tokens of a layer."""

    layout: LayerLayout
    every: int = 1

    def num_states(self, num_tokens: int) -> int:
        """How many are kept of a stream."""
        states = num_tokens // self.every
        return states if self.layout.reach is None else min(states, self.layout.reach)


@dataclass(frozen=True, slots=True)
class KeptStates:
    """What a model keeps of a stream. `uniform`: what a cache would that knows neither reach nor latents."""

    kept: tuple[Kept, ...]
    uniform: tuple[Kept, ...]
    refusal: str | None  # why the runtime does not read this model

    @property
    def values_per_token(self) -> int:
        """Numbers that a token leaves, those that are forgotten later among them."""
        return round(sum(one.layout.values_per_token / one.every for one in self.kept))

    def kv_bytes(self, num_tokens: int, dtype: KVDtype) -> int:
        return sum(_bytes(one, num_tokens, dtype) for one in self.kept)

    def kv_bytes_uniform(self, num_tokens: int, dtype: KVDtype) -> int:
        return sum(_bytes(one, num_tokens, dtype) for one in self.uniform)

    def index_bytes(self, num_tokens: int) -> int:
        """The bounds of the keys that selection scores: of every full block of the layers that look back for good."""
        lasting = [one for one in self.kept if one.layout.reach is None]
        return sum(
            Codec(one.layout, KVDtype.BFLOAT16).bounds_bytes * (one.num_states(num_tokens) // BLOCK_TOKENS)
            for one in lasting
        )

    def working_bytes(self) -> int:
        """Of what one pass sees at once, decoded."""
        return self.kv_bytes(_WORKING_TOKENS, KVDtype.BFLOAT16)


def kept_states(config: PretrainedConfig) -> KeptStates:
    """What a model of this config keeps. Raises ModelNotFound for a family that nothing is known of."""
    text: Any = config.get_text_config(decoder=True)
    try:
        layouts, refusal = layouts_of(config), None
    except ModelNotFound as error:
        if text.model_type not in _READ_ELSEWHERE:
            raise
        refusal = str(error)
        return KeptStates(*_READ_ELSEWHERE[text.model_type](text), refusal)
    return KeptStates(_plain(layouts), _plain([_uniform(text, layout) for layout in layouts]), refusal)


def _deepseek_v32(text: Any) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    latent = LayerLayout(LayerKind.LATENT, 1, text.kv_lora_rank, 1, text.qk_rope_head_dim)
    index_key = LayerLayout(LayerKind.FULL, 1, text.index_head_dim, 0, 0)
    layers = text.num_hidden_layers
    return _plain([latent, index_key] * layers), _plain([_uniform(text, latent)] * layers)


def _deepseek_v4(text: Any) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    """Keys serve as values. The compressor's entries look back for good; sparse layers have index keys beside them."""
    kept = []
    for kind in text.layer_types:
        kept.append(Kept(LayerLayout(LayerKind.SLIDING, 1, text.head_dim, 0, 0, text.sliding_window)))
        every = text.compress_rates.get(kind)
        if every:
            kept.append(Kept(LayerLayout(LayerKind.FULL, 1, text.head_dim, 0, 0), every))
        if kind == "compressed_sparse_attention":
            kept.append(Kept(LayerLayout(LayerKind.FULL, 1, text.index_head_dim, 0, 0), every))
    plain = LayerLayout(LayerKind.FULL, 1, text.head_dim, 1, text.head_dim)
    return tuple(kept), _plain([plain] * text.num_hidden_layers)


_READ_ELSEWHERE = {"deepseek_v32": _deepseek_v32, "deepseek_v4": _deepseek_v4}


def _plain(layouts: Sequence[LayerLayout]) -> tuple[Kept, ...]:
    return tuple(Kept(layout) for layout in layouts)


def _uniform(text: Any, layout: LayerLayout) -> LayerLayout:
    """The layer without a reach, its latents expanded to every head's keys and values."""
    if layout.kind is LayerKind.LATENT:
        heads = text.num_attention_heads
        return LayerLayout(
            LayerKind.FULL, heads, text.qk_nope_head_dim + text.qk_rope_head_dim, heads, text.v_head_dim
        )  # fmt: skip
    return LayerLayout(
        LayerKind.FULL, layout.key_heads, layout.key_width, layout.value_heads, layout.value_width
    )  # fmt: skip


def _bytes(kept: Kept, num_tokens: int, dtype: KVDtype) -> int:
    """Records of full blocks with their scales, and the tail that fills no block in bfloat16, or wider if `dtype` is.

    Quantised keys of a layer with a reach need their bounds beside them; those of the others are the index.
    """
    codec = Codec(kept.layout, dtype)
    blocks, tail = divmod(kept.num_states(num_tokens), BLOCK_TOKENS)
    is_quantised = dtype in (KVDtype.INT8, KVDtype.INT4)
    beside = codec.bounds_bytes if is_quantised and kept.layout.reach is not None else 0
    tail_width = 4 if dtype is KVDtype.FLOAT32 else 2
    return blocks * (codec.record_bytes + beside) + tail * kept.layout.values_per_token * tail_width
