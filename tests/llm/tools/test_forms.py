"""How calls are written, read off chat templates of many families: there and back, and what is refused."""

import json

import pytest
from platformdirs import user_cache_path

from llm.errors import ModelNotFound
from llm.packaged import load_tokenizer, prepare
from llm.prompt import Prompt
from llm.tokens import Tokens
from llm.tools.definitions import TOOLS, ToolCall
from llm.tools.forms import CallSyntax
from tests.llm.tools.templates import FAMILIES, NAME_LAST, NO_CALLS, NO_RESULT, OBJECTS_OF_PYTHON, Family

CALLS = (
    ("list_documents", {}),
    ("search", {"query": 'who "signs" the annex \\ of 2019?'}),
    ("read_page", {"document": "manual (2).pdf", "page": 12}),
    ("read_page", {"document": "manual (2).pdf", "page": 12, "first_line": 40}),
)


def syntax_of(family: Family) -> CallSyntax:
    tokenizer = family.tokenizer()
    stop_ids = tokenizer.convert_tokens_to_ids(list(family.stops))
    return CallSyntax.of(tokenizer, Prompt(tokenizer), stop_ids, "tiny")


def conversation(family: Family, tool: str, arguments: dict[str, object], content: str = "Who?") -> str:
    """As the template writes it, with the argument type and the id that it takes."""
    as_text = "DeepSeek" in next(name for name, one in FAMILIES.items() if one is family)
    number = "call00001" if family is FAMILIES["Mistral"] else f"functions.{tool}:0"
    written = json.dumps(arguments) if as_text else arguments
    call = {"id": number, "type": "function", "function": {"name": tool, "arguments": written}}
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": number, "name": tool, "content": 'Page 12 says "yes".'},
    ]
    text = family.tokenizer().apply_chat_template(
        messages, tools=list(TOOLS), tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_template_writes_is_parsed_and_gone_on_from(name: str) -> None:
    family = FAMILIES[name]
    syntax, tokenizer = syntax_of(family), family.tokenizer()
    for tool, arguments in CALLS:
        text = conversation(family, tool, arguments)
        found = ToolCall(name=tool, arguments=json.dumps(arguments))
        behind = tokenizer.decode(syntax.result_ids(found, 'Page 12 says "yes".'), skip_special_tokens=False)
        assert text.endswith(behind)
        before = text.removesuffix(behind)
        start = max(at for at in range(len(before)) if syntax.parsed(before[at:]))
        if name not in ("Hermes", "Llama 3.1"):  # whose calls begin with no token of their own
            start = before.rindex(tokenizer.decode([syntax.opening]))
        parsed = syntax.parsed(before[start:])
        assert parsed is not None
        assert (parsed.name, json.loads(parsed.arguments)) == (tool, arguments)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_prompt_says_what_can_be_called_and_ends_where_a_turn_begins(name: str) -> None:
    family = FAMILIES[name]
    syntax, tokenizer = syntax_of(family), family.tokenizer()
    ids = syntax.prompt_ids(Tokens(tokenizer("[manual.pdf, page 1]\n", add_special_tokens=False).input_ids), " Who? ")
    text = tokenizer.decode(list(ids), skip_special_tokens=False)
    for tool in TOOLS:
        assert tool["function"]["description"] in text
    assert "Document:\n[manual.pdf, page 1]\n" in text
    behind = text.partition("Question: Who?")[2]
    assert (
        conversation(family, "search", {"query": "x"}, content="Question: Who?")
        .partition("Who?")[2]
        .startswith(behind.partition("<think>")[0])
    )
    assert syntax.opens_thinking(has_called=False) is (name == "DeepSeek-R1")
    assert not syntax.opens_thinking(has_called=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_marks_within_a_result_stay_text(name: str) -> None:
    family = FAMILIES[name]
    syntax, tokenizer = syntax_of(family), family.tokenizer()
    special = set(tokenizer.convert_tokens_to_ids(list(family.special)))
    call = ToolCall(name="search", arguments="{}")
    harmless, marked = (syntax.result_ids(call, text) for text in ("x", "".join(family.special)))
    assert sum(token in special for token in marked) == sum(token in special for token in harmless)
    assert len(marked) > len(harmless) + len(family.special)


def test_a_call_that_is_none_is_not_parsed() -> None:
    syntax = syntax_of(FAMILIES["Qwen3"])
    written = '<tool_call>\n{"name": "search", "arguments": {"query": "x"}}\n</tool_call>'
    assert syntax.parsed(written) is not None
    for text in (
        "", "search", written[:-1], f"Look: {written}", written.replace("search", "run"),
        written.replace("query", "words"), written.replace('"x"', "7"), written.replace('"x"', '"x", "more": 1'),
    ):  # fmt: skip
        assert syntax.parsed(text) is None, text


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (NO_CALLS, r"tiny cannot be given tools: its chat template writes no calls of tools; leave --tools out"),
        (NAME_LAST, r"its chat template writes calls of tools in a form that is not understood"),
        (NO_RESULT, r"its chat template does not show the result of a call"),
        ("", r"it has no chat template"),
    ],
)
def test_a_template_that_knows_no_calls_is_refused_in_one_sentence(template: str, why: str) -> None:
    with pytest.raises(ModelNotFound, match=why):
        syntax_of(Family(template, ("<|im_start|>", "<|im_end|>"), ("<|im_end|>",)))


def test_arguments_are_written_as_json_where_a_template_would_write_them_as_python_does() -> None:
    syntax = syntax_of(Family(OBJECTS_OF_PYTHON, ("<|im_start|>", "<|im_end|>"), ("<|im_end|>",)))
    call = syntax.parsed('search {"query": "an \\"x\\""}')
    assert call is not None
    assert json.loads(call.arguments) == {"query": 'an "x"'}


def test_the_packaged_model_is_given_no_tools() -> None:
    tokenizer = load_tokenizer(prepare(user_cache_path("longleaf")))
    with pytest.raises(ModelNotFound, match=r"leafmoe-135m cannot be given tools: its chat template writes no calls"):
        CallSyntax.of(tokenizer, Prompt(tokenizer), {2}, "leafmoe-135m")
