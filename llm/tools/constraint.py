"""Decoding where a model may call a tool: a call that is begun is brought to its end, in the form of its template.

Free text stays free. A call begins with the token that opens one, which text cannot spell, or, where a template has no
such token, with the very first characters of a turn; never within thinking, nor in what is quoted later on. From there
on llguidance bars every token that would not make it a call of a known tool with values of their types.
"""

import json
import re
from collections.abc import Sequence

import torch
from llguidance import LLMatcher
from tokenizers.decoders import DecodeStream

from llm.backbone import Backbone
from llm.structured.constraint import Constraint, only, vocabulary_of
from llm.thinking import CLOSE, OPEN
from llm.tools.definitions import ToolCall
from llm.tools.forms import CallForm, CallSyntax, Hole, Piece

_MAX_CHARS, _MAX_DIGITS = 300, 6  # of a value
_JSON_CHAR = r'([^"\\\x00-\x1F]|\\["\\\/bfnrt])'


class CallConstraint(Constraint):
    """The state of one turn, from its first token on."""

    def __init__(self, syntax: CallSyntax, backbone: Backbone, *, opens_thinking: bool, may_call: bool) -> None:
        """`opens_thinking`: the prompt did. `may_call`: else the token that opens a call is barred."""
        self._syntax, self._backbone = syntax, backbone
        self._opens_thinking, self._may_call = opens_thinking, may_call
        self._stream, self._text = DecodeStream(skip_special_tokens=False), ""
        self._begun: bytes | None = None  # the call as far as it is written
        self._tokens = vocabulary_of(backbone)
        self._added = {str(token): number for number, token in backbone.tokenizer.added_tokens_decoder.items()}
        self._spelled = {number: text.encode() for text, number in self._added.items()}

    @property
    def call(self) -> ToolCall | None:
        """What was called."""
        return None if self._begun is None else self._syntax.parsed(self._begun.decode(errors="replace"))

    @property
    def is_over(self) -> bool:
        return self._begun is not None and super().is_over

    def masked(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits (V,), with -inf where a token may not come next."""
        if self._begun is not None:
            return super().masked(logits)
        if self._may_call or self._syntax.opening is None:
            return logits
        barred = logits.clone()
        barred[self._syntax.opening] = -torch.inf
        return barred

    def ending(self, logits: torch.Tensor) -> torch.Tensor:
        """Once the length limit is reached: ends the turn, or a value of the call and then the call."""
        masked = self.masked(logits)
        if self._begun is None:
            return only(sorted(self._backbone.stop_ids), masked)
        for is_number in (False, True):
            if closing := [token for token in self._closing(is_number) if masked[token] != -torch.inf]:
                return only(closing, masked)
        return masked

    def take(self, token: int) -> None:
        """The token was chosen."""
        if self._begun is not None:
            super().take(token)
            self._begun += self._bytes_of(token)
            return
        self._text += self._stream.step(self._backbone.tokenizer.backend_tokenizer, token) or ""
        if self._may_call and (answer := self._answer) is not None:
            if token == self._syntax.opening:
                self._begun = self._bytes_of(token)
                forms = [_without(form, self._begun.decode()) for form in self._syntax.forms]
                self._begin(self._grammar(forms), self._backbone)
            else:
                self._begin_plainly(answer.lstrip())

    def _bytes_of(self, token: int) -> bytes:
        """As the grammar reads it; a decoder may add blanks between tokens, or turn other characters into them."""
        return self._spelled.get(token) or self._tokens.decode_bytes([token])

    @property
    def _answer(self) -> str | None:
        """What was written so far, without thinking; None while that lasts."""
        if not (self._opens_thinking or self._text.lstrip().startswith(OPEN)):
            return self._text
        _, is_over, answer = self._text.partition(CLOSE)
        return answer if is_over else None

    def _begin_plainly(self, begun: str) -> None:
        """Begins a call with which the turn begins, if it is clear by now which tool it is."""
        forms = [form for form in self._syntax.plain_forms if begun.startswith(_named(form))]
        if not forms:
            return
        named = _named(forms[0])
        self._begin(self._grammar([_without(form, named) for form in forms]), self._backbone)
        more = self._tokens.greedy_tokenize(begun.removeprefix(named))
        if self._matcher.try_consume_tokens(more) == len(more):
            self._begun = begun.encode()
        else:  # it goes on as no call does
            self._may_call = False

    def _grammar(self, forms: Sequence[CallForm]) -> str:
        """In llguidance's Lark."""
        alternatives = dict.fromkeys(self._rule(form) for form in forms)
        return LLMatcher.grammar_from_lark("start: " + " | ".join(alternatives))

    def _rule(self, form: CallForm) -> str:
        followed_by = (*form.pieces[1:], "")
        parts = [
            part
            for piece, following in zip(form.pieces, followed_by, strict=True)
            for part in (self._literal(piece) if isinstance(piece, str) else [self._value(piece, following)])
        ]
        return " ".join(parts) or '""'

    def _literal(self, text: str) -> list[str]:
        """Tokens that text cannot spell go by their number."""
        special = [one for one, number in self._added.items() if self._tokens.is_special_token(number)]
        pattern = "|".join(map(re.escape, sorted(special, key=len, reverse=True)))
        parts = re.split(f"({pattern})", text) if special else [text]
        return [
            f"<[{self._added[part]}]>" if part in special else json.dumps(part, ensure_ascii=False)
            for part in parts
            if part
        ]

    def _value(self, hole: Hole, following: Piece) -> str:
        if hole.is_number:
            return f"/[1-9][0-9]{{0,{_MAX_DIGITS - 1}}}/"
        if hole.is_json:
            return f"/{_JSON_CHAR}{{1,{_MAX_CHARS}}}/"
        end = following[0] if isinstance(following, str) and following else "\n"
        barred = f"\\x{ord(end):02X}" if end.isascii() else end
        return f"/[^{barred}\\n]{{1,{_MAX_CHARS}}}/"

    def _closing(self, is_number: bool) -> set[int]:
        """Tokens with which a number, or a text, ends. Those of numbers may stand within a text."""
        behind = {
            piece
            for form in self._syntax.forms
            for value, piece in zip(form.pieces, form.pieces[1:], strict=False)
            if isinstance(value, Hole) and value.is_number == is_number and isinstance(piece, str)
        }
        return {self._first_token(text) for text in behind}

    def _first_token(self, text: str) -> int:
        """The shortest one that a text can begin with."""
        special = next((number for one, number in self._added.items() if text.startswith(one)), None)
        encoded = self._backbone.tokenizer(text[0], add_special_tokens=False).input_ids
        return encoded[-1] if special is None else special  # some tokenizers put a blank's token before it


def _named(form: CallForm) -> str:
    """The beginning of a call, from which on it is clear what is called."""
    return form.opening[: form.opening.index(form.tool) + len(form.tool) + 1]


def _without(form: CallForm, begun: str) -> CallForm:
    """What is left of a call of which so much is written."""
    left = form.opening.removeprefix(begun)
    return CallForm(form.tool, tuple(piece for piece in (left, *form.pieces[1:]) if piece))
