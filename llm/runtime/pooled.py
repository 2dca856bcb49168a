"""What DeepSeek-V4 keeps of a stream, as states of its tokens, which the block store can hold; and back again.

A layer sees a window of recent tokens, and beyond it entries that pool 4 or 128 tokens each (`compress_rates`). The
model keeps the window, all entries, and of the tokens that no entry pools yet what an entry is made of; a layer that
chooses among its entries has an indexer with smaller entries of its own, and its windows overlap by one.

A layer of the model is two layers of the store. In the one, limited by a reach, each token has its state in the window,
what the entries are made of, and the latest entries. In the other, which lasts, each token has a share of the entries
before its own window: entry w is laid out over the tokens of window w + 1, so that a share is known when its token
comes, and the shares side by side are the entries. Where no token has come for a share, the latest entry has it.

Owns this correspondence alone. Pooling, positions and attention are transformers' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llm.kv.layout import LayerKind, LayerLayout

_POOLED = ("compressed_sparse_attention", "heavily_compressed_attention")
_SPARSE = _POOLED[0]


@dataclass(frozen=True, slots=True)
class Pool:
    """One series of entries of a layer: those that are attended to, or those of the layer's indexer."""

    name: str  # transformers' name of it
    width: int  # of an entry
    overlaps: bool  # whether an entry is made of the window before its own, too

    @property
    def raw_width(self) -> int:
        """Of what a token gives to entries, and of the gate beside it."""
        return self.width * (2 if self.overlaps else 1)


@dataclass(frozen=True, slots=True)
class PooledLayer:
    """One layer of the model."""

    window: int  # tokens, itself included
    width: int  # of a state in the window
    every: int  # tokens that an entry pools; 0: it has no entries
    pools: tuple[Pool, ...]

    @property
    def recent_width(self) -> int:
        return self.width + sum(pool.width + 2 * pool.raw_width for pool in self.pools)

    @property
    def share_width(self) -> int:
        return sum(pool.width // self.every for pool in self.pools)

    def parts(self, recent: torch.Tensor) -> tuple[torch.Tensor, dict[str, tuple[torch.Tensor, ...]]]:
        """recent (T, N) -> states in the window (T, C), and by pool: latest entry, raw states and raw gates."""
        widths = [self.width, *(width for pool in self.pools for width in (pool.width, *[pool.raw_width] * 2))]
        states, *others = recent.split(widths, -1)
        return states, {pool.name: tuple(others[3 * at : 3 * at + 3]) for at, pool in enumerate(self.pools)}


def pooled_layers(text: Any) -> tuple[PooledLayer, ...]:
    """All layers of a model of this config."""
    layers = []
    for kind in text.layer_types:
        pools: tuple[Pool, ...] = ()
        if kind in _POOLED:
            pools = (Pool("compressor", text.head_dim, kind == _SPARSE),)
        if kind == _SPARSE:
            pools += (Pool("indexer", text.index_head_dim, True),)
        layers.append(PooledLayer(text.sliding_window, text.head_dim, text.compress_rates.get(kind, 0), pools))
    return tuple(layers)


def pooled_layouts(layers: Sequence[PooledLayer]) -> tuple[LayerLayout, ...] | None:
    """The store's layers, in the order of `states_of`; None if the numbers do not divide."""
    if any(pool.width % layer.every for layer in layers for pool in layer.pools):
        return None
    reach = max(max(layer.window, 2 * layer.every if len(layer.pools) > 1 else layer.every) for layer in layers)
    layouts = []
    for layer in layers:
        layouts.append(_halved(LayerKind.SLIDING, layer.recent_width, reach))
        if layer.pools:
            layouts.append(_halved(LayerKind.POOLED, layer.share_width, None))
    return None if any(layout.key_width != layout.value_width for layout in layouts) else tuple(layouts)


def states_of(
    layer: PooledLayer, cached: Any, raw: dict[str, tuple[torch.Tensor, torch.Tensor]], start: int, end: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What tokens [start, end) leave in the store's layers, each halved into a key and a value (1, S, N/2).

    `cached` is transformers' cache of the layer after them; `raw` has by pool what they gave to entries, and the gates.
    What no later token needs is left 0.
    """
    num_new = end - start
    window = cached.keys[0, 0, -num_new:]  # (T, C), T <= S
    recent = window.new_zeros((num_new, layer.recent_width))
    states, parts = layer.parts(recent)
    states[num_new - len(window) :] = window
    shares = []
    for pool in layer.pools:
        latest, raw_states, raw_gates = parts[pool.name]
        raw_states[:], raw_gates[:] = raw[pool.name]
        entries = cached.compressed_kv[pool.name][0]  # (E, C)
        if len(entries):
            latest[:] = entries[-1]
        shares.append(_shares(entries, layer.every, start, end))
    return [_in_halves(recent), *([_in_halves(torch.cat(shares, -1))] if shares else [])]


def restore(
    cached: Any,
    layer: PooledLayer,
    biases: dict[str, torch.Tensor],
    recent: torch.Tensor,
    shares: torch.Tensor,
    end: int,
) -> None:
    """Fills transformers' cache of a layer as it was after `end` tokens, at least one.

    recent (T, N) of the last tokens, shares (end, N') of all; `biases` has by pool what is added to its gates.
    """
    states, parts = layer.parts(recent)
    window = states[None, None, -layer.window + 1 :]
    cached.lazy_initialization(window, window)
    cached.keys = cached.values = window.clone()
    cached.cumulative_length = end
    done = 0
    for pool in layer.pools:
        count, waiting = divmod(end, layer.every)
        share = pool.width // layer.every
        latest, *raw = parts[pool.name]
        cached.buffer_kv[pool.name], cached.buffer_gate[pool.name] = (
            part[None, len(part) - waiting :].clone() for part in raw
        )
        laid_out = shares[layer.every : count * layer.every, done : done + share].reshape(max(0, count - 1), pool.width)
        done += share
        entries = torch.cat((laid_out, latest[-1:])) if count else laid_out
        cached.compressed_kv[pool.name], cached.entry_count[pool.name] = entries[None], count
        if pool.overlaps and count:
            last = slice(len(recent) - waiting - layer.every, len(recent) - waiting)
            own, gate = raw[0][last, : pool.width], (raw[1][last] + biases[pool.name])[:, : pool.width]
            cached.overlap_kv[pool.name], cached.overlap_gate[pool.name] = own[None].clone(), gate[None]


def _shares(entries: torch.Tensor, every: int, start: int, end: int) -> torch.Tensor:
    """entries (E, C) -> (end - start, C / every): each token's share of the entry before its window, or 0."""
    first, last = start // every, (end - 1) // every
    before = entries[max(0, first - 1) : last]
    if first == 0:
        before = torch.cat((entries.new_zeros((1, entries.shape[1])), before))
    return before.reshape(-1, entries.shape[1] // every)[start - first * every : end - first * every]


def _halved(kind: LayerKind, width: int, reach: int | None) -> LayerLayout:
    return LayerLayout(kind, 1, width // 2, 1, width - width // 2, reach)


def _in_halves(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(S, N) -> (1, S, N/2) twice."""
    key, value = states[None].chunk(2, -1)
    return key, value
