"""Attention of a pass's queries over what a layer shows: dense, or in parts whose results are merged.

Queries are the last S of the T positions shown, so causality needs no mask tensor from outside. All functions take and
return states without a batch dimension.
"""

import torch
import torch.nn.functional as F

from llm.runtime.tiled import attend_tiled


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    *,
    scaling: float,
    window: int | None = None,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """query (H, S, C), keys (K, T, C), values (K, T, C') -> (S, H, C'). Query i sees keys up to T - S + i.

    `window` limits it to the last `window` of these, itself included. `seen` (S, T), of several queries, says instead
    which they see: True at (i, j) where query i sees key j.
    """
    num_new, num_shown = query.shape[1], keys.shape[1]
    if num_new == 1 and window is not None and num_shown > window:
        keys, values, num_shown = keys[:, -window:], values[:, -window:], window
    is_windowed = window is not None and num_shown > window
    if query.device.type == "cpu":
        if num_new == 1:
            return attend_one(query, keys, values, scaling=scaling)
        if query.dtype == torch.bfloat16 and not is_windowed and seen is None:
            output = attend_tiled(query, keys, values, scaling=scaling)
            if output is not None:
                return output
    mask = seen if seen is not None or num_new == 1 else visible(num_new, num_shown, window, query.device)
    output = F.scaled_dot_product_attention(
        query[None], keys[None], values[None], attn_mask=mask, scale=scaling, enable_gqa=True
    )
    return output[0].transpose(0, 1)


def attend_one(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, scaling: float, num_seen: int | None = None
) -> torch.Tensor:
    """query (H, 1, C), keys (K, T, C), values (K, T, C') -> (1, H, C').

    `num_seen`: only the first so many are seen; the others must be finite. On a CPU a bfloat16 product with the keys on
    its left is 5 times faster than with the query there (docs/LOG.md). The larger score of the first and the last key
    is subtracted inside the product, before it is rounded.
    """
    end = keys.shape[1] if num_seen is None else num_seen
    queries = (query * scaling).view(len(keys), -1, query.shape[2]).transpose(1, 2)  # (K, C, H/K)
    shift = torch.bmm(keys[:, : end : max(1, end - 1)], queries).amax(1, keepdim=True)  # (K, 1, H/K)
    scores = torch.baddbmm(shift, keys, queries, beta=-1)  # (K, T, H/K)
    scores[:, end:] = -torch.inf
    return torch.bmm(scores.transpose(1, 2).softmax(-1), values).reshape(1, query.shape[0], -1)


def attend_part(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, scaling: float, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over some of the keys: (H, S, C') in float32, and log-sum-exp (H, S) to merge it by.

    `mask` (S, T): True at (i, j) means that query i sees key j.
    """
    heads, num_new, _ = query.shape
    grouped = query.float().unflatten(0, (keys.shape[0], -1)).flatten(1, 2)  # (K, H/K * S, C)
    scores = torch.bmm(grouped, keys.float().transpose(1, 2)) * scaling  # (K, H/K * S, T)
    scores = scores.reshape(heads, num_new, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    log_sum = scores.logsumexp(-1)  # (H, S)
    weights = (scores - log_sum.nan_to_num(neginf=0.0)[..., None]).exp()
    weights = weights.reshape(keys.shape[0], -1, keys.shape[1])
    output = torch.bmm(weights, values.float())  # (K, H/K * S, C')
    return output.reshape(heads, num_new, -1), log_sum


def merge(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two parts as one (Flash Attention, arXiv:2205.14135, section 3.1). A query that sees none of a part has -inf."""
    (out_a, log_a), (out_b, log_b) = first, second
    log_sum = torch.logaddexp(log_a, log_b)
    finite = log_sum.nan_to_num(neginf=0.0)
    share_a = (log_a - finite).exp()[..., None]
    share_b = (log_b - finite).exp()[..., None]
    return out_a * share_a + out_b * share_b, log_sum


def visible(num_new: int, num_shown: int, window: int | None, device: torch.device) -> torch.Tensor:
    """(S, T): True at (i, j) means that query i sees key j."""
    query_at = torch.arange(num_shown - num_new, num_shown, device=device)[:, None]
    key_at = torch.arange(num_shown, device=device)[None]
    seen = key_at <= query_at
    return seen if window is None else seen & (key_at > query_at - window)
