"""A Llama-shaped model, LeafMoE included, as a runner on a CPU, with few steps a layer.

Owns the order of the steps (Llama 2, arXiv:2307.09288, section 2.2) and which weights serve how many tokens; the
working set owns positions and attention. In float32 the weights are the model's own and logits equal transformers' to
1e-3; in bfloat16 up to 8 tokens at once go through packed weights (llm.packed.matrix).
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM, PreTrainedModel

from llm.kv.layout import LayerLayout
from llm.leafmoe import LeafMoEForCausalLM
from llm.packed.matrix import pack
from llm.packed.projections import PackedProjections, PlainProjections, Projections
from llm.packed.threads import FastestThreads
from llm.runtime.kinds import layouts_of
from llm.runtime.rotation import Rotations, rotation_of
from llm.runtime.tiled import rounded_up
from llm.runtime.working import WorkingKV
from llm.tokens import embedded

_STEP = 16  # rows of products are rounded up to it, since oneDNN keeps a kernel for each number of them (docs/LOG.md)
_FEW_TOKENS = 8  # int4 products cost the same for 1 to 4 tokens, bfloat16 ones win from about 12 on (docs/LOG.md)


@dataclass(frozen=True, slots=True)
class _Layer:
    many: Projections
    few: Projections
    input_norm: torch.Tensor  # (D,)
    feed_forward_norm: torch.Tensor  # (D,)


class PackedLlama:
    """Implements `Runner`. Made by `PackedLlama.of`."""

    is_position_free = True

    def __init__(self, model: PreTrainedModel, rotation: Rotations) -> None:
        """The model's config, weights and device are those that `of` accepts."""
        config: Any = model.config
        self.layouts: Sequence[LayerLayout] = layouts_of(config)
        self.rotation: Rotations = rotation
        self._epsilon: float = config.rms_norm_eps
        self._scaling: float = model.model.layers[0].self_attn.scaling
        self._embedding = _weight(model.get_input_embeddings())
        self._norm = _weight(model.model.norm)
        self._head = _weight(model.get_output_embeddings())
        is_packed = model.dtype == torch.bfloat16
        self._packed_head = pack(self._head) if is_packed else None
        self._layers = [_layer_of(layer, is_packed) for layer in model.model.layers]
        self._threads = FastestThreads()

    @classmethod
    def of(cls, model: PreTrainedModel) -> "PackedLlama | None":
        """None for a model of another shape or dtype, or that is not on a CPU. Packing takes about a second."""
        if type(model) not in (LlamaForCausalLM, LeafMoEForCausalLM) or model.device.type != "cpu":
            return None
        config: Any = model.config
        is_plain = config.hidden_act == "silu" and not config.attention_bias and not config.mlp_bias
        rotation = rotation_of(model)
        gain = model.model.rotary_emb.attention_scaling
        if rotation is None or gain != 1 or not is_plain or model.dtype not in (torch.bfloat16, torch.float32):
            return None
        with torch.no_grad():
            return cls(model, rotation)

    @torch.no_grad()
    def forward(self, token_ids: Sequence[int], kv: WorkingKV) -> torch.Tensor:
        """Carries the tokens through the model in as many passes as `kv.room` asks for; they are appended to `kv`.

        Logits (V,) of the last token, in float32.
        """
        return self._logits(self._passes(token_ids, kv)[-1][-1:])[0]

    @torch.no_grad()
    def carry(self, token_ids: Sequence[int], kv: WorkingKV, num_logits: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Carrier`."""
        states = torch.cat(self._passes(token_ids, kv))
        return self._logits(states[-num_logits:]), states

    @torch.no_grad()
    def carry_apart(self, sequences: Sequence[Sequence[int]], kv: WorkingKV) -> list[torch.Tensor]:
        """See `Carrier`. All go through the matrices together, as long as the longest."""
        longest = max(map(len, sequences))
        fork = kv.fork()
        try:
            states = self._through(
                [token for sequence in sequences for token in (*sequence, *[0] * (longest - len(sequence)))],
                [partial(layer.attend_apart, num_apart=len(sequences)) for layer in fork.layers],
            )
        finally:
            fork.release()
        kept = [part[: len(sequence)] for sequence, part in zip(sequences, states.split(longest), strict=True)]
        return list(self._logits(torch.cat(kept)).split([len(sequence) for sequence in sequences]))

    def _passes(self, token_ids: Sequence[int], kv: WorkingKV) -> list[torch.Tensor]:
        """The last layer's states (S, D) of each pass."""
        assert token_ids, "a forward pass needs a token"
        done = 0
        passes: list[torch.Tensor] = []
        while done < len(token_ids):
            num_new = kv.room(len(token_ids) - done)
            with self._threads.carrying(is_trial=num_new == 1) if num_new <= _FEW_TOKENS else nullcontext():
                passes.append(self._pass(token_ids[done : done + num_new], kv))
            done += num_new
        return passes

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        """states (S, D) -> (S, V) float32"""
        normed = self._normed(states, self._norm)
        if self._packed_head is not None and len(states) <= _FEW_TOKENS:
            return self._packed_head.product(normed).float()
        return F.linear(normed, self._head).float()

    def _pass(self, token_ids: Sequence[int], kv: WorkingKV) -> torch.Tensor:
        """The last layer's states (S, D)."""
        kv.begin(len(token_ids))
        states = self._through(token_ids, [layer.attend for layer in kv.layers])
        kv.finish()
        return states

    def _through(self, token_ids: Sequence[int], attends: Sequence[Callable[..., torch.Tensor]]) -> torch.Tensor:
        """The last layer's states (S, D), after the attention of each layer."""
        states = embedded(token_ids, lambda ids: F.embedding(ids, self._embedding), self._embedding.device)
        num_new = len(states)
        is_few = num_new <= _FEW_TOKENS
        room = num_new if is_few else rounded_up(num_new, _STEP)
        states = _with_rows(states, room)
        for layer, attend in zip(self._layers, attends, strict=True):
            part = layer.few if is_few else layer.many
            query, key, value = part.heads(self._normed(states, layer.input_norm))
            own = (heads[:, :num_new] for heads in (query, key, value))
            mixed = attend(*own, scaling=self._scaling)  # (S, H, C)
            states += part.out(_with_rows(mixed.flatten(1), room))
            states += part.feed_forward(self._normed(states, layer.feed_forward_norm))
        return states[:num_new]

    def _normed(self, states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """states (S, D) over their root mean square, times weight (D,); arXiv:1910.07467."""
        lengths: torch.Tensor = torch.linalg.vector_norm(states, dim=1, keepdim=True, dtype=torch.float32)  # (S, 1)
        if len(states) == 1:
            length = float(lengths)
            scale: float = (length * length / len(weight) + self._epsilon) ** -0.5
            return (states * scale).mul_(weight)
        scales = lengths.square_().div_(len(weight)).add_(self._epsilon).rsqrt_()  # torch's own takes twice as long
        return (states * scales).to(states.dtype).mul_(weight)


def _layer_of(layer: Any, is_packed: bool) -> _Layer:
    many = PlainProjections(layer)
    few = PackedProjections(layer) if is_packed else many
    return _Layer(many, few, _weight(layer.input_layernorm), _weight(layer.post_attention_layernorm))


def _with_rows(states: torch.Tensor, rows: int) -> torch.Tensor:
    """states (S, D) -> (rows, D), zero behind them."""
    return states if len(states) == rows else F.pad(states, (0, 0, 0, rows - len(states)))


def _weight(module: Any) -> torch.Tensor:
    weight: torch.Tensor = module.weight
    return weight
