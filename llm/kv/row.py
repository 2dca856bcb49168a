"""A row: one block of several layers side by side in a file, each layer's slot with its own CRC-32.

A slot is the block's record, then its bounds where no other file keeps them, then a CRC-32 that also counts in the
block's number and the layer's: a block at another block's place is noticed too.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import torch

from llm.kv.codec import Codec
from llm.kv.files import Bytes

_CRC_BYTES = 4

Encoded = tuple[torch.Tensor, torch.Tensor]  # records (n, record_bytes) uint8, bounds (n, 2, K, C) bfloat16


class Row:
    """Where the slots of `layers` stand in a row. `codecs` are those of all layers of the model."""

    def __init__(self, layers: Sequence[int], codecs: Sequence[Codec], *, holds_bounds: bool) -> None:
        self.layers = tuple(layers)
        self._codecs = {layer: codecs[layer] for layer in layers}
        self._holds_bounds = holds_bounds
        self._offsets: dict[int, int] = {}
        self.row_bytes = 0
        for layer in layers:
            self._offsets[layer] = self.row_bytes
            self.row_bytes += self.slot_bytes(layer)

    def slot_bytes(self, layer: int) -> int:
        codec = self._codecs[layer]
        return codec.record_bytes + (codec.bounds_bytes if self._holds_bounds else 0) + _CRC_BYTES

    def offsets(self, layer: int, positions: Sequence[int]) -> list[int]:
        """Where the layer's slots begin in a file whose rows stand at these positions, from 0."""
        return [position * self.row_bytes + self._offsets[layer] for position in positions]

    def pack(self, encoded: Sequence[Encoded], first_block: int) -> Bytes:
        """n blocks of every layer of the model, numbered from `first_block` -> (n, row_bytes)."""
        num_blocks = len(encoded[0][0])
        rows = np.empty((num_blocks, self.row_bytes), np.uint8)
        for layer in self.layers:
            records, bounds = encoded[layer]
            slots = rows[:, self._offsets[layer] : self._offsets[layer] + self.slot_bytes(layer)]
            slots[:, : records.shape[1]] = records.cpu().numpy()
            if self._holds_bounds:
                slots[:, records.shape[1] : -_CRC_BYTES] = bounds.flatten(1).view(torch.uint8).cpu().numpy()
            crcs = [_crc32(slot, first_block + index, layer) for index, slot in enumerate(slots)]
            slots[:, -_CRC_BYTES:] = np.array(crcs, "<u4").view(np.uint8).reshape(-1, _CRC_BYTES)
        return rows

    def bounds(self, layer: int, slots: torch.Tensor) -> torch.Tensor:
        """slots (n, slot_bytes) uint8 of a row that holds bounds -> (n, 2, K, C) bfloat16."""
        assert self._holds_bounds, "bounds of the other layers have a file of their own"
        codec = self._codecs[layer]
        bounds = slots[:, codec.record_bytes : -_CRC_BYTES].contiguous().view(torch.bfloat16)
        return bounds.view(len(slots), 2, codec.layout.key_heads, codec.layout.key_width)


def first_damaged(slots: Bytes, blocks: Sequence[int], layer: int) -> int | None:
    """The first of `blocks` whose slot is not what was written."""
    for slot, block in zip(slots, blocks, strict=True):
        if _crc32(slot, block, layer) != int.from_bytes(slot[-_CRC_BYTES:].tobytes(), "little"):
            return block
    return None


def _crc32(slot: Bytes, block: int, layer: int) -> int:
    return zlib.crc32(slot[:-_CRC_BYTES].data, zlib.crc32(struct.pack("<QI", block, layer)))
