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

_SAMPLES = 128  # keys that a shift is looked for in
_ROWS = 512  # queries in a block at most: half a square of this size is computed for nothing
_SCORES = 8 << 20  # numbers in the scores of a block: 16 MiB
_STEP, _STEP_BEHIND = 16, 64  # lengths are rounded up: oneDNN compiles and keeps a product for each (docs/LOG.md)
_UNSEEN = -30_000.0  # a score whose exponential is 0


def attend_tiled(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, scaling: float
) -> torch.Tensor | None:
    """query (H, S, C), keys (K, T, C), values (K, T, C') -> (S, H, C'). Query i sees keys up to T - S + i.

    None if a sum overflowed.
    """
    (heads, num_new, width), (key_heads, num_shown, _) = query.shape, keys.shape
    group = heads // key_heads
    num_behind = num_shown - num_new
    many, behind = rounded_up(num_new, _STEP), rounded_up(num_behind, _STEP_BEHIND)
    total = behind + many  # the first keys, a void, the queries' own keys, a void
    real = ((slice(0, num_behind), slice(0, num_behind)), (slice(behind, behind + num_new), slice(num_behind, None)))
    power = 2.0 ** round(math.log2(scaling))  # exact in bfloat16; the rest waits until the shift is subtracted
    queries = _shifted((query * power).view(key_heads, group, num_new, width).transpose(1, 2), keys, many)
    rows = _even(many, min(_ROWS, max(1, _SCORES // (group * total))))
    scratch = query.new_empty(rows * group * total)
    seen = torch.ones((rows, rows), dtype=query.dtype).tril_()  # 1 where a query of a block sees one of its keys
    output = query.new_empty((many, key_heads, group, values.shape[2]))
    totals = query.new_empty((many, key_heads, group, 1))
    own_keys, own_values = keys.new_zeros((total, width + 2)), values.new_zeros((total, values.shape[2]))
    own_keys[:, width] = 1
    own_keys[:, width + 1] = _UNSEEN
    for place, _ in real:
        own_keys[place, width + 1] = 0
    for head, own_queries in enumerate(queries):
        for place, source in real:
            own_keys[place, :width], own_values[place] = keys[head, source], values[head, source]
        for start in range(0, many, rows):
            block = own_queries[start : start + rows]  # (R, H/K, C+2)
            num_seen = behind + start + len(block)
            weights = _weights(block, own_keys[:num_seen], scaling / power, seen, scratch)  # (R * H/K, T)
            mixed = torch.mm(weights, own_values[:num_seen]).view(len(block), group, -1)
            sums = totals[start : start + rows, head] = weights.sum(1).view(len(block), group, 1)
            torch.div(mixed, sums, out=output[start : start + rows, head])
    return output[:num_new].flatten(1, 2) if bool(totals[:num_new].isfinite().all()) else None


def rounded_up(length: int, step: int) -> int:
    """The next whole number of steps."""
    return -(-length // step) * step


def _even(total: int, at_most: int) -> int:
    """The size of equal blocks that make up `total`."""
    return math.ceil(total / math.ceil(total / at_most))


def _shifted(queries: torch.Tensor, keys: torch.Tensor, many: int) -> torch.Tensor:
    """queries (K, S, H/K, C), keys (K, T, C) -> (K, `many`, H/K, C+2), zero behind the queries.

    The shift is the largest score of a query's own key and a sample of those before it. The very first key, which many
    heads look at most, is in the sample. The last channel lets a key say that nobody sees it.
    """
    (key_heads, num_new, group, width), num_shown = queries.shape, keys.shape[1]
    key_at = torch.arange(_SAMPLES) * num_shown // _SAMPLES  # some more than once, if there are fewer
    ready = queries.new_zeros((key_heads, many, group, width + 2))
    ready[:, :num_new, :, :width] = queries
    ready[..., width + 1] = 1
    sampled = torch.bmm(ready[..., :width].reshape(key_heads, -1, width), keys[:, key_at].transpose(1, 2))
    sampled = sampled.view(key_heads, many, group, -1)[:, :num_new]  # (K, S, H/K, 128)
    query_at = torch.arange(num_shown - num_new, num_shown)[:, None, None]
    sampled.masked_fill_(key_at > query_at, -torch.inf)
    own = (queries * keys[:, -num_new:, None]).sum(-1)
    ready[:, :num_new, :, width] = -torch.maximum(own, sampled.amax(-1))
    return ready


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
