"""Constrained decoding: which tokens may come next, so that the whole is one of some strings, or fits a JSON Schema.

llguidance keeps the state and masks the logits; it knows every way in which the tokenizer can spell a string. Longleaf
only says which strings there are, and brings an object that grows too long to its end.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from llm.backbone import Backbone
from llm.errors import BadQuestion


class Constraint:
    """The state of one constrained answer, from its first token on."""

    def __init__(self, strings: Sequence[str], backbone: Backbone) -> None:
        """`strings` are what the answer may be, whole. There is at least one."""
        assert strings, "a constraint without strings would allow nothing"
        self._begin(LLMatcher.grammar_from_lark(_grammar(strings)), backbone)

    def _begin(self, grammar: str, backbone: Backbone) -> None:
        self._matcher = LLMatcher(vocabulary_of(backbone), grammar)
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

    def ending(self, logits: torch.Tensor) -> torch.Tensor:
        """As `masked`, once the length limit is reached: bars what is not needed. Any string may go on to its end."""
        return self.masked(logits)

    def take(self, token: int) -> None:
        """The token was chosen."""
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        assert not self._matcher.is_error(), f"llguidance says: {self._matcher.get_error()}"


class SchemaConstraint(Constraint):
    """Compact JSON that fits a JSON Schema."""

    def __init__(self, schema: str, backbone: Backbone) -> None:
        """`schema` is JSON text. Raises BadQuestion for what is no schema, or one that llguidance does not know."""
        try:
            grammar = LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
            self._begin(grammar, backbone)
        except (ValueError, AssertionError) as error:
            reason = " ".join(str(error).split()).rstrip(".")[:200]
            raise BadQuestion(f"the JSON Schema cannot be kept to: {reason}; simplify it") from error
        self._marks = {mark: _token_of(mark, backbone.tokenizer) for mark in _MARKS}
        self._stop_ids = sorted(backbone.stop_ids)

    def ending(self, logits: torch.Tensor) -> torch.Tensor:
        """Ends strings, arrays and objects where they may end, and adds only what the schema demands."""
        masked = self.masked(logits)
        allowed = {mark for mark, token in self._marks.items() if masked[token] != -torch.inf}
        if any(masked[token] != -torch.inf for token in self._stop_ids):
            return only(self._stop_ids, masked)
        is_in_string = '"' in allowed and "a" in allowed
        order = ('"',) if is_in_string else ("}", "]", ",", ":", '"')
        mark = next((mark for mark in order if mark in allowed), None)
        return masked if mark is None else only([self._marks[mark]], masked)


_MARKS = ('"', "}", "]", ",", ":", "a")


def _token_of(mark: str, tokenizer: PreTrainedTokenizerBase) -> int:
    ids: list[int] = tokenizer(mark, add_special_tokens=False).input_ids
    return ids[-1]  # some tokenizers put a space's token before it


def only(tokens: Sequence[int], masked: torch.Tensor) -> torch.Tensor:
    """The logits (V,) of these tokens, and -inf for all others."""
    kept = torch.full_like(masked, -torch.inf)
    kept[list(tokens)] = masked[list(tokens)]
    return kept


def _grammar(strings: Sequence[str]) -> str:
    """In llguidance's Lark; JSON quotes a string as Lark does."""
    return "start: " + " | ".join(json.dumps(string, ensure_ascii=False) for string in strings)


def vocabulary_of(backbone: Backbone) -> LLTokenizer:
    """The model's tokens, as llguidance knows them."""
    vocab_size = int(backbone.model.config.get_text_config(decoder=True).vocab_size)
    return _tokens(backbone.tokenizer, vocab_size, tuple(sorted(backbone.stop_ids)))


@lru_cache(maxsize=2)
def _tokens(tokenizer: PreTrainedTokenizerBase, vocab_size: int, stop_ids: tuple[int, ...]) -> LLTokenizer:
    """Takes about a second, so it is kept."""
    assert isinstance(tokenizer, PreTrainedTokenizerFast), f"{type(tokenizer).__name__} has no fast tokenizer"
    return from_tokenizer(tokenizer, n_vocab=vocab_size, eos_token=list(stop_ids))
