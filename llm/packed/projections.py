"""The matrix products of one layer, for many tokens and for a few.

For many tokens the model's own weights are used where they lie (a memory-mapped file, for a checkpoint in its own
dtype): fusing them would copy them into memory and gains nothing, since a product of 512 tokens keeps all cores busy.
For a few tokens they are fused and packed.
"""

from typing import Any, Protocol

import torch
import torch.nn.functional as F

from llm.leafmoe.modeling import LeafMoEMLP, RoutedExperts
from llm.packed.matrix import pack


class Projections(Protocol):
    """One layer's products. D model width; H query, K key/value heads of width C."""

    def qkv(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """states (S, D) -> (S, H*C), (S, K*C), (S, K*C)."""
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

    def qkv(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        own = self._attention
        return own.q_proj(states), own.k_proj(states), own.v_proj(states)

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
        in_widths = [part.weight.shape[0] for part in (attention.q_proj, attention.k_proj, attention.v_proj)]
        self._widths = in_widths
        self._qkv = pack(torch.cat([part.weight for part in (attention.q_proj, attention.k_proj, attention.v_proj)]))
        self._out = pack(attention.o_proj.weight)
        self._gate_up = pack(torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)))
        self._down = pack(mlp.down_proj.weight)
        self._experts = OneTokenExperts(mlp.experts) if isinstance(mlp, LeafMoEMLP) else None

    def qkv(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        query, key, value = torch.split(self._qkv.product(states), self._widths, 1)
        return query, key, value

    def out(self, mixed: torch.Tensor) -> torch.Tensor:
        return self._out.product(mixed)

    def feed_forward(self, states: torch.Tensor) -> torch.Tensor:
        gate, up = self._gate_up.product(states).chunk(2, 1)  # each (S, F)
        result = self._down.product(F.silu(gate).mul_(up))
        if self._experts is not None:
            result += self._experts(states)
        return result


class OneTokenExperts:
    """The experts that a token is sent to, and no others: a quarter of the bytes of all of them."""

    def __init__(self, experts: RoutedExperts) -> None:
        self._all = experts
        self._num_chosen = experts.router.experts_per_token
        self._router = experts.router.weight.float()  # (E, D)
        self._bias = experts.router.selection_bias.float()
        width = experts.width
        gates, ups = experts.gate_up_proj.weight.chunk(2)
        self._gates, self._ups = torch.split(gates, width), torch.split(ups, width)  # each (F, D), as views
        self._downs = [down.contiguous() for down in torch.split(experts.down_proj.weight, width, 1)]  # each (D, F)

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """states (S, D) -> (S, D)."""
        if len(states) > 1:
            together: torch.Tensor = self._all(states[None])[0]
            return together
        scores = torch.sigmoid(F.linear(states.float(), self._router))[0]  # (E,)
        chosen = (scores + self._bias).topk(self._num_chosen).indices
        return sum(
            (self._one(states, expert, float(scores[expert])) for expert in chosen.tolist()), torch.zeros_like(states)
        )

    def _one(self, states: torch.Tensor, expert: int, gate: float) -> torch.Tensor:
        inner = F.silu(F.linear(states, self._gates[expert])).mul_(F.linear(states, self._ups[expert])).mul_(gate)
        return F.linear(inner, self._downs[expert])
