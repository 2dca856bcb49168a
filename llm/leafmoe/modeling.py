"""LeafMoE as a transformers model: Llama whose every feed-forward layer is a shared expert plus small routed experts.

The shared expert is the base model's own feed-forward, frozen. The routed experts follow Llama 4 (sigmoid gate, top-1)
and are balanced as in DeepSeek-V3 (arXiv:2412.19437, section 2.1.2): a bias that only takes part in the selection and
that training moves against the load, no auxiliary loss. Every weight of the base keeps its name, so a base checkpoint
loads into it; with fresh experts and fresh low-rank updates the model equals the base bit for bit.

Nothing here asks whether an input is text or an image patch: `inputs_embeds` carries either (`load.py` counts both).
Dimension key: B batch, S length, D model width, E experts, F expert width, R rank.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlamaForCausalLM, LlamaModel
from transformers import initialization as init
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP

from llm.leafmoe.config import LeafMoEConfig


class Router(nn.Module):
    """Chooses experts for each token. Its output is what `load.ExpertLoad` listens to."""

    def __init__(self, config: LeafMoEConfig) -> None:
        super().__init__()
        self.experts_per_token = config.experts_per_token
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))
        self.selection_bias = nn.Parameter(torch.zeros(config.num_experts, dtype=torch.float32), requires_grad=False)

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """hidden (B, S, D) -> gates (B, S, E), zero for experts not chosen, and chosen (B, S, E) bool."""
        scores = torch.sigmoid(F.linear(hidden.float(), self.weight.float()))  # (B, S, E), in float32
        biased = scores.detach() + self.selection_bias.float()
        best = biased.topk(self.experts_per_token, dim=-1).indices
        chosen = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, best, True)
        return (scores * chosen).to(hidden.dtype), chosen


class NewLinear(nn.Linear):
    """A linear layer without bias that no base checkpoint holds: it starts normal with `start_std`, or as zero."""

    def __init__(self, in_features: int, out_features: int, start_std: float) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.start_std = start_std


class RoutedExperts(nn.Module):
    """E experts computed as one feed-forward of width E*F whose hidden values are gated by expert.

    Computing all of them costs E*F = 256 columns beside the shared expert's 1536, and one matrix product of each kind;
    gathering tokens by expert would move more memory than it saves at this size.
    """

    def __init__(self, config: LeafMoEConfig) -> None:
        super().__init__()
        self.num_experts, self.width = config.num_experts, config.expert_width
        self.is_off = False
        total = self.num_experts * self.width
        self.router = Router(config)
        self.gate_up_proj = NewLinear(
            config.hidden_size, 2 * total, config.hidden_size**-0.5
        )  # all gates, then all ups
        self.down_proj = NewLinear(total, config.hidden_size, 0.0)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """hidden (B, S, D) -> the chosen experts' output (B, S, D), without the shared expert's."""
        gates, _ = self.router(hidden)
        gate, up = self.gate_up_proj(hidden).chunk(2, dim=-1)  # each (B, S, E*F)
        inner = F.silu(gate) * up
        inner = inner.unflatten(-1, (self.num_experts, self.width)) * gates[..., None]  # (B, S, E, F)
        out: torch.Tensor = self.down_proj(inner.flatten(-2))
        return out


class LeafMoEMLP(LlamaMLP):
    """The base's feed-forward as shared expert, plus the routed experts."""

    def __init__(self, config: LeafMoEConfig) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        self.experts = RoutedExperts(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, S, D) -> (B, S, D)"""
        out: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return out if self.experts.is_off else out + self.experts(x)


class LowRankLinear(nn.Linear):
    """A frozen linear layer plus a product of two thin matrices (LoRA, arXiv:2106.09685; scale 1)."""

    def __init__(self, in_features: int, out_features: int, bias: bool, rank: int) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.is_off = False
        self.low_rank_in = nn.Parameter(torch.empty(rank, in_features))
        self.low_rank_out = nn.Parameter(torch.zeros(out_features, rank))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(…, in_features) -> (…, out_features)"""
        plain = super().forward(input)
        return plain if self.is_off else plain + F.linear(F.linear(input, self.low_rank_in), self.low_rank_out)

    def merged(self) -> "MergedLinear":
        """The same layer as one plain matrix, rounded to the weight's own dtype."""
        plain = MergedLinear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        plain.low_rank_in, plain.low_rank_out = self.low_rank_in.detach(), self.low_rank_out.detach()
        weight = self.weight.detach().float() + plain.update()
        plain.weight = nn.Parameter(weight.to(self.weight.dtype), requires_grad=False)
        plain.bias = self.bias
        return plain


class MergedLinear(nn.Linear):
    """A plain matrix that knows which low-rank update is in it: without that, fewer bits may hold it (llm.packed)."""

    low_rank_in: torch.Tensor  # (R, in_features)
    low_rank_out: torch.Tensor  # (out_features, R)

    def update(self) -> torch.Tensor:
        """(out_features, in_features) in float32."""
        return self.low_rank_out.float() @ self.low_rank_in.float()


class LeafMoEAttention(LlamaAttention):
    """Llama attention whose four projections have a low-rank update."""

    def __init__(self, config: LeafMoEConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            plain = getattr(self, name)
            shape = (plain.in_features, plain.out_features, plain.bias is not None)
            setattr(self, name, LowRankLinear(*shape, rank=config.attention_rank))


def _init_new_parts(module: nn.Module) -> None:
    if isinstance(module, Router):
        init.normal_(module.weight, std=0.02)
        init.zeros_(module.selection_bias)
    elif isinstance(module, NewLinear):
        init.normal_(module.weight, std=module.start_std)
    elif isinstance(module, LowRankLinear):
        init.normal_(module.low_rank_in, std=module.in_features**-0.5)
        init.zeros_(module.low_rank_out)


class LeafMoEModel(LlamaModel):
    config_class = LeafMoEConfig

    def __init__(self, config: LeafMoEConfig) -> None:
        super().__init__(config)
        for index, layer in enumerate(self.layers):
            layer.mlp = LeafMoEMLP(config)
            if config.attention_rank:
                layer.self_attn = LeafMoEAttention(config, index)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        _init_new_parts(module)


class LeafMoEForCausalLM(LlamaForCausalLM):
    config_class = LeafMoEConfig
    # transformers declares both for instances, so they cannot be ClassVar; a base checkpoint lacks the first
    _keys_to_ignore_on_load_missing = [r"\.experts\.", r"\.low_rank_"]  # noqa: RUF012
    _keep_in_fp32_modules_strict = ["selection_bias"]  # noqa: RUF012

    def __init__(self, config: LeafMoEConfig) -> None:
        super().__init__(config)
        self.model = LeafMoEModel(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        _init_new_parts(module)

    def experts(self) -> list[RoutedExperts]:
        """The routed experts of every layer, first layer first."""
        return [layer.mlp.experts for layer in self.model.layers]

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """Inside, the model is its base: what training added is switched off, in this process, for every thread."""
        added = [module for module in self.modules() if isinstance(module, RoutedExperts | LowRankLinear)]
        for module in added:
            module.is_off = True
        try:
            yield
        finally:
            for module in added:
                module.is_off = False

    def trained_state(self) -> dict[str, Any]:
        """The tensors that training made, by name: everything that the base checkpoint does not hold."""
        return {name: tensor for name, tensor in self.state_dict().items() if is_new_part(name)}


def is_new_part(name: str) -> bool:
    """Whether a weight of that name was made by training and is not in the base checkpoint."""
    return ".experts." in name or ".low_rank_" in name
