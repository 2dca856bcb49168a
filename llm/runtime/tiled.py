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

_SCORES = 8 << 20  # numbers in the scores of a block: 16 MiB, which a server's last cache level holds
_SAMPLES = 128  # keys that a shift is looked for in, at least
_ROWS = 512  # queries in a block at most: half a square of this size is computed for nothing


def attend_tiled(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, scaling: float
) -> torch.Tensor | None:
    """query (H, S, C), keys (K, T, C), values (K, T, C') -> (S, H, C'). Query i sees keys up to T - S + i.

    None if a sum overflowed.
    """
    num_new, num_shown, width = query.shape[1], *values.shape[1:]
    power = 2.0 ** round(math.log2(scaling))  # exact in bfloat16; the rest waits until the shift is subtracted
    grouped = (query * power).reshape(len(keys), -1, *query.shape[1:])  # (K, H/K, S, C)
    shift = _shift(grouped, keys)  # (K, H/K, S, 1)
    queries = torch.cat((grouped, -shift, torch.zeros_like(shift)), -1)  # (K, H/K, S, C+2)
    per_row = grouped.shape[1] * num_shown
    rows = _even(num_new, min(_ROWS, max(1, _SCORES // per_row)))
    scratch = query.new_empty(rows * per_row)
    output = query.new_empty((num_new, *grouped.shape[:2], width))
    totals = query.new_empty((num_new, *grouped.shape[:2], 1), dtype=torch.float32)
    for head, (own_keys, own_values) in enumerate(zip(_with_ones(keys), _with_ones(values), strict=True)):
        for start in range(0, num_new, rows):
            block = queries[head, :, start : start + rows]  # (H/K, R, C+2)
            seen = num_shown - num_new + start + block.shape[1]
            sums = _sums(block, own_keys[:seen], own_values[:seen], scaling / power, scratch)  # (R, H/K, C'+2)
            total = totals[start : start + rows, head] = sums[..., width : width + 1]
            torch.div(sums[..., :width], total, out=output[start : start + rows, head])
    return output.flatten(1, 2) if bool(totals.isfinite().all()) else None


def _even(total: int, at_most: int) -> int:
    """The size of equal blocks that make up `total`."""
    return math.ceil(total / math.ceil(total / at_most))


def _shift(grouped: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """grouped (K, H/K, S, C) -> (K, H/K, S, 1): the largest score of a query's own key and a sample of those before it.

    The very first key, which many heads look at most, is in the sample.
    """
    num_new, num_shown = grouped.shape[2], keys.shape[1]
    step = max(1, num_shown // _SAMPLES)
    sampled = grouped @ keys[:, None, ::step].transpose(2, 3)  # (K, H/K, S, T/step)
    query_at = torch.arange(num_shown - num_new, num_shown)[:, None]
    sampled.masked_fill_(torch.arange(0, num_shown, step) > query_at, -torch.inf)
    own = (grouped * keys[:, None, -num_new:]).sum(-1, keepdim=True)
    return torch.maximum(own, sampled.amax(-1, keepdim=True))


def _with_ones(states: torch.Tensor) -> torch.Tensor:
    """(K, T, C) -> (K, T, C+2): products in bfloat16 like an even number of channels."""
    padded = states.new_empty((*states.shape[:2], states.shape[2] + 2))
    padded[..., :-2], padded[..., -2:] = states, 1
    return padded


def _sums(
    block: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, rest: float, scratch: torch.Tensor
) -> torch.Tensor:
    """block (H/K, R, C+2), keys (T, C+2), values (T, C'+2) -> (R, H/K, C'+2), in the end sums of weights."""
    num_new, num_shown = block.shape[1], len(keys)
    weights = scratch[: block.shape[0] * num_new * num_shown].view(-1, num_shown)  # (R * H/K, T)
    torch.mm(block.transpose(0, 1).flatten(0, 1), keys.t(), out=weights)
    if rest != 1:
        weights *= rest
    weights.exp_()
    newest = weights.view(num_new, -1, num_shown)[..., -num_new:]  # (R, H/K, R)
    newest *= torch.ones((num_new, num_new), dtype=weights.dtype).tril_()[:, None]
    return torch.mm(weights, values).view(num_new, -1, values.shape[1])
