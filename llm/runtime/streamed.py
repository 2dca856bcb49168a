"""Blocks that are attended to without being shown: brought to the device group by group, each part's result merged.

For snapshots that the device cannot hold beside the model. Exact: every block is looked at, at its own position; only
the order of summation differs. While one group is attended to, the next is on its way.
"""

from itertools import pairwise

import torch

from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime.attention import attend_part, merge, visible
from llm.runtime.latent import LatentExpansion
from llm.runtime.opened import OpenSnapshots
from llm.runtime.rotation import Rotation


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
    ) -> torch.Tensor:
        """query (H, S, C) and keys (K, T, C) rotated, values (K, T, C') of what is shown -> (S, H, C').

        The queries are the last S of the tokens shown, and see all blocks.
        """
        asking = query if expansion is None else self._absorbed(query, expansion)
        mask = visible(query.shape[1], keys.shape[1], None, query.device)
        total = attend_part(asking, *self._told(keys, values), scaling=scaling, mask=mask)
        position = 0
        for number, group in enumerate(self._groups):
            key, value = self._source.gather(self._layer, group)
            if number + 1 < len(self._groups):
                self._source.prefetch(self._layer, self._groups[number + 1])
            key, value = self._told(*self._rotated(key, value, position))
            position += value.shape[1]
            total = merge(total, attend_part(asking, key, value, scaling=scaling))
        output = total[0]  # (H, S, C'), of a latent layer (H, S, W)
        if expansion is not None:
            output = torch.bmm(output, expansion.values.float().transpose(1, 2))
        return output.to(query.dtype).transpose(0, 1)

    def _rotated(self, key: torch.Tensor, value: torch.Tensor, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        if self._layout.kind is LayerKind.LATENT:
            return key, self._rotation.rotate(value, start)
        return self._rotation.rotate(key, start), value

    def _told(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What queries are multiplied with, and what is mixed: of a latent layer both parts, and the latent."""
        if self._layout.kind is LayerKind.LATENT:
            return torch.cat((keys, values), -1), keys
        return keys, values

    def _absorbed(self, query: torch.Tensor, expansion: LatentExpansion) -> torch.Tensor:
        turning = query[..., expansion.keys.shape[1] :]
        return torch.cat((expansion.absorb(query), turning), -1)
