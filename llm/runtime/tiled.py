"""Attention of many queries in bfloat16 on a CPU, out of plain products whose rounding does no harm.

torch's own kernel is the slow path there (docs/LOG.md). Here the query heads of a key head go through one product, a
block of queries at a time. A product in bfloat16 adds up in float32 and rounds at the end, so what is rounded must be
small where it counts: one further channel (minus the shift in the query, 1 in the key) lets the product itself subtract
a score near the row's maximum, and the exponential of what remains is taken in place. A further column of ones in the
values gives the row sums.

Any shift gives the same quotient (online softmax, arXiv:1805.02867); only rounding and overflow depend on it. The shift
is a score of the row, so its sum is at least 1; it overflows if another score is larger by 88, which is looked for.
"""

import math

import torch

_SAMPLES = 128  # keys that a shift is looked for in, at least
_ROWS = 512  # queries in a block at most: half a square of this size is computed for nothing
_SCORES = 8 << 20  # numbers in the scores of a block: 16 MiB


def attend_tiled(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, scaling: float
) -> torch.Tensor | None:
    """query (H, S, C), keys (K, T, C), values (K, T, C') -> (S, H, C'). Query i sees keys up to T - S + i.

    None if a sum overflowed.
    """
    (heads, num_new, width), (key_heads, num_shown, _) = query.shape, keys.shape
    group = heads // key_heads
    power = 2.0 ** round(math.log2(scaling))  # exact in bfloat16; the rest waits until the shift is subtracted
    queries = _shifted((query * power).view(key_heads, group, num_new, width).transpose(1, 2), keys)
    rows = _even(num_new, min(_ROWS, max(1, _SCORES // (group * num_shown))))
    scratch = query.new_empty(rows * group * num_shown)
    seen = torch.ones((rows, rows), dtype=query.dtype).tril_()  # 1 where a query of a block sees one of its keys
    output = query.new_empty((num_new, key_heads, group, values.shape[2]))
    totals = query.new_empty((num_new, key_heads, group, 1))
    padded = keys.new_ones((num_shown, width + 2))
    for head, own_queries in enumerate(queries):
        padded[:, :width] = keys[head]
        for start in range(0, num_new, rows):
            block = own_queries[start : start + rows]  # (R, H/K, C+2)
            num_seen = num_shown - num_new + start + len(block)
            weights = _weights(block, padded[:num_seen], scaling / power, seen, scratch)  # (R * H/K, T)
            mixed = torch.mm(weights, values[head, :num_seen]).view(len(block), group, -1)
            total = totals[start : start + rows, head] = weights.sum(1).view(len(block), group, 1)
            torch.div(mixed, total, out=output[start : start + rows, head])
    return output.flatten(1, 2) if bool(totals.isfinite().all()) else None


def _even(total: int, at_most: int) -> int:
    """The size of equal blocks that make up `total`."""
    return math.ceil(total / math.ceil(total / at_most))


def _shifted(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """queries (K, S, H/K, C), keys (K, T, C) -> (K, S, H/K, C+2).

    The shift is the largest score of a query's own key and a sample of those before it. The very first key, which many
    heads look at most, is in the sample. Products in bfloat16 like an even number of channels: the last is 0.
    """
    (key_heads, num_new, group, width), num_shown = queries.shape, keys.shape[1]
    step = max(1, num_shown // _SAMPLES)
    sampled = torch.bmm(queries.reshape(key_heads, -1, width), keys[:, ::step].transpose(1, 2))
    sampled = sampled.view(key_heads, num_new, group, -1)  # (K, S, H/K, T/step)
    query_at = torch.arange(num_shown - num_new, num_shown)[:, None, None]
    sampled.masked_fill_(torch.arange(0, num_shown, step) > query_at, -torch.inf)
    own = (queries * keys[:, -num_new:, None]).sum(-1)
    shift = torch.maximum(own, sampled.amax(-1))[..., None]
    return torch.cat((queries, -shift, torch.zeros_like(shift)), -1)


def _weights(
    block: torch.Tensor, keys: torch.Tensor, rest: float, seen: torch.Tensor, scratch: torch.Tensor
) -> torch.Tensor:
    """block (R, H/K, C+2), keys (T, C+2) of which the last R are the block's own -> (R * H/K, T), in `scratch`."""
    rows, group, width = block.shape
    weights = scratch[: rows * group * len(keys)].view(rows * group, len(keys))
    torch.mm(block.view(-1, width), keys.t(), out=weights)
    if rest != 1:
        weights *= rest
    weights.exp_()
    weights.view(rows, group, -1)[..., -rows:].mul_(seen[:rows, None, :rows])
    return weights
