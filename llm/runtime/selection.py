"""Which blocks of one layer a question looks at: scored in two stages, by bounds and then by the keys themselves.

Stage one bounds every block from above by the minima and maxima of its keys' channels (Quest, arXiv:2406.10774),
groups of 16 first. Stage two scores the survivors by the best token of each. Scores are of un-rotated keys, so
that they say what a block is about, not where it stands; shares are softmaxed over blocks and averaged over queries,
by weights, because few heads retrieve and the words of a question say more than what stands around them. Places that
words and sentence embeddings point at (`prior`) are always among the blocks that are looked at.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch

from llm.kv.overview import GROUP_BLOCKS, united


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """Budgets of one layer's selection, in blocks."""

    selected: int = 32
    candidates: int = 128  # that are scored by their keys
    groups: int = 64  # of 16 blocks, that are bounded one by one
    from_prior: int = 12  # of `selected`, at most, that the prior chooses
    query_tokens: int = 64  # the last of a pass, which ask


@dataclass(frozen=True, slots=True)
class Selection:
    """Blocks of one layer in document order, and the share of attention that each was given."""

    blocks: torch.Tensor  # (n,) int64
    shares: torch.Tensor  # (n,) float32, of the candidates' sum 1


@dataclass(frozen=True, slots=True)
class BoundedBlocks:
    """G neighbouring blocks: the bounds of every 16 of them at hand, their own when they are asked for."""

    num_blocks: int
    group_bounds: torch.Tensor  # (G/16, 2, K, C): minima, then maxima
    bounds_at: Callable[[torch.Tensor], torch.Tensor]  # blocks (n,), counted from the first of these -> (n, 2, K, C)

    @classmethod
    def of(cls, bounds: torch.Tensor) -> "BoundedBlocks":
        """bounds (G, 2, K, C)"""
        return cls(len(bounds), united(bounds), lambda blocks: bounds[blocks])


class BlockIndex:
    """The bounds of one layer's blocks, in groups of at most 16."""

    def __init__(self, parts: Sequence[BoundedBlocks]) -> None:
        """`parts` follow one another; a group does not reach from one into the next."""
        self._parts = parts
        self._firsts = [0, *accumulate(part.num_blocks for part in parts)]
        self._group_bounds = torch.cat([part.group_bounds for part in parts])  # (N, 2, K, C)
        borders = pairwise(self._firsts)
        self._starts = [start for first, end in borders for start in range(first, end, GROUP_BLOCKS)]
        self._starts.append(self._firsts[-1])  # the first block of each group, then the number of all

    @property
    def num_heads(self) -> int:
        return int(self._group_bounds.shape[2])

    def candidates(
        self, query: torch.Tensor, weights: torch.Tensor, scaling: float, allowed: range, options: SelectionOptions
    ) -> torch.Tensor:
        """The blocks of `allowed` with the highest bounds, (n,) int64; query (K, R, C) un-rotated, weights (K, R)."""
        blocks = torch.arange(allowed.start, allowed.stop, device=query.device)
        if len(blocks) > options.groups * GROUP_BLOCKS:
            blocks = self._in_best_groups(query, weights, scaling, allowed, options.groups * GROUP_BLOCKS)
        if len(blocks) > options.candidates:
            shares = _shares(upper_bounds(query, self._bounds_at(blocks)) * scaling, weights)
            blocks = blocks[shares.topk(options.candidates).indices]
        return blocks.sort().values

    def _in_best_groups(
        self, query: torch.Tensor, weights: torch.Tensor, scaling: float, allowed: range, num_blocks: int
    ) -> torch.Tensor:
        """The blocks of `allowed` in the groups with the highest bounds, as many groups as have `num_blocks`."""
        first, last = bisect_right(self._starts, allowed.start) - 1, bisect_left(self._starts, allowed.stop)
        shares = _shares(upper_bounds(query, self._group_bounds[first:last]) * scaling, weights)
        starts = torch.tensor(self._starts[first : last + 1], device=query.device)
        best = shares.argsort(descending=True)
        sizes = starts.diff()[best]
        best = best[sizes.cumsum(0) - sizes < num_blocks].sort().values
        blocks = starts[best, None] + torch.arange(GROUP_BLOCKS, device=query.device)  # (N, 16)
        inside = (blocks < starts[best + 1, None]) & (blocks >= allowed.start) & (blocks < allowed.stop)
        return blocks[inside]

    def _bounds_at(self, blocks: torch.Tensor) -> torch.Tensor:
        """blocks (n,), sorted -> (n, 2, K, C)"""
        borders = torch.searchsorted(blocks, torch.tensor(self._firsts, device=blocks.device)).tolist()
        parts = [
            part.bounds_at(blocks[low:high] - first)
            for part, first, low, high in zip(self._parts, self._firsts, borders, borders[1:], strict=False)
            if low < high
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def select(
    query: torch.Tensor,
    index: BlockIndex,
    keys_of: Callable[[torch.Tensor], torch.Tensor],
    *,
    scaling: float,
    allowed: range,
    weights: torch.Tensor,
    prior: Sequence[int],
    options: SelectionOptions,
) -> Selection:
    """query (H, S, C) un-rotated, weights (H, S): how much each query counts.

    `keys_of(blocks (n,))` gives their keys (K, n, 64, C). `prior`: blocks that are scored too, best first; the first
    `from_prior` of them are selected whatever their score.
    """
    recent = slice(-options.query_tokens, None)
    grouped = query[:, recent].unflatten(0, (index.num_heads, -1)).flatten(1, 2)  # (K, H/K * R, C)
    counts = weights[:, recent].reshape(grouped.shape[:2])  # (K, H/K * R)
    if not counts.any():  # all that counts stands before the last tokens
        counts = torch.ones_like(counts)
    blocks = index.candidates(grouped, counts, scaling, allowed, options)
    wanted = torch.tensor([block for block in prior if block in allowed], dtype=torch.int64, device=blocks.device)
    blocks = torch.cat((blocks, wanted)).unique()
    if not len(blocks):
        return Selection(blocks, blocks.float())
    shares = _shares(best_token_scores(grouped, keys_of(blocks)) * scaling, counts)
    ranking = shares.clone()
    ranking[torch.isin(blocks, wanted[: options.from_prior])] += 1.0
    kept = ranking.topk(min(options.selected, len(blocks))).indices.sort().values
    return Selection(blocks[kept], shares[kept])


def upper_bounds(query: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
    """query (K, R, C), bounds (G, 2, K, C) -> (K, R, G): no key of block g has a higher product with the query."""
    lowest, highest = bounds.unbind(1)  # (G, K, C)
    states = torch.cat((query.clamp(min=0), query.clamp(max=0)), -1)  # (K, R, 2C)
    extremes = torch.cat((highest, lowest), -1).to(query.dtype).permute(1, 2, 0)  # (K, 2C, G)
    return torch.bmm(states, extremes)


def best_token_scores(query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """query (K, R, C), keys (K, n, 64, C) -> (K, R, n): the highest product with any token of each block."""
    scores = torch.bmm(query, keys.flatten(1, 2).transpose(1, 2))  # (K, R, n * 64)
    best: torch.Tensor = scores.unflatten(-1, keys.shape[1:3]).amax(-1)
    return best


def _shares(scores: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """scores (K, R, G), weights (K, R) -> (G,) float32, of sum 1."""
    normed = weights.float() / weights.float().sum()
    return torch.einsum("krg,kr->g", scores.float().softmax(-1), normed)
