"""The keys and values of one reading in memory: a transformers cache over buffers that grow by doubling.

transformers' own DynamicCache copies every layer's keys and values for each new token; here a token costs its own
bytes only. Every layer keeps all tokens; sliding and chunked layers are limited by their masks.
"""

from typing import Any, cast

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

_FIRST_CAPACITY = 1024  # tokens


class BufferLayer(CacheLayerMixin):
    """Keys (1, K, T, C) and values (1, K, T, C') of one layer, as views of larger buffers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_tokens = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self._key_buffer = _room_like(key_states, _FIRST_CAPACITY)
        self._value_buffer = _room_like(value_states, _FIRST_CAPACITY)
        self.dtype, self.device = key_states.dtype, key_states.device
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends and returns everything kept. Modifies the cache."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self.num_tokens, self.num_tokens + key_states.shape[-2]
        if end > self._key_buffer.shape[-2]:
            self._grow(max(end, 2 * self._key_buffer.shape[-2]))
        self._key_buffer[..., start:end, :] = key_states
        self._value_buffer[..., start:end, :] = value_states
        return self._show(end)

    def truncate(self, num_tokens: int) -> None:
        """Forgets all tokens from `num_tokens` on. Modifies the cache; costs nothing."""
        if num_tokens > self.num_tokens:
            raise ValueError(f"a cache of {self.num_tokens} tokens cannot be cut to {num_tokens}")
        if self.is_initialized:
            self._show(num_tokens)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.num_tokens + query_length, 0

    def get_seq_length(self) -> int:
        return self.num_tokens

    def get_max_length(self) -> int:
        return -1

    def between(self, start: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys (1, K, end - start, C) and values (1, K, end - start, C'), as views."""
        return self._key_buffer[..., start:end, :], self._value_buffer[..., start:end, :]

    def _show(self, num_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.num_tokens = num_tokens
        self.keys, self.values = views = self.between(0, num_tokens)
        return views

    def _grow(self, capacity: int) -> None:
        keys, values = self.between(0, self.num_tokens)
        self._key_buffer, self._value_buffer = _room_like(keys, capacity), _room_like(values, capacity)
        self._key_buffer[..., : self.num_tokens, :] = keys
        self._value_buffer[..., : self.num_tokens, :] = values


class ReadingCache(Cache):
    """All layers of one reading. Batch size 1."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=BufferLayer)

    @property
    def num_tokens(self) -> int:
        return int(self.get_seq_length())

    def truncate(self, num_tokens: int) -> None:
        """Forgets all tokens from `num_tokens` on, in every layer. Modifies the cache."""
        for layer in self._buffers():
            layer.truncate(num_tokens)

    def tensors(self, start: int, end: int) -> dict[str, torch.Tensor]:
        """Keys and values of tokens [start, end) by name, contiguous, on the CPU."""
        named = {}
        for index, layer in enumerate(self._buffers()):
            keys, values = layer.between(start, end)
            named[f"key.{index:03d}"] = keys.contiguous().cpu()
            named[f"value.{index:03d}"] = values.contiguous().cpu()
        return named

    def append_tensors(self, named: dict[str, torch.Tensor], device: torch.device) -> None:
        """Takes in what `tensors` gave. Modifies the cache."""
        for index in range(len(named) // 2):
            key, value = named[f"key.{index:03d}"], named[f"value.{index:03d}"]
            self.update(key.to(device), value.to(device), index)

    def _buffers(self) -> list[BufferLayer]:
        return cast(list[BufferLayer], self.layers)  # `layer_class_to_replicate` makes no others


def _room_like(states: torch.Tensor, capacity: int) -> torch.Tensor:
    *leading, tokens, width = states.shape
    return states.new_empty((*leading, max(capacity, tokens), width))
