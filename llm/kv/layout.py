"""What one layer keeps of a token: the shape of its keys and values, which part is rotated, and how far back it looks.

Read from a model's config by `llm.runtime.kinds`; the block store and the runtime see nothing else of the model.
"""

from dataclasses import dataclass
from enum import StrEnum

BLOCK_TOKENS = 64  # divides Llama 4's chunk of 8,192, so that no block straddles two chunks


class LayerKind(StrEnum):
    """How a layer looks back."""

    FULL = "full"  # at every token
    CHUNKED = "chunked"  # at the tokens of its own chunk of `reach` (Llama 4)
    SLIDING = "sliding"  # at the last `reach` tokens, itself included
    UNROTATED = "unrotated"  # at every token, without positions (NoPE)
    LATENT = "latent"  # at every token, through a compressed latent (MLA)
    POOLED = "pooled"  # at entries that pool several tokens each, of which a token has a share (DeepSeek-V4)
    INDEXED = "indexed"  # at the tokens that an indexer chooses, through a compressed latent (DSA)


@dataclass(frozen=True, slots=True)
class LayerLayout:
    """Keys (K, T, C) and values (K', T, C') of one layer. Keys are kept un-rotated.

    A latent layer keeps the normalised latent as its key (1, T, 512) and the un-rotated rotary key as its value
    (1, T, 64); an indexed one has its indexer's key before the latent (1, T, 128 + 512).
    """

    kind: LayerKind
    key_heads: int
    key_width: int
    value_heads: int
    value_width: int
    reach: int | None = None  # tokens that are kept; None: all

    @property
    def is_latent(self) -> bool:
        """Whether keys and values are expanded from what is kept."""
        return self.kind in (LayerKind.LATENT, LayerKind.INDEXED)

    @property
    def values_per_token(self) -> int:
        """Numbers that a token leaves in this layer."""
        return self.key_heads * self.key_width + self.value_heads * self.value_width

    def first_kept(self, num_tokens: int) -> int:
        """The first token that the token at position `num_tokens` still sees."""
        if self.reach is None:
            return 0
        if self.kind is LayerKind.CHUNKED:
            return num_tokens // self.reach * self.reach
        return max(0, num_tokens - self.reach + 1)
