"""Attention to those tokens alone that an indexer chose: DeepSeek Sparse Attention, over compressed latents.

Each token leaves a key of the indexer beside its latent. Each of the indexer's heads scores every token before a query
by the product with its key, cut off at zero; the heads' weights, which depend on the query, add the scores up, and the
best `num_chosen` tokens are attended to (DeepSeek-V3.2, arXiv:2512.02556, section 2.1). While fewer are shown, all are.

What is kept as a layer's key is the index key first, whose first channels turn by halves, then the latent.
Widths here: D of the index key, W of the latent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from llm.runtime.attention import visible
from llm.runtime.latent import LatentExpansion, attend_latent
from llm.runtime.rotation import Rotation

_GROUP_NUMBERS = 2**26  # of scores at a time: 256 MiB in float32


@dataclass(frozen=True, slots=True, eq=False)
class IndexQuery:
    """What the indexer of one layer asks for, for each of S queries."""

    heads: torch.Tensor  # (H, S, D)
    weights: torch.Tensor  # (S, H) float32: how much each head counts, every factor included
    num_chosen: int  # tokens that each query attends to

    @property
    def width(self) -> int:
        """Of an index key."""
        return self.heads.shape[2]

    def rotated(self, rotation: Rotation, start: int) -> "IndexQuery":
        """At positions start, start + 1, …"""
        return replace(self, heads=rotation.leading.rotate(self.heads, start))

    def scores(self, keys: torch.Tensor) -> torch.Tensor:
        """keys (T, D) rotated -> (S, T) float32. Queries go in groups, so that memory stays bounded."""
        return torch.cat(list(self._scored(keys.float().t())))

    def _scored(self, keys: torch.Tensor) -> Iterator[torch.Tensor]:
        """keys (D, T)"""
        num_heads, num_new, _ = self.heads.shape
        step = max(1, _GROUP_NUMBERS // (num_heads * keys.shape[1]))
        for start in range(0, num_new, step):
            group = slice(start, start + step)
            matched = torch.matmul(self.heads[:, group].float(), keys).relu_()  # (H, R, T)
            yield torch.einsum("hrt,rh->rt", matched, self.weights[group])


def chosen(scores: torch.Tensor, num_chosen: int, seen: torch.Tensor) -> torch.Tensor:
    """scores (S, T), seen (S, T): True where query i may see token j -> (S, T): True where it is chosen."""
    best = scores.masked_fill(~seen, -torch.inf).topk(min(num_chosen, scores.shape[1]), -1).indices
    return torch.zeros_like(seen).scatter_(1, best, True) & seen


def attend_indexed(
    query: torch.Tensor,
    keys: torch.Tensor,
    rotary_keys: torch.Tensor,
    expansion: LatentExpansion,
    index: IndexQuery,
    *,
    scaling: float,
) -> torch.Tensor:
    """query (H, S, N + R), keys (1, T, D + W), rotary_keys (1, T, R), all rotated -> (S, H, V).

    Query i may see tokens up to T - S + i, and attends to those of them that `index` chooses.
    """
    index_keys, latents = keys[0, :, : index.width], keys[..., index.width :]
    num_new, num_shown = query.shape[1], latents.shape[1]
    if num_shown <= index.num_chosen:
        return attend_latent(query, latents, rotary_keys, expansion, scaling=scaling)
    scores = index.scores(index_keys)  # (S, T)
    if num_new == 1:
        best = scores[0].topk(index.num_chosen).indices
        return attend_latent(query, latents[:, best], rotary_keys[:, best], expansion, scaling=scaling)
    seen = chosen(scores, index.num_chosen, visible(num_new, num_shown, None, query.device))
    return attend_latent(query, latents, rotary_keys, expansion, scaling=scaling, seen=seen)
