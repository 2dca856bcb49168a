"""How a block of one layer becomes bytes: exactly, or in 8 or 4 bits. Knows no files.

A block's `record` has a fixed size. Its `bounds`, the least and the largest key of each channel, are kept beside it in
every dtype: retrieval scores with them, and quantised keys are measured from them, so the index costs nothing extra.

- Keys: asymmetric per block, head and channel. Before rotation, outliers keep to their channels (KIVI,
  arXiv:2402.02750, section 3), so a block's channel has a narrow range.
- Values: symmetric per token and head, with a bfloat16 scale: float16's range ends at 65,504, and the codes absorb the
  scale's rounding. In 4 bits a Hadamard rotation first spreads a head's outliers over its channels (QuaRot,
  arXiv:2404.00456, section 4).

Guarantees: encoding is deterministic; decoded keys lie within their bounds; what `decode` gives in float32 is encoded
to the same bytes again if the keys were bfloat16 and the values 8 bits wide.
"""

import math
from enum import StrEnum
from functools import lru_cache

import torch

from llm.kv.layout import BLOCK_TOKENS, LayerLayout


class KVDtype(StrEnum):
    """In what blocks are kept."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"
    INT4 = "int4"


_EXACT = {KVDtype.FLOAT32: torch.float32, KVDtype.BFLOAT16: torch.bfloat16}
_BITS = {KVDtype.FLOAT32: 32, KVDtype.BFLOAT16: 16, KVDtype.INT8: 8, KVDtype.INT4: 4}
_SCALE_BYTES = 2  # bfloat16
_DECODED_AT_ONCE = 8  # blocks: on a CPU, larger scratch costs more in page faults than the arithmetic does
_BELOW_ONE = 1 - 2.0**-22  # keeps the largest decoded key below its bound, whatever the rounding


class Codec:
    """Turns blocks of one layer into records and back, n blocks at a time."""

    def __init__(self, layout: LayerLayout, kv_dtype: KVDtype) -> None:
        self.layout, self.kv_dtype = layout, kv_dtype
        bits = _BITS[kv_dtype]
        if bits == 4 and (layout.key_width % 2 or layout.value_width % 2):
            raise ValueError(f"int4 packs channels in pairs, but a head is {layout.key_width} wide; choose int8")
        self._key_bytes = layout.key_heads * BLOCK_TOKENS * layout.key_width * bits // 8
        self._value_bytes = layout.value_heads * BLOCK_TOKENS * layout.value_width * bits // 8
        scale_bytes = 0 if kv_dtype in _EXACT else layout.value_heads * BLOCK_TOKENS * _SCALE_BYTES
        self.record_bytes = self._key_bytes + self._value_bytes + scale_bytes
        self.bounds_bytes = 2 * layout.key_heads * layout.key_width * 2

    def rounds(self, dtype: torch.dtype) -> bool:
        """Whether keys and values of `dtype` come back changed."""
        exact = _EXACT.get(self.kv_dtype)
        return exact is None or torch.promote_types(exact, dtype) != exact

    def encode(self, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """key (K, n*64, C), value (K', n*64, C') -> records (n, record_bytes) uint8, bounds (n, 2, K, C) bfloat16."""
        keys, values = _blocks(key), _blocks(value)  # (n, K, 64, C), (n, K', 64, C')
        bounds = _bounds(keys)
        assert bool(bounds.isfinite().all()), "keys are finite"
        if exact := _EXACT.get(self.kv_dtype):
            parts = [keys.to(exact), values.to(exact)]
        elif self.kv_dtype is KVDtype.INT8:
            parts = [_key_codes(keys, bounds, 255), *_value_codes(values, 127)]
        else:
            codes, scales = _value_codes(_rotated(values.float()), 7)
            parts = [_packed(_key_codes(keys, bounds, 15)), _packed(codes + 8), scales]
        return torch.cat([_as_bytes(part) for part in parts], 1), bounds

    def decode(
        self, records: torch.Tensor, bounds: torch.Tensor, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What `encode` gave -> key (K, n*64, C), value (K', n*64, C') in `dtype`, on the device of `records`."""
        layout, num_blocks, device = self.layout, len(records), records.device
        key = torch.empty((layout.key_heads, num_blocks, BLOCK_TOKENS, layout.key_width), dtype=dtype, device=device)
        value = torch.empty(
            (layout.value_heads, num_blocks, BLOCK_TOKENS, layout.value_width), dtype=dtype, device=device
        )
        at_once = _DECODED_AT_ONCE if device.type == "cpu" else max(1, num_blocks)
        for start in range(0, num_blocks, at_once):
            piece = slice(start, start + at_once)
            keys, values = self._decode(records[piece], bounds[piece])
            key[:, piece] = keys.transpose(0, 1)
            value[:, piece] = values.transpose(0, 1)
        return key.flatten(1, 2), value.flatten(1, 2)

    def _decode(self, records: torch.Tensor, bounds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys (n, K, 64, C) and values (n, K', 64, C')."""
        key_part, value_part, scale_part = records.tensor_split(
            (self._key_bytes, self._key_bytes + self._value_bytes), 1
        )
        layout = self.layout
        key_shape = (len(records), layout.key_heads, BLOCK_TOKENS, -1)
        value_shape = (len(records), layout.value_heads, BLOCK_TOKENS, -1)
        if exact := _EXACT.get(self.kv_dtype):
            return key_part.view(exact).view(key_shape), value_part.view(exact).view(value_shape)
        key_codes, value_codes = key_part.view(key_shape), value_part.view(value_shape)
        scales = scale_part.view(torch.bfloat16).view(value_shape)  # (n, K', 64, 1)
        if self.kv_dtype is KVDtype.INT8:
            return _decoded_keys(key_codes, bounds, 255), value_codes.view(torch.int8).float().mul_(scales)
        values = _unpacked(value_codes).float().sub_(8).mul_(scales)
        return _decoded_keys(_unpacked(key_codes), bounds, 15), _rotated(values)


def _blocks(states: torch.Tensor) -> torch.Tensor:
    """(K, n*64, C) -> (n, K, 64, C)."""
    heads, num_tokens, width = states.shape
    return states.reshape(heads, num_tokens // BLOCK_TOKENS, BLOCK_TOKENS, width).transpose(0, 1)


def _bounds(keys: torch.Tensor) -> torch.Tensor:
    """keys (n, K, 64, C) -> (n, 2, K, C), rounded outward."""
    least, largest = keys.amin(2), keys.amax(2)
    low, high = least.bfloat16(), largest.bfloat16()
    infinity = torch.full_like(low, torch.inf)
    low = torch.where(low.float() > least.float(), torch.nextafter(low, -infinity), low)
    high = torch.where(high.float() < largest.float(), torch.nextafter(high, infinity), high)
    return torch.stack((low, high), 1)


def _low_and_step(bounds: torch.Tensor, levels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """bounds (n, 2, K, C) -> (n, K, 1, C) each, float32."""
    low, high = bounds.float().unbind(1)
    step = (high - low) * (_BELOW_ONE / levels)
    return low[:, :, None], step[:, :, None]


def _key_codes(keys: torch.Tensor, bounds: torch.Tensor, levels: int) -> torch.Tensor:
    """(n, K, 64, C) uint8 of 0 … levels."""
    low, step = _low_and_step(bounds, levels)
    codes = (keys.float() - low) / torch.where(step > 0, step, 1.0)
    return codes.round_().clamp_(0, levels).to(torch.uint8)


def _decoded_keys(codes: torch.Tensor, bounds: torch.Tensor, levels: int) -> torch.Tensor:
    """codes (n, K, 64, C) uint8 -> the same in float32."""
    low, step = _low_and_step(bounds, levels)
    return codes.float().mul_(step).add_(low)


def _value_codes(values: torch.Tensor, levels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """values (n, K, 64, C) -> codes int8 of -levels … levels, scales (n, K, 64, 1) bfloat16."""
    scales = (values.abs().amax(3, keepdim=True).float() / levels).bfloat16()
    assert bool(scales.isfinite().all()), "values are finite"
    codes = values.float() / torch.where(scales > 0, scales, 1.0).float()
    return codes.round_().clamp_(-levels, levels).to(torch.int8), scales


def _packed(codes: torch.Tensor) -> torch.Tensor:
    """(…, C) of 0 … 15 -> (…, C/2) uint8: the first half of the channels in the low bits."""
    first, second = codes.to(torch.uint8).chunk(2, -1)
    return first | (second << 4)


def _unpacked(packed: torch.Tensor) -> torch.Tensor:
    return torch.cat((packed & 15, packed >> 4), -1)


def _rotated(values: torch.Tensor) -> torch.Tensor:
    """Turns each group of channels, as large a power of two as divides the width, by a Hadamard matrix.

    Its own inverse.
    """
    width = values.shape[-1] & -values.shape[-1]
    groups = values.reshape(-1, width) @ _hadamard(width).to(values.device)
    return groups.view(values.shape)


@lru_cache(maxsize=8)
def _hadamard(width: int) -> torch.Tensor:
    """(width, width), symmetric and orthonormal (Sylvester's construction)."""
    matrix = torch.ones((1, 1))
    while len(matrix) < width:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)))
    return matrix / math.sqrt(width)


def _as_bytes(part: torch.Tensor) -> torch.Tensor:
    """(n, …) -> (n, bytes) uint8."""
    return part.flatten(1).contiguous().view(torch.uint8)
