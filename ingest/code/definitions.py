"""The names that a code file defines, with their lines: what answers "where is X defined".

By tree-sitter where a grammar ships as a wheel (`queries.GRAMMARS`); for a few other languages by pygments: a name
that follows a defining keyword. Names inside a class carry its name: "Reader.open". Names local to a function are
left out.
"""

import functools
import importlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from tree_sitter import Language, Node, Parser, Query, QueryCursor

from ingest.code.queries import GRAMMARS
from ingest.document import Definition

MAX_PARSED_CHARS = 4_000_000  # beyond it a file is data, and its tree would cost about a hundred times its size
BY_KEYWORD = frozenset({"kotlin", "swift", "scala", "perl", "dart", "groovy"})
_DEFINING_WORDS = {
    "class": "class", "struct": "struct", "enum": "enum", "protocol": "protocol", "interface": "interface",
    "object": "object", "trait": "trait", "fun": "function", "func": "function", "def": "function",
    "function": "function", "sub": "function", "package": "module", "mixin": "mixin", "extension": "extension",
}  # fmt: skip
_CLOSED = frozenset({"function", "method", "constructor"})  # nothing defined inside is known outside
_OPEN = frozenset({"namespace", "module", "package"})  # functions inside stay functions
_SEPARATORS = {"c++": "::", "rust": "::", "ruby": "::", "php": "::", "cuda": "::"}


def has_definitions(language: str | None) -> bool:
    """Whether names can be found in files of this language at all."""
    return language in GRAMMARS or language in BY_KEYWORD


def definitions_of(text: str, language: str | None) -> tuple[Definition, ...]:
    """The names defined in a file, in order of their lines; empty for a language without grammar."""
    if language is None or len(text) > MAX_PARSED_CHARS:
        return ()
    if language in GRAMMARS:
        return tuple(_qualified(sorted(_found(text, language)), _SEPARATORS.get(language, ".")))
    return tuple(_by_keyword(text, language)) if language in BY_KEYWORD else ()


class _Found(NamedTuple):
    start: int
    negative_end: int  # the outer of two that start together sorts first
    rank: int  # a function before the constant that holds it
    kind: str
    name: str
    line: int


@functools.cache
def _tools(language: str) -> tuple[Parser, Query]:
    grammar = GRAMMARS[language]
    loaded = Language(getattr(importlib.import_module(grammar.module), grammar.function)())
    return Parser(loaded), Query(loaded, grammar.query)


def _found(text: str, language: str) -> Iterator[_Found]:
    parser, query = _tools(language)
    data = text.encode("utf-8", "replace")
    for _, captures in QueryCursor(query).matches(parser.parse(data).root_node):
        name = _text_of(captures["name"][0])
        if owner := captures.get("owner"):
            name = ".".join([*re.findall(r"\w+", _text_of(owner[0]))[:1], name])  # "*Stack[T]" is "Stack"
        kind = next(kind for kind in captures if kind not in ("name", "owner"))
        whole, line = captures[kind][0], captures["name"][0].start_point.row + 1
        if kind == "variable" and name.isupper():
            kind = "constant"
        yield _Found(whole.start_byte, -whole.end_byte, 0 if kind in _CLOSED else 1, kind, name, line)


def _text_of(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _qualified(found: list[_Found], separator: str) -> Iterator[Definition]:
    """Adds the enclosing classes to names; drops what is local to a function and plain variables of classes."""
    enclosing: list[_Found] = []
    seen: set[tuple[str, int]] = set()
    for item in found:
        while enclosing and -enclosing[-1].negative_end <= item.start:
            enclosing.pop()
        inside_function = any(outer.kind in _CLOSED for outer in enclosing)
        owners = [outer.name for outer in enclosing if outer.kind not in ("variable", "constant")]
        in_class = bool(owners) and enclosing[-1].kind not in _OPEN
        name = separator.join([*owners, item.name])
        kind = "method" if item.kind == "function" and in_class else item.kind
        enclosing.append(item)
        if inside_function or item.kind == "scope" or (kind == "variable" and in_class) or (name, item.line) in seen:
            continue
        seen.add((name, item.line))
        yield Definition(name, kind, item.line)


def _by_keyword(text: str, language: str) -> Iterator[Definition]:
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.token import Keyword, Name, Whitespace  # type: ignore[import-untyped]

    kind, line = None, 1
    for token, value in get_lexer_by_name(language, stripnl=False, ensurenl=False).get_tokens(text):
        if value.strip() and token not in Whitespace:
            if kind and token in Name:
                yield Definition(value.strip(), kind, line)
            kind = _DEFINING_WORDS.get(value.strip()) if token in Keyword else None
        line += value.count("\n")
