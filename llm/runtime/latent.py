"""Attention through compressed latents (MLA): all that is kept of a token is its latent and one rotary key.

Two ways give the same result. Expanded: keys and values are made from the latents, head by head; cheap a pair, dear a
token shown. Absorbed: the query goes into the latents' space and the answer comes back from it; cheap a token shown,
dear a pair (DeepSeek-V2, arXiv:2405.04434, section 2.1.2). `attend_latent` takes the one with fewer products.
Widths here: W latent, N the un-rotated part of a query, R the rotary part, V the values of one head.
"""

from dataclasses import dataclass

import torch

from llm.runtime.attention import attend, visible

_GROUP_NUMBERS = 2**26  # of scores or expanded states at a time: 256 MiB in float32


@dataclass(frozen=True, slots=True, eq=False)
class LatentExpansion:
    """What one layer's latents are expanded by."""

    keys: torch.Tensor  # (H, N, W)
    values: torch.Tensor  # (H, V, W)

    @classmethod
    def from_weight(cls, weight: torch.Tensor, *, key_width: int, value_width: int) -> "LatentExpansion":
        """weight (H * (N + V), W), a head's keys before its values, as in `kv_b_proj`. The parts are views."""
        heads = weight.view(-1, key_width + value_width, weight.shape[1])  # (H, N + V, W)
        return cls(heads[:, :key_width], heads[:, key_width:])

    def is_cheaper(self, num_new: int, num_shown: int) -> bool:
        """Whether expanding takes fewer products than absorbing; for DeepSeek-V3 from about 170 new tokens on."""
        width, per_token = self.keys.shape[2], self.keys.shape[1] + self.values.shape[1]
        saved_by_pairs = num_new * num_shown * (2 * width - per_token)
        return saved_by_pairs > (num_shown - num_new) * width * per_token

    def absorb(self, query: torch.Tensor) -> torch.Tensor:
        """query (H, S, N + R) -> (H, S, W): its un-rotated part in the latents' space."""
        return torch.bmm(query[..., : self.keys.shape[1]], self.keys)

    def heads(self, start: int, end: int) -> "LatentExpansion":
        """The part of heads [start, end), as views."""
        return LatentExpansion(self.keys[start:end], self.values[start:end])


def attend_latent(
    query: torch.Tensor,
    latents: torch.Tensor,
    rotary_keys: torch.Tensor,
    expansion: LatentExpansion,
    *,
    scaling: float,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """query (H, S, N + R) rotated, latents (1, T, W), rotary_keys (1, T, R) rotated -> (S, H, V).

    Query i sees tokens up to T - S + i; or, of several queries, those where `seen` (S, T) is True. Heads go in groups,
    so that memory stays bounded.
    """
    num_heads, num_new, width = query.shape
    num_shown = latents.shape[1]
    way = attend_expanded if expansion.is_cheaper(num_new, num_shown) else attend_absorbed
    per_head = num_shown * max(num_new, width + expansion.values.shape[1])
    step = max(1, _GROUP_NUMBERS // per_head)
    parts = [
        way(
            query[start : start + step],
            latents,
            rotary_keys,
            expansion.heads(start, start + step),
            scaling=scaling,
            seen=seen,
        )
        for start in range(0, num_heads, step)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def attend_expanded(
    query: torch.Tensor,
    latents: torch.Tensor,
    rotary_keys: torch.Tensor,
    expansion: LatentExpansion,
    *,
    scaling: float,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """Through keys and values of every head. Shapes as in `attend_latent`."""
    num_heads = len(query)
    keys = torch.matmul(latents, expansion.keys.transpose(1, 2))  # (H, T, N)
    keys = torch.cat((keys, rotary_keys.expand(num_heads, -1, -1)), -1)  # (H, T, N + R)
    values = torch.matmul(latents, expansion.values.transpose(1, 2))  # (H, T, V)
    return attend(query, keys, values, scaling=scaling, seen=seen)


def attend_absorbed(
    query: torch.Tensor,
    latents: torch.Tensor,
    rotary_keys: torch.Tensor,
    expansion: LatentExpansion,
    *,
    scaling: float,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """In the latents' own space. Shapes as in `attend_latent`."""
    num_new, num_shown = query.shape[1], latents.shape[1]
    key_width = expansion.keys.shape[1]
    turning = query[..., key_width:]  # (H, S, R)
    scores = expansion.absorb(query) @ latents[0].T + turning @ rotary_keys[0].T  # (H, S, T)
    scores = scores.float() * scaling
    if num_new > 1:
        seen = visible(num_new, num_shown, None, query.device) if seen is None else seen
        scores = scores.masked_fill(~seen, -torch.inf)
    mixed = scores.softmax(-1).to(query.dtype) @ latents[0]  # (H, S, W)
    return torch.bmm(mixed, expansion.values.transpose(1, 2)).transpose(0, 1)  # (S, H, V)
