"""How a model writes a call of a tool, read off its own chat template: there is no table of families.

Every call that can be made is rendered by the template as an assistant's message, with marks where values stand. What
is around the marks is the form of that call; what stands between a call and the next turn is how a result is given
back. Text of documents, questions and results is encoded with special tokens switched off, as `llm.prompt` does it.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from llm.errors import ModelNotFound
from llm.prompt import INSTRUCTION, NEXT_QUESTION, REFUSING, Prompt
from llm.thinking import CLOSE, OPEN
from llm.tokens import Tokens
from llm.tools.definitions import HINT, TOOLS, ToolCall

# A quote in a mark shows whether the template escapes what stands there, as in JSON.
_DOCUMENT, _QUESTION, _RESULT = '\u241e"document\u241e', '\u241e"question\u241e', '\u241e"result\u241e'
_NUMBER = 7_340_001  # and those after it: marks of whole numbers
# Some templates want arguments as an object and others as JSON text; some take no other ids than of nine letters and
# digits, and some write the id in the name's place, as Moonshot's do.
_WAYS = tuple(product((False, True), ("functions.{}:0", "call00001")))
_WRONG = (TemplateError, TypeError, ValueError, KeyError)  # a template says in these what it does not take


@dataclass(frozen=True, slots=True)
class Hole:
    """Where a call has the value of a parameter."""

    parameter: str
    is_number: bool
    is_json: bool  # its text is escaped as in a JSON string


Piece = str | Hole


@dataclass(frozen=True)
class CallForm:
    """A call of one tool with certain parameters, from its first character to its last."""

    tool: str
    pieces: tuple[Piece, ...]

    @property
    def opening(self) -> str:
        """Up to the first value."""
        first = self.pieces[0]
        assert isinstance(first, str), "the tool's name stands before its values"
        return first

    def parsed(self, text: str) -> ToolCall | None:
        """The call that a text is, if it is one of this form."""
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        holes = [piece for piece in self.pieces if isinstance(piece, Hole)]
        values = {hole.parameter: _value(hole, found) for hole, found in zip(holes, match.groups(), strict=True)}
        return ToolCall(name=self.tool, arguments=json.dumps(values, ensure_ascii=False))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = (re.escape(piece) if isinstance(piece, str) else _pattern_of(piece) for piece in self.pieces)
        return re.compile("".join(parts), re.DOTALL)


def _pattern_of(hole: Hole) -> str:
    if hole.is_number:
        return r"(\d+)"
    return r'((?:[^"\\]|\\.)*)' if hole.is_json else "(.+?)"


def _value(hole: Hole, found: str) -> str | int:
    if hole.is_number:
        return int(found)
    return str(json.loads(f'"{found}"')) if hole.is_json else found


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """The calls of one model, and its prompt when it may make them."""

    forms: tuple[CallForm, ...]
    opening: int | None  # the token that opens a call, where that is one which text cannot spell
    plain_forms: tuple[CallForm, ...]  # of calls that a turn may begin with, without such a token
    _prompt: Prompt
    _around: tuple[list[int], ...]  # before the documents, behind them, behind the question
    _results: Mapping[str, "_Result"]  # of each tool
    _opens_thinking: tuple[bool, bool]  # whether prompt and result end within the model's thinking

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, prompt: Prompt, stop_ids: Collection[int], name: str
    ) -> "CallSyntax":
        """Raises ModelNotFound where the chat template writes no calls, or some that are not understood."""
        if not tokenizer.chat_template:
            raise _refusal(name, "it has no chat template")
        stops = tokenizer.convert_ids_to_tokens(sorted(stop_ids))
        why = "its chat template writes no calls of tools"
        for arguments_as_text, call_id in _WAYS:
            template = _Template(tokenizer, arguments_as_text, call_id)
            try:
                return _derived(template, prompt, stops)
            except _NotUnderstood as error:
                why = str(error)
            except _WRONG:
                continue
        raise _refusal(name, why)

    def prompt_ids(self, documents: Tokens, question: str) -> Tokens:
        """What stands before the model's first turn; `documents` are those passages that it is shown."""
        before, between, after = self._around
        return Tokens.joined((before, documents, between, self._prompt.encode(question.strip()), after))

    def result_ids(self, call: ToolCall, result: str) -> list[int]:
        """What stands between a call and the model's next turn."""
        around = self._results[call.name]
        text = json.dumps(result, ensure_ascii=False)[1:-1] if around.is_json else result
        return [*around.before, *self._prompt.encode(text), *around.after]

    def opens_thinking(self, *, has_called: bool) -> bool:
        """Whether a turn begins within the model's thinking."""
        return self._opens_thinking[has_called]

    def parsed(self, text: str) -> ToolCall | None:
        """The call that a text is, from its first character to its last."""
        return next((call for form in (*self.forms, *self.plain_forms) if (call := form.parsed(text))), None)


