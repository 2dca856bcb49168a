"""How many bytes the keys and values of a stream take, layer by layer, and what a plain cache would take.

What the block store writes (`llm.kv`). Of DeepSeek-V4 that is more of the last tokens than a cache would keep: what
entries are made of, for each token that the next entries may need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PretrainedConfig

from llm.kv.codec import Codec, KVDtype
from llm.kv.layout import BLOCK_TOKENS, LayerKind, LayerLayout
from llm.runtime.kinds import layouts_of

_NARROW = (KVDtype.INT8, KVDtype.INT4)
_WORKING_TOKENS = 8192  # shown to a pass at once: sinks, selection, window, the chunk that is read


@dataclass(frozen=True, slots=True)
class KeptStates:
    """What a model keeps of a stream. `uniform`: what a cache would that knows neither reach nor latents."""

    kept: tuple[LayerLayout, ...]
    uniform: tuple[LayerLayout, ...]
    values_per_token: int  # that a token leaves, those that are forgotten later among them

    def kv_bytes(self, num_tokens: int, dtype: KVDtype) -> int:
        if any(one.kind is LayerKind.POOLED for one in self.kept) and dtype in _NARROW:
            dtype = KVDtype.BFLOAT16  # which entries are kept in whatever is asked for
        return sum(_bytes(one, num_tokens, dtype) for one in self.kept)

    def kv_bytes_uniform(self, num_tokens: int, dtype: KVDtype) -> int:
        return sum(_bytes(one, num_tokens, dtype) for one in self.uniform)

    def index_bytes(self, num_tokens: int) -> int:
        """The bounds of the keys that selection scores: of every full block of the layers that look back for good."""
        lasting = [one for one in self.kept if one.reach is None and one.kind is not LayerKind.POOLED]
        return sum(Codec(one, KVDtype.BFLOAT16).bounds_bytes * (num_tokens // BLOCK_TOKENS) for one in lasting)

    def working_bytes(self) -> int:
        """Of what one pass sees at once, decoded."""
        return self.kv_bytes(_WORKING_TOKENS, KVDtype.BFLOAT16)


def kept_states(config: PretrainedConfig) -> KeptStates:
    """What a model of this config keeps. Raises ModelNotFound for one that the runtime does not read."""
    text: Any = config.get_text_config(decoder=True)
    layouts = layouts_of(config)
    if any(layout.kind is LayerKind.POOLED for layout in layouts):
        return _pooled(text, layouts)
    return KeptStates(
        tuple(layouts),
        tuple(_uniform(text, layout) for layout in layouts),
        sum(layout.values_per_token for layout in layouts),
    )


def _pooled(text: Any, layouts: Sequence[LayerLayout]) -> KeptStates:
    """A token leaves its state in each window, where it serves as key and value, and its share of entries for good."""
    plain = LayerLayout(LayerKind.FULL, 1, text.head_dim, 1, text.head_dim)
    lasting = sum(layout.values_per_token for layout in layouts if layout.reach is None)
    values = lasting + text.head_dim * text.num_hidden_layers
    return KeptStates(tuple(layouts), (plain,) * text.num_hidden_layers, values)


def _uniform(text: Any, layout: LayerLayout) -> LayerLayout:
    """The layer without a reach, its latents expanded to every head's keys and values."""
    if layout.is_latent:
        heads = text.num_attention_heads
        return LayerLayout(
            LayerKind.FULL, heads, text.qk_nope_head_dim + text.qk_rope_head_dim, heads, text.v_head_dim
        )  # fmt: skip
    return LayerLayout(
        LayerKind.FULL, layout.key_heads, layout.key_width, layout.value_heads, layout.value_width
    )  # fmt: skip


def _bytes(layout: LayerLayout, num_tokens: int, dtype: KVDtype) -> int:
    """Records of full blocks with their scales, and the tail that fills no block in bfloat16, or wider if `dtype` is.

    Quantised keys of a layer with a reach need their bounds beside them; those of the others are the index.
    """
    codec = Codec(layout, dtype)
    num_kept = num_tokens if layout.reach is None else min(num_tokens, layout.reach)
    blocks, tail = divmod(num_kept, BLOCK_TOKENS)
    beside = codec.bounds_bytes if dtype in _NARROW and layout.reach is not None else 0
    tail_width = 4 if dtype is KVDtype.FLOAT32 else 2
    return blocks * (codec.record_bytes + beside) + tail * layout.values_per_token * tail_width
