"""Attention over many packed sequences without padding, fast on a CPU in bfloat16, for training only.

Several sequences lie one behind the other in ONE row of tokens; each is a context followed by questions, and a
question sees the context and itself. The scores are computed tile by tile (rows x keys that can be seen at all) with
batched matrix products, because scaled_dot_product_attention with a mask took 47% of a training step in bfloat16
(3 sequences of 768 tokens on one thread: 248 ms a layer forward and backward, with these tiles 110 ms).

Dimension key: N tokens of the row, H query heads, K key/value heads, G = H / K, C head width.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

NAME = "packed"  # the `attn_implementation` under which transformers knows it
TILE_ROWS = 256


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows [row, row_end) of the packed row attend to keys [key, row_end)."""

    row: int
    row_end: int
    key: int
    hidden: torch.Tensor  # (rows, keys) bool; True at (i, j): row i must not see key j


def tiles(segments: list[torch.Tensor]) -> list[Tile]:
    """Tiles of packed sequences. Each tensor holds one sequence's segment of every token (`llm.training.packing`).

    All see segment 0 and their own; questions see the parts of the context, too.
    """
    made, start = [], 0
    for segment in segments:
        length = len(segment)
        for row in range(0, length, TILE_ROWS):
            end = min(row + TILE_ROWS, length)
            later = torch.arange(end)[None, :] > torch.arange(row, end)[:, None]  # (rows, keys)
            own, seen = segment[row:end, None], segment[None, :end]
            foreign = (seen != own) & (seen != 0) & ((own <= 0) | (seen > 0))
            made.append(Tile(start + row, start + end, start, later | foreign))
        start += length
    return made


class _PackedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, plan: list[Tile], scale: float
    ) -> torch.Tensor:
        """query (H, N, C), key and value (K, N, C) -> (H, N, C)"""
        groups = query.shape[0] // key.shape[0]
        out = torch.empty_like(query)
        weights = []
        for tile in plan:
            rows, keys = slice(tile.row, tile.row_end), slice(tile.key, tile.row_end)
            folded = _fold(query[:, rows], groups)  # (K, G*rows, C)
            scores = torch.bmm(folded, key[:, keys].transpose(1, 2)).mul_(scale)  # (K, G*rows, keys)
            rows_by_group = scores.view(scores.shape[0], groups, -1, scores.shape[-1])
            rows_by_group.masked_fill_(tile.hidden, float("-inf"))
            weight = torch.softmax(scores, dim=-1)
            out[:, rows] = _unfold(torch.bmm(weight, value[:, keys]), groups)
            weights.append(weight)
        ctx.save_for_backward(query, key, value, *weights)
        ctx.plan, ctx.scale, ctx.groups = plan, scale, groups
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad_out = grad_outputs[0]  # (H, N, C)
        query, key, value, *weights = ctx.saved_tensors
        groups, scale = ctx.groups, ctx.scale
        grad_query = torch.empty_like(query)
        grad_key, grad_value = torch.zeros_like(key), torch.zeros_like(value)
        for tile, weight in zip(ctx.plan, weights, strict=True):
            rows, keys = slice(tile.row, tile.row_end), slice(tile.key, tile.row_end)
            grad = _fold(grad_out[:, rows], groups)  # (K, G*rows, C)
            grad_value[:, keys] += torch.bmm(weight.transpose(1, 2), grad)
            grad_weight = torch.bmm(grad, value[:, keys].transpose(1, 2))
            grad_scores = torch._softmax_backward_data(grad_weight, weight, -1, weight.dtype).mul_(scale)
            grad_query[:, rows] = _unfold(torch.bmm(grad_scores, key[:, keys]), groups)
            grad_key[:, keys] += torch.bmm(grad_scores.transpose(1, 2), _fold(query[:, rows], groups))
        return grad_query, grad_key, grad_value, None, None


def _fold(heads: torch.Tensor, groups: int) -> torch.Tensor:
    """(H, rows, C) -> (K, G*rows, C)"""
    num_heads, rows, width = heads.shape
    return heads.reshape(num_heads // groups, groups * rows, width)


def _unfold(folded: torch.Tensor, groups: int) -> torch.Tensor:
    """(K, G*rows, C) -> (H, rows, C)"""
    kv_heads, grouped, width = folded.shape
    return folded.reshape(kv_heads * groups, grouped // groups, width)


def packed_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    packed_tiles: list[Tile],
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: query (1, H, N, C) -> (1, N, H, C). `packed_tiles` come with the forward."""
    out: torch.Tensor = _PackedAttention.apply(query[0], key[0], value[0], packed_tiles, scaling)  # type: ignore[no-untyped-call]
    return out.transpose(0, 1)[None].contiguous(), None


def register() -> None:
    """Make the attention known to transformers as NAME; the mask it would build is not needed."""
    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, lambda *_args, **_kwargs: None)