@dataclass(frozen=True, slots=True)
class _Result:
    """What stands around the result of a call, and whether the result is escaped as in a JSON string."""

    before: list[int]
    after: list[int]
    is_json: bool


class _NotUnderstood(Exception):
    """Why a template's calls are of no use, in one phrase."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A tokenizer's chat template, given calls in one of the ways that templates want them."""

    tokenizer: PreTrainedTokenizerBase
    arguments_as_text: bool
    call_id: str

    def prompt(self, content: str) -> str:
        """A user's message, and the beginning of the model's turn."""
        return self._render([{"role": "user", "content": content}], add_generation_prompt=True)

    def called(self, content: str, tool: str, arguments: Mapping[str, Any], *, with_result: bool) -> str:
        """The same, and a call; or a call, its result and the beginning of the model's next turn."""
        written = json.dumps(arguments, ensure_ascii=False) if self.arguments_as_text else dict(arguments)
        call_id = self.call_id.format(tool)
        call = {"id": call_id, "type": "function", "function": {"name": tool, "arguments": written}}
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": content}, {"role": "assistant", "content": "", "tool_calls": [call]}
        ]  # fmt: skip
        if with_result:
            messages.append({"role": "tool", "tool_call_id": call_id, "name": tool, "content": _RESULT})
        text = self._render(messages, add_generation_prompt=with_result)
        if arguments and not self.arguments_as_text and repr(dict(arguments)) in text:
            raise _NotUnderstood("its chat template writes arguments as Python does")
        return text

    def _render(self, messages: list[dict[str, Any]], *, add_generation_prompt: bool) -> str:
        rendered = self.tokenizer.apply_chat_template(
            messages, tools=list(TOOLS), tokenize=False, add_generation_prompt=add_generation_prompt
        )
        assert isinstance(rendered, str), "apply_chat_template(tokenize=False) gives text"
        return rendered

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)


def _derived(template: _Template, prompt: Prompt, stops: Sequence[str]) -> CallSyntax:
    """Raises _NotUnderstood, or what a template raises."""
    content = f"{INSTRUCTION} {REFUSING}\n\nDocument:\n{_DOCUMENT}{HINT}{NEXT_QUESTION} {_QUESTION}"
    forms, results, ends_thinking = [], {}, False
    for tool, arguments in _all_calls():
        call, behind = _call(template, content, tool, arguments, stops)
        forms.append(CallForm(tool, _pieces(call, tool, arguments)))
        results[tool], ends_thinking = _result(template, behind), behind.rstrip().endswith(OPEN)
    asked = template.prompt(content)
    if not all(tool["function"]["description"] in asked for tool in TOOLS):
        asked = template.prompt(f"{_definitions(forms)}\n\n{content}")
    around = re.split(f"{re.escape(_DOCUMENT)}|{re.escape(_QUESTION)}", asked)
    if len(around) != 3:
        raise _NotUnderstood("its chat template does not show a user's message once and as it is")
    opening, plain_forms = _openings(template.tokenizer, forms)
    return CallSyntax(
        tuple(forms), opening, plain_forms, prompt, tuple(map(template.ids, around)), results,
        (asked.rstrip().endswith(OPEN), ends_thinking),
    )  # fmt: skip


def _result(template: _Template, behind: str) -> _Result:
    """Of what stands between a call and the next turn, what is around the result."""
    escaped = json.dumps(_RESULT, ensure_ascii=False)[1:-1]
    is_json = escaped in behind
    around = behind.split(escaped if is_json else _RESULT)
    if len(around) != 2:
        raise _NotUnderstood("its chat template does not show the result of a call, or shows it twice")
    before, after = map(template.ids, around)
    return _Result(before, after, is_json)


