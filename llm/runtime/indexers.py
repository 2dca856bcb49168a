"""A model's own indexers, listened to while a pass goes through them: their queries and weights, before rotation.

transformers' indexer would score keys itself, at the positions that it is fed. The runtime feeds position 0 and scores
at positions of its own choice. What it scores with comes from hooks on two projections; the key comes to the cache.
Nothing of the model is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime.indexed import IndexQuery


@dataclass(slots=True, eq=False)
class Indexer:
    """Of one layer; remembers what its projections made last."""

    width: int
    num_chosen: int
    weights_factor: float
    turning: int  # the first channels of a query, which turn
    gain: float  # of the model's rotary module, on those
    made: dict[str, torch.Tensor] = field(default_factory=dict)

    def take(self) -> IndexQuery:
        """What the indexer asks for in the pass that is on its way."""
        heads = self.made.pop("heads")[0].unflatten(-1, (-1, self.width)).transpose(0, 1)  # (H, S, D)
        if self.gain != 1:
            heads = torch.cat((heads[..., : self.turning] * self.gain, heads[..., self.turning :]), -1)
        weights = self.made.pop("weights")[0].float() * self.weights_factor  # (S, H)
        return IndexQuery(heads, weights, self.num_chosen)


def indexers_of(model: PreTrainedModel, layouts: Sequence[LayerLayout]) -> Mapping[int, Indexer]:
    """By layer; empty for a model whose layers choose no tokens. From now on its indexers are listened to."""
    if not any(layout.kind is LayerKind.INDEXED for layout in layouts):
        return {}
    modules: list[Any] = [module for module in model.modules() if hasattr(module, "indexer")]
    gain = float(getattr(model.get_decoder().rotary_emb, "attention_scaling", 1.0))
    return {module.layer_idx: _listened_to(module.indexer, gain) for module in modules}


def _listened_to(module: Any, gain: float) -> Indexer:
    # the two scalings of the scores may come later: what a head cuts off at zero is the same
    factor = module.softmax_scale * module.n_heads**-0.5
    indexer = Indexer(module.head_dim, module.index_topk, factor, module.qk_rope_head_dim, gain)
    module.wq_b.register_forward_hook(partial(_keep, indexer.made, "heads"))
    module.weights_proj.register_forward_hook(partial(_keep, indexer.made, "weights"))
    return indexer


def _keep(made: dict[str, torch.Tensor], name: str, module: Any, entering: Any, output: torch.Tensor) -> None:
    made[name] = output
