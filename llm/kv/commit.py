"""Writing: new tokens of all layers become blocks and a new tail, and then, in one rename, part of the snapshot.

Nothing that the last commit needs is overwritten: blocks and bounds are appended, segments and tails are new files.
So a kill or a full disk at any moment leaves the last commit as it was.
"""

import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch

from llm.kv import files
from llm.kv.files import Bytes
from llm.kv.layout import BLOCK_TOKENS, LayerLayout
from llm.kv.manifest import Commit
from llm.kv.plan import FilePlan, tail_values

_PIECE_BLOCKS = 32  # encoded at a time, so that memory does not grow with the size of an append

States = Sequence[tuple[torch.Tensor, torch.Tensor]]  # a layer: key (K, S, C), value (K', S, C')


def write_files(plan: FilePlan, last: Commit, tail: States, states: States, num_new: int) -> Commit:
    """Writes and syncs all that the commit of `num_new` more tokens needs, but for the manifest.

    `tail` holds the states of the last commit's tail, `states` those of the new tokens.
    """
    num_tokens = last.num_tokens + num_new
    stream = _Stream(tail, states, last.tail_tokens)
    num_closed = num_tokens // BLOCK_TOKENS - last.num_blocks
    commit = Commit(num_tokens, last.bounds_crc32 or (0,) * len(plan.lasting.layers), last.segments)
    if num_closed:
        commit = _write_blocks(plan, last, stream, commit)
    if not commit.tail_tokens:
        return commit
    content = pack_tail([stream.between(layer, num_closed * BLOCK_TOKENS, None) for layer in range(len(plan.layouts))])
    with files.synced(plan.tail_path(num_tokens), size=len(content)) as write:
        write(0, content)
    dtype = str((states or tail)[0][0].dtype).removeprefix("torch.")
    return replace(commit, tail_dtype=dtype, tail_crc32=zlib.crc32(content.data))


def pack_tail(states: States) -> Bytes:
    """All layers' tokens that fill no block, one array after the other."""
    parts = [part.contiguous().flatten().view(torch.uint8).cpu() for layer in states for part in layer]
    return np.asarray(torch.cat(parts).numpy())


def unpack_tail(content: torch.Tensor, layouts: Sequence[LayerLayout], num_tokens: int, dtype: torch.dtype) -> States:
    """content (bytes,) uint8, from `pack_tail` -> the states, as views."""
    numbers = content.view(dtype)
    assert len(numbers) == tail_values(layouts, num_tokens), "a tail holds every layer"
    states, end = [], 0
    for layout in layouts:
        start, middle = end, end + num_tokens * layout.key_heads * layout.key_width
        end = middle + num_tokens * layout.value_heads * layout.value_width
        key = numbers[start:middle].view(layout.key_heads, num_tokens, layout.key_width)
        states.append((key, numbers[middle:end].view(layout.value_heads, num_tokens, layout.value_width)))
    return states


class _Stream:
    """The last commit's tail and the new tokens, as if they were one sequence."""

    def __init__(self, tail: States, states: States, tail_tokens: int) -> None:
        self._tail, self._states, self._tail_tokens = tail, states, tail_tokens

    def between(self, layer: int, start: int, end: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Key (K, end - start, C), value (K', end - start, C')."""
        old = self._tail_tokens
        new = [part[:, max(0, start - old) : None if end is None else end - old] for part in self._states[layer]]
        if start >= old:
            return new[0], new[1]
        before = [part[:, start:].to(new[0]) for part in self._tail[layer]]
        return torch.cat((before[0], new[0]), 1), torch.cat((before[1], new[1]), 1)


def _write_blocks(plan: FilePlan, last: Commit, stream: _Stream, commit: Commit) -> Commit:
    first, end = last.num_blocks, commit.num_blocks
    checksums = list(commit.bounds_crc32)
    with ExitStack() as open_files:
        write_rows = open_files.enter_context(files.synced(plan.blocks_path))
        write_bounds = open_files.enter_context(files.synced(plan.bounds_path, size=plan.bounds_size))
        segments = {
            reach: open_files.enter_context(
                files.synced(plan.segment_path(reach, first), size=(end - first) * row.row_bytes)
            )
            for reach, row in plan.limited.items()
        }
        for at in range(first, end, _PIECE_BLOCKS):
            to = min(at + _PIECE_BLOCKS, end)
            encoded = [
                codec.encode(*stream.between(layer, (at - first) * BLOCK_TOKENS, (to - first) * BLOCK_TOKENS))
                for layer, codec in enumerate(plan.codecs)
            ]
            write_rows(at * plan.lasting.row_bytes, plan.lasting.pack(encoded, at))
            for index, layer in enumerate(plan.lasting.layers):
                bounds = encoded[layer][1].flatten().view(torch.uint8).cpu().numpy()
                write_bounds(plan.bounds_offset(layer, at), bounds)
                checksums[index] = zlib.crc32(bounds.data, checksums[index])
            for reach, row in plan.limited.items():
                segments[reach]((at - first) * row.row_bytes, row.pack(encoded, at))
    return replace(commit, bounds_crc32=tuple(checksums), segments=_segments(plan, commit, first))


def _segments(plan: FilePlan, commit: Commit, first: int) -> tuple[tuple[int, int, int], ...]:
    """Those of earlier commits that are still seen, and the new ones, of blocks from `first` on."""
    seen = [
        (reach, start, count)
        for reach, start, count in commit.segments
        if start + count > plan.first_needed_block(reach, commit.num_tokens)
    ]
    return (*seen, *((reach, first, commit.num_blocks - first) for reach in plan.limited))
