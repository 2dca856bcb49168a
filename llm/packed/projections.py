"""The matrix products of one layer, for many tokens and for a few.

For many tokens the model's own weights are used where they lie (a memory-mapped file, for a checkpoint in its own
dtype): fusing them would copy them into memory and gains nothing, since a product of 512 tokens keeps all cores busy.
For a few tokens they are fused and packed.
"""

import heapq
import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import nn

from llm.leafmoe.modeling import LeafMoEMLP, MergedLinear, RoutedExperts
from llm.packed.matrix import PackedMatrix, pack, pack_small, pack_updated

Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # query (H, S, C), key (K, S, C), value (K, S, C)


class Projections(Protocol):
    """One layer's products. D model width; H query, K key/value heads of width C."""

    def heads(self, states: torch.Tensor) -> Heads:
        """Of states (S, D)."""
        ...

    def out(self, mixed: torch.Tensor) -> torch.Tensor:
        """mixed (S, H*C) -> (S, D)."""
        ...

    def feed_forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (S, D) -> (S, D)."""
        ...


class PlainProjections:
    """With the layer's own weights."""

    def __init__(self, layer: Any) -> None:
        """layer: a LlamaDecoderLayer."""
        self._attention, self._mlp = layer.self_attn, layer.mlp

    def heads(self, states: torch.Tensor) -> Heads:
        own = self._attention
        query, key, value = (
            part(states).view(len(states), -1, own.head_dim).transpose(0, 1)
            for part in (own.q_proj, own.k_proj, own.v_proj)
        )
        return query, key, value

    def out(self, mixed: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self._attention.o_proj(mixed)
        return result

    def feed_forward(self, states: torch.Tensor) -> torch.Tensor:
        own = self._mlp
        inner = F.silu(own.gate_proj(states), inplace=True).mul_(own.up_proj(states))  # (S, F)
        result: torch.Tensor = own.down_proj(inner)
        if isinstance(own, LeafMoEMLP):
            result += own.experts(states[None])[0]
        return result


class PackedProjections:
    """With fused, packed copies of the layer's weights."""

    def __init__(self, layer: Any) -> None:
        """layer: a LlamaDecoderLayer in bfloat16."""
        attention, mlp = layer.self_attn, layer.mlp
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._qkv = _packed(parts)
        self._width: int = attention.head_dim
        self._num_heads = [part.out_features // self._width for part in parts]
        self._out = _packed((attention.o_proj,))
        self._gate_up = pack(torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)))
        self._down = pack(mlp.down_proj.weight)
        self._experts = OneTokenExperts(mlp.experts) if isinstance(mlp, LeafMoEMLP) else None

    def heads(self, states: torch.Tensor) -> Heads:
        together = self._qkv.product(states).view(len(states), -1, self._width).transpose(0, 1)  # (H+2K, S, C)
        query, key, value = torch.split(together, self._num_heads)
        return query, key, value

    def out(self, mixed: torch.Tensor) -> torch.Tensor:
        return self._out.product(mixed)

    def feed_forward(self, states: torch.Tensor) -> torch.Tensor:
        gate, up = self._gate_up.product(states).chunk(2, 1)  # each (S, F)
        result = self._down.product(F.silu(gate).mul_(up))
        if self._experts is not None:
            self._experts.add_to(result, states)
        return result


def _packed(parts: Sequence[nn.Linear]) -> PackedMatrix:
    """Linear layers of the same input as one matrix (N, D), which gives their outputs one behind the other."""
    weight = torch.cat([part.weight for part in parts])
    merged = [part for part in parts if isinstance(part, MergedLinear)]
    if len(merged) < len(parts):
        return pack(weight)
    low_rank_in = torch.cat([part.low_rank_in for part in merged])
    return pack_updated(weight, low_rank_in, torch.block_diag(*(part.low_rank_out for part in merged)))


class OneTokenExperts:
    """The experts that a token is sent to, packed, and no others: a quarter of the bytes of all of them."""

    def __init__(self, experts: RoutedExperts) -> None:
        self._all = experts
        self._num_chosen = experts.router.experts_per_token
        self._router = experts.router.weight.detach()  # (E, D)
        self._bias: list[float] = experts.router.selection_bias.tolist()
        width = experts.width
        gates, ups = experts.gate_up_proj.weight.chunk(2)
        downs = torch.split(experts.down_proj.weight, width, 1)
        pairs = zip(torch.split(gates, width), torch.split(ups, width), strict=True)
        self._gate_ups = [pack_small(torch.cat(pair)) for pair in pairs]  # each (2*F, D)
        self._downs = [pack_small(down) for down in downs]  # each (D, F)

    def add_to(self, result: torch.Tensor, states: torch.Tensor) -> None:
        """Adds the experts' output for states (S, D) to result (S, D)."""
        if len(states) > 1:
            result += self._all(states[None])[0]
            return
        scores = [1 / (1 + math.exp(-logit)) for logit in F.linear(states, self._router)[0].tolist()]
        for expert in self._chosen(scores):
            gate, up = self._gate_ups[expert].product(states).chunk(2, 1)  # each (1, F)
            result.add_(self._downs[expert].product(F.silu(gate).mul_(up)), alpha=scores[expert])

    def _chosen(self, scores: Sequence[float]) -> list[int]:
        """The likeliest, in plain Python: for so few experts that is faster than operations of torch (docs/LOG.md)."""
        biased = [score + bias for score, bias in zip(scores, self._bias, strict=True)]
        return heapq.nlargest(self._num_chosen, range(len(biased)), key=biased.__getitem__)
