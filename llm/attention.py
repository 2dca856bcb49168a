"""Attention functions that transformers' models call by name.

On a CPU, `scaled_dot_product_attention` in bfloat16 is the slow path for one query token: 1.72 ms a layer over 4,096
keys against 0.15 ms for two batched matrix products (docs/LOG.md). This module takes the latter for decoding and
leaves everything else to transformers' own function.
"""

import math
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

ATTENTION = "longleaf"


def register_attention() -> None:
    """Makes `attn_implementation="longleaf"` known to transformers. Calling it again changes nothing."""
    AttentionInterface.register(ATTENTION, attend)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """query (B, H, S, C), key (B, K, T, C), value (B, K, T, C') -> (B, S, H, C').

    `attention_mask` (B or 1, 1, S, T): True, or 0.0, at (i, j) means that query i sees key j.
    """
    plain = not any(kwargs.get(name) is not None for name in ("softcap", "position_bias", "cache", "s_aux"))
    if query.shape[2] == 1 and query.device.type == "cpu" and plain:
        return attend_one(query, key, value, attention_mask, scaling), None
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    return output, None


def attend_one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    scaling: float | None = None,
) -> torch.Tensor:
    """One query token a sequence, by batched matrix products; softmax in float32. Shapes as in `attend`, S = 1."""
    batch, heads, _, width = query.shape
    kv_heads = key.shape[1]
    grouped = query.reshape(batch * kv_heads, heads // kv_heads, width)  # (B*K, H/K, C)
    scores = torch.bmm(grouped, key.flatten(0, 1).transpose(1, 2)).float()  # (B*K, H/K, T)
    scores *= scaling if scaling is not None else 1 / math.sqrt(width)
    if attention_mask is not None:
        mask = attention_mask.expand(batch, kv_heads, 1, -1).flatten(0, 1)  # (B*K, 1, T)
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    weights = scores.softmax(-1).to(value.dtype)
    mixed = torch.bmm(weights, value.flatten(0, 1))  # (B*K, H/K, C')
    return mixed.reshape(batch, 1, heads, value.shape[-1])
