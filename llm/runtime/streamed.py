"""Blocks that are attended to without being shown: brought to the device group by group, each part's result merged.

For snapshots that the device cannot hold beside the model. Exact: every block is looked at, at its own position; only
the order of summation differs. While one group is attended to, the next is on its way.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch

from llm.kv.layout import LayerLayout
from llm.runtime.attention import attend_part, merge, visible
from llm.runtime.indexed import IndexQuery, chosen
from llm.runtime.latent import LatentExpansion
from llm.runtime.opened import OpenSnapshots
from llm.runtime.rotation import Rotation, rotated


class StreamedBlocks:
    """All blocks of one layer of a session, at positions from 0."""

    def __init__(
        self, source: OpenSnapshots, layer: int, layout: LayerLayout, rotation: Rotation, *, group_blocks: int
    ) -> None:
        self.num_tokens = source.num_tokens
        self._source, self._layer, self._layout, self._rotation = source, layer, layout, rotation
        borders = [*range(0, source.num_blocks, group_blocks), source.num_blocks]
        self._groups = [range(first, end) for first, end in pairwise(borders)]

    def attend(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        scaling: float,
        expansion: LatentExpansion | None,
        index: IndexQuery | None,
    ) -> torch.Tensor:
        """query (H, S, C) and keys (K, T, C) rotated, values (K, T, C') of what is shown -> (S, H, C').

        The queries are the last S of the tokens shown, and see all blocks, or what `index` chooses of all.
        """
        asking = query if expansion is None else self._absorbed(query, expansion)
        mask = visible(query.shape[1], keys.shape[1], None, query.device)
        seen = None if index is None else self._chosen(index, keys[0], mask)  # (S, tokens of all blocks + T)
        if seen is not None:
            mask = seen[:, self.num_tokens :]
        total = attend_part(asking, *_told(keys, values, expansion), scaling=scaling, mask=mask)
        for start, key, value in self._gathered(query.device):
            part = None if seen is None else seen[:, start : start + key.shape[1]]
            total = merge(total, attend_part(asking, *_told(key, value, expansion), scaling=scaling, mask=part))
        output = total[0]  # (H, S, C'), of a latent layer (H, S, W)
        if expansion is not None:
            output = torch.bmm(output, expansion.values.float().transpose(1, 2))
        return output.to(query.dtype).transpose(0, 1)

    def _gathered(self, device: torch.device) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Each group's first position, and its keys and values, rotated; the next group is on its way meanwhile."""
        position = 0
        for number, group in enumerate(self._groups):
            key, value = self._source.gather(self._layer, group)
            if number + 1 < len(self._groups):
                self._source.prefetch(self._layer, self._groups[number + 1])
            yield position, *rotated(self._layout, self._rotation, key.to(device), value.to(device), position)
            position += value.shape[1]

    def _chosen(self, index: IndexQuery, shown: torch.Tensor, seen: torch.Tensor) -> torch.Tensor | None:
        """Which tokens of all blocks and of those shown (T, C) each query attends to; None: to all that it sees.

        An indexer's scores of all blocks come first, so the blocks are brought twice.
        """
        if self.num_tokens + len(shown) <= index.num_chosen:
            return None
        parts = [index.scores(key[0, :, : index.width]) for _, key, _ in self._gathered(shown.device)]
        scores = torch.cat([*parts, index.scores(shown[:, : index.width])], 1)
        seen = torch.cat((seen.new_ones((len(seen), self.num_tokens)), seen), 1)
        return chosen(scores, index.num_chosen, seen)

    def _absorbed(self, query: torch.Tensor, expansion: LatentExpansion) -> torch.Tensor:
        turning = query[..., expansion.keys.shape[1] :]
        return torch.cat((expansion.absorb(query), turning), -1)


def _told(
    keys: torch.Tensor, values: torch.Tensor, expansion: LatentExpansion | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What queries are multiplied with, and what is mixed: of a latent layer both parts, and the latent."""
    if expansion is None:
        return keys, values
    latents = keys[..., -expansion.keys.shape[2] :]  # behind an indexer's key
    return torch.cat((latents, values), -1), latents
