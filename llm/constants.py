"""Answers that name a constant: what the code says it stands for.

"On which port does it listen?" is answered "DEFAULT_PORT" by the line that uses it. The value stands elsewhere, in
another passage or file, and is what the person wants.
"""

import re
from collections.abc import Iterator, Sequence

from ingest.document import Document, Kind
from llm.answer import Citation
from llm.citing import cite

_NAME = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_LITERAL = r"""(?:"[^"\n]*"|'[^'\n]*'|[-+]?\d[\w.]*(?:[ ]*[*/+-][ ]*\d[\w.]*)*|[Tt]rue|[Ff]alse)"""


def with_value(answer: str, documents: Sequence[Document]) -> tuple[str, Citation] | None:
    """The answer with the constant's value, and the line that defines it.

    None if it does not name one constant, or the documents' code does not give that one literal value.
    """
    names = set(_NAME.findall(answer))
    if len(names) != 1:
        return None
    name = names.pop()
    found = list(_definitions(name, documents))
    if len({value for value, _ in found}) != 1:
        return None
    value, citation = found[0]
    is_all = answer.strip("`'\". \n") == name
    return f"{value} ({name})" if is_all else answer.replace(name, f"{name} ({value})"), citation


def _definitions(name: str, documents: Sequence[Document]) -> Iterator[tuple[str, Citation]]:
    """Python, C, Java, JavaScript, Go, Rust and their like: what is on one line."""
    line = re.compile(
        rf"^[ \t]*(?:#?[\w<>\[\]]+[ \t]+)*{name}(?:[ \t]*:[^=\n]+)?(?:[ \t]*:?=[ \t]*|[ \t]+)"
        rf"(?P<value>{_LITERAL})[ \t]*[;,]?[ \t]*(?:(?:#|//|/\*).*)?$",
        re.MULTILINE,
    )
    for leaf in (leaf for document in documents for leaf in document.leaves() if leaf.kind is Kind.CODE):
        for index, page in enumerate(leaf.pages):
            for match in line.finditer(page.text):
                yield match["value"].strip("\"'"), cite(leaf, index, match.start(), match.end())
