"""Layouts of every kind, keys and values that look like a model's, and stores over them."""

from collections.abc import Sequence
from pathlib import Path

import torch

from llm.kv.codec import KVDtype
from llm.kv.layout import LayerKind, LayerLayout
from llm.kv.snapshot import Snapshot
from llm.kv.store import SnapshotStore

CPU = torch.device("cpu")

FULL = LayerLayout(LayerKind.FULL, 2, 16, 2, 16)
UNROTATED = LayerLayout(LayerKind.UNROTATED, 2, 16, 2, 16)
CHUNKED = LayerLayout(LayerKind.CHUNKED, 2, 16, 2, 16, reach=128)
SLIDING = LayerLayout(LayerKind.SLIDING, 1, 16, 1, 16, reach=100)
LATENT = LayerLayout(LayerKind.LATENT, 1, 32, 1, 8)
MIXED = (FULL, CHUNKED, SLIDING, LATENT, UNROTATED)
SMOLLM2 = (LayerLayout(LayerKind.FULL, 3, 64, 3, 64),) * 30

States = list[tuple[torch.Tensor, torch.Tensor]]


def realistic(layout: LayerLayout, num_tokens: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Key (K, T, C) with outlier channels whose mean is far from zero, value (K', T, C') with outlier tokens."""

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    key = normal(layout.key_heads, num_tokens, layout.key_width)
    key[..., ::7] = key[..., ::7] * 3 + 12
    key[..., 3] = key[..., 3] * 0.01 - 20
    value = normal(layout.value_heads, num_tokens, layout.value_width) * 0.1
    value[:, ::9] *= 30
    return key, value


def states_of(layouts: Sequence[LayerLayout], num_tokens: int, *, seed: int = 0) -> States:
    """Of each layer key (K, T, C) and value (K', T, C'), float32."""
    generator = torch.Generator().manual_seed(seed)
    return [realistic(layout, num_tokens, generator) for layout in layouts]


def cut(states: States, start: int, end: int) -> States:
    """Tokens [start, end) of every layer."""
    return [(key[:, start:end], value[:, start:end]) for key, value in states]


def store_of(
    root: Path,
    layouts: Sequence[LayerLayout] = MIXED,
    kv_dtype: KVDtype = KVDtype.FLOAT32,
    *,
    identity: str = "weights-a",
    budget_bytes: int | None = None,
) -> SnapshotStore:
    return SnapshotStore(root, layouts=layouts, identity=identity, kv_dtype=kv_dtype, disk_budget_bytes=budget_bytes)


def append(snapshot: Snapshot, states: States, *, until: int, step: int = 100) -> None:
    """Commits `states` of the whole stream from where the snapshot ends, `step` tokens at a time."""
    while snapshot.num_tokens < until:
        start = snapshot.num_tokens
        end = min(start + step, until)
        snapshot.append(cut(states, start, end), end - start)


def readable_blocks(snapshot: Snapshot, layer: int) -> range:
    """Full blocks that the snapshot must still have: all, or those that the next token sees."""
    return range(snapshot.layouts[layer].first_kept(snapshot.num_tokens) // 64, snapshot.num_blocks)


def assert_holds(snapshot: Snapshot, states: States) -> None:
    """Blocks and tail of every layer equal `states`, to the bit; for exact dtypes."""
    at_blocks = snapshot.num_blocks * 64
    for layer, (key, value) in enumerate(states):
        blocks = readable_blocks(snapshot, layer)
        if blocks:
            indices = torch.arange(blocks.start, blocks.stop).flip(0)
            read_key, read_value = snapshot.blocks(layer, indices, device=CPU, dtype=key.dtype)
            tokens = (indices[:, None] * 64 + torch.arange(64)).flatten()
            assert torch.equal(read_key, key[:, tokens])
            assert torch.equal(read_value, value[:, tokens])
        tail_key, tail_value = snapshot.tail(layer, device=CPU, dtype=key.dtype)
        assert torch.equal(tail_key, key[:, at_blocks : snapshot.num_tokens])
        assert torch.equal(tail_value, value[:, at_blocks : snapshot.num_tokens])
