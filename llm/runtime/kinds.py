"""Layer kinds: what each layer of a model keeps of a token, read from the model's config alone, and what it adds up to.

Field names are transformers': `layer_types` where a config has it, else `sliding_window` and `attention_chunk_size`
for every layer, as transformers' own caches read it; `no_rope_layers` (0: no positions) of Llama 4 and SmolLM3;
`kv_lora_rank` and `qk_rope_head_dim` of DeepSeek's latent attention, `index_head_dim` of its indexer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PretrainedConfig

from llm.errors import ModelNotFound
from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime.pooled import pooled_layers, pooled_layouts

_KINDS = {
    "full_attention": LayerKind.FULL,
    "sliding_attention": LayerKind.SLIDING,
    "chunked_attention": LayerKind.CHUNKED,
}
_POOLED = frozenset(("deepseek_v4",))  # keep what they read in a form of their own
_INDEXED = frozenset(("deepseek_v32",))  # whose indexers are known


def layouts_of(config: PretrainedConfig) -> tuple[LayerLayout, ...]:
    """The layouts of all layers that keep something, first layer first.

    Raises ModelNotFound for a model that keeps anything else.
    """
    text: Any = config.get_text_config(decoder=True)
    if text.model_type in _POOLED:
        layouts = pooled_layouts(pooled_layers(text))
        if layouts is None:
            raise _refusal(text, f"entries of {text.head_dim} channels for {text.compress_rates} tokens")
        return layouts
    _refuse_unknown(text)
    own = _kinds_of(text)[: text.num_hidden_layers - len(sharing_layers(config))]
    return tuple(_layout_of(text, kind, index) for index, kind in enumerate(own))


def sharing_layers(config: PretrainedConfig) -> dict[int, int]:
    """Layers that keep nothing and look at what another one shows, with that one's number (Gemma 4 E2B and E4B).

    They are a model's last layers.
    """
    text: Any = config.get_text_config(decoder=True)
    modes = list(getattr(text, "kv_sharing_modes", None) or ())
    shown = {text.layer_types[at]: at for at, mode in enumerate(modes) if mode == "store"}
    return {at: shown[text.layer_types[at]] for at, mode in enumerate(modes) if mode == "reuse"}


def kv_bytes_per_token(layouts: Sequence[LayerLayout], dtype: torch.dtype) -> int:
    """Bytes that every further token adds for good: layers that forget do not count."""
    return sum(layout.values_per_token for layout in layouts if layout.reach is None) * dtype.itemsize


def kv_bytes(layouts: Sequence[LayerLayout], num_tokens: int, dtype: torch.dtype) -> int:
    """Bytes of `num_tokens` tokens; chunked and sliding layers count with their reach at most."""
    values = 0
    for layout in layouts:
        kept = num_tokens if layout.reach is None else min(num_tokens, layout.reach)
        values += kept * layout.values_per_token
    return values * dtype.itemsize


def _kinds_of(text: Any) -> list[LayerKind]:
    names = getattr(text, "layer_types", None)
    if names is None:
        if getattr(text, "sliding_window", None) is not None:
            return [LayerKind.SLIDING] * text.num_hidden_layers
        if getattr(text, "attention_chunk_size", None) is not None:
            return [LayerKind.CHUNKED] * text.num_hidden_layers
        return [LayerKind.FULL] * text.num_hidden_layers
    if text.model_type in _INDEXED and set(names) == {"indexed_attention"}:
        return [LayerKind.INDEXED] * text.num_hidden_layers
    if unknown := sorted(set(names) - set(_KINDS)):
        raise _refusal(text, f"kinds {', '.join(unknown)}")
    return [_KINDS[name] for name in names]


def _layout_of(text: Any, kind: LayerKind, index: int) -> LayerLayout:
    if kind is LayerKind.INDEXED:
        return LayerLayout(kind, 1, text.index_head_dim + text.kv_lora_rank, 1, text.qk_rope_head_dim)
    if getattr(text, "kv_lora_rank", None):
        return LayerLayout(LayerKind.LATENT, 1, text.kv_lora_rank, 1, text.qk_rope_head_dim)
    has_positions = getattr(text, "no_rope_layers", None) or [1] * text.num_hidden_layers
    if not has_positions[index]:
        if kind is not LayerKind.FULL:
            raise _refusal(text, f"layer {index} is {kind} and has no positions")
        kind = LayerKind.UNROTATED
    reach = {LayerKind.CHUNKED: "attention_chunk_size", LayerKind.SLIDING: "sliding_window"}.get(kind)
    own = text.per_layer_config[index]  # differs from the config where layers do (Gemma 4)
    heads = getattr(own, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(own, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return LayerLayout(kind, heads, width, heads, width, getattr(text, reach) if reach else None)


def _refuse_unknown(text: Any) -> None:
    """What a config says of an attention that the runtime does not compute."""
    if not hasattr(text, "num_attention_heads"):
        raise _refusal(text, "no attention heads")
    for name in ("attn_logit_softcapping", "index_topk"):
        if getattr(text, name, None) and not (name == "index_topk" and text.model_type in _INDEXED):
            raise _refusal(text, name)


def _refusal(text: Any, what: str) -> ModelNotFound:
    return ModelNotFound(
        f"model type {text.model_type!r} has layers that Longleaf cannot keep on disk yet ({what}); "
        "use a model whose layers are all full, sliding, chunked or latent attention"
    )