def _all_calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every tool with every set of parameters that it can be given: marks as their values."""
    for tool in TOOLS:
        function = tool["function"]
        properties, required = function["parameters"]["properties"], function["parameters"]["required"]
        marks: dict[str, Any] = {
            name: _NUMBER + place if schema["type"] == "integer" else f'\u241e"{name}\u241e'
            for place, (name, schema) in enumerate(properties.items())
        }
        yield function["name"], {name: marks[name] for name in required}
        if len(required) < len(marks):
            yield function["name"], marks


def _call(
    template: _Template, content: str, tool: str, arguments: Mapping[str, Any], stops: Sequence[str]
) -> tuple[str, str]:
    """A call as the template writes it, and what stands between it and the model's next turn."""
    asked = template.prompt(content)
    whole, last = (
        _turn(template.called(content, tool, arguments, with_result=with_result), asked)
        for with_result in (True, False)
    )
    call = _common_start([whole, last])
    ends = [at for stop in stops if (at := call.find(stop)) >= 0]
    call = call[: min(ends)] if ends else call
    if tool not in call:
        raise _NotUnderstood("its chat template writes no calls of tools")
    return call, whole[len(call) :]


def _turn(rendered: str, asked: str) -> str:
    """What stands behind the prompt, without thinking: a template may leave out there what it opens a turn with."""
    begun = asked if rendered.startswith(asked) else asked[: max(0, asked.rfind(OPEN))]
    if not begun or not rendered.startswith(begun):
        raise _NotUnderstood("its chat template begins a call otherwise than an answer")
    turn = rendered[len(begun) :].lstrip()
    return turn.partition(CLOSE)[2].lstrip() if turn.startswith(OPEN) else turn


def _pieces(call: str, tool: str, arguments: Mapping[str, Any]) -> tuple[Piece, ...]:
    marks: dict[str, Hole] = {}
    for name, value in arguments.items():
        if isinstance(value, int):
            marks[str(value)] = Hole(name, is_number=True, is_json=False)
        else:
            marks[value] = Hole(name, is_number=False, is_json=False)
            marks[json.dumps(value, ensure_ascii=False)[1:-1]] = Hole(name, is_number=False, is_json=True)
    parts = re.split(f"({'|'.join(map(re.escape, marks))})", call) if marks else [call]
    pieces = tuple(marks.get(part, part) for part in parts if part)
    holes = sorted(piece.parameter for piece in pieces if isinstance(piece, Hole))
    if holes != sorted(arguments) or not (isinstance(pieces[0], str) and tool in pieces[0]):
        raise _NotUnderstood("its chat template writes calls of tools in a form that is not understood")
    return pieces


def _definitions(forms: Sequence[CallForm]) -> str:
    """For templates that write calls and leave out what can be called: DeepSeek's want it said in these words."""
    example = next(form for form in forms if len(form.pieces) > 1)
    written = "".join(piece if isinstance(piece, str) else f"<{piece.parameter}>" for piece in example.pieces)
    told = [
        f"### {tool['function']['name']}\nDescription: {tool['function']['description']}\n\n"
        f"Parameters: {json.dumps(tool['function']['parameters'])}"
        for tool in TOOLS
    ]
    return "\n\n".join(["## Tools\nYou have access to the following tools:", *told, f"A call is written so: {written}"])


def _openings(tokenizer: PreTrainedTokenizerBase, forms: Sequence[CallForm]) -> tuple[int | None, tuple[CallForm, ...]]:
    """The token that opens every call; and the calls without such tokens, where what is left can only be a call."""
    added = {
        str(token): number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or any(map(str.isalpha, str(token)))  # not those for runs of blanks
    }
    start = _common_start([form.opening for form in forms])
    opening = next((number for text, number in added.items() if start.startswith(text)), None)
    plain = []
    for form in forms:
        first = form.opening
        for text in added:
            first = first.replace(text, "")
        plain.append(replace(form, pieces=(first.lstrip(), *form.pieces[1:])))
    is_sure = opening is None or all(form.opening.startswith(("{", "[")) for form in plain)
    return opening, tuple(plain) if is_sure else ()


def _common_start(texts: Sequence[str]) -> str:
    """What all of them begin with."""
    first, last = min(texts), max(texts)
    differing = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differing, min(len(first), len(last)))]


def _refusal(name: str, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"{name} cannot be given tools: {why}; leave --tools out, or name a model whose chat template writes calls"
    )
