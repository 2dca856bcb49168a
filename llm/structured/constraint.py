"""Constrained decoding: which tokens may come next, so that the whole is one of some strings.

llguidance keeps the state and masks the logits; it knows every way in which the tokenizer can spell a string. Longleaf
only says which strings there are.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from llm.backbone import Backbone


class Constraint:
    """The state of one constrained answer, from its first token on."""

    def __init__(self, strings: Sequence[str], backbone: Backbone) -> None:
        """`strings` are what the answer may be, whole. There is at least one."""
        assert strings, "a constraint without strings would allow nothing"
        vocab_size = int(backbone.model.config.get_text_config(decoder=True).vocab_size)
        tokens = _tokens(backbone.tokenizer, vocab_size, tuple(sorted(backbone.stop_ids)))
        self._matcher = LLMatcher(tokens, LLMatcher.grammar_from_lark(_grammar(strings)))
        self._check()

    @property
    def is_over(self) -> bool:
        """Whether nothing may follow any more."""
        return self._matcher.is_stopped()

    def masked(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits (V,), with -inf where a token may not come next."""
        allowed = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        self._check()
        barred = torch.ones(len(logits), dtype=torch.bool)
        barred[: len(allowed)] = allowed[: len(logits)] == 0
        return logits.masked_fill(barred.to(logits.device), -torch.inf)

    def take(self, token: int) -> None:
        """The token was chosen."""
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        assert not self._matcher.is_error(), f"llguidance says: {self._matcher.get_error()}"


def _grammar(strings: Sequence[str]) -> str:
    """In llguidance's Lark; JSON quotes a string as Lark does."""
    return "start: " + " | ".join(json.dumps(string, ensure_ascii=False) for string in strings)


@lru_cache(maxsize=2)
def _tokens(tokenizer: PreTrainedTokenizerBase, vocab_size: int, stop_ids: tuple[int, ...]) -> LLTokenizer:
    """Takes about a second, so it is kept."""
    assert isinstance(tokenizer, PreTrainedTokenizerFast), f"{type(tokenizer).__name__} has no fast tokenizer"
    return from_tokenizer(tokenizer, n_vocab=vocab_size, eos_token=list(stop_ids))
