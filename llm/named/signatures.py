"""Who signed: the names behind a conformed signature (/s/), or typed below the line for one."""

import re
from collections.abc import Iterator

from ingest.document import Document
from llm.named.candidates import plain
from llm.named.wording import Provision, Sentence

_NO_NAME = r"(?!(?:By|Name|Title|Date|Dated|Its|Witness|Signature|For|BY|NAME|TITLE|DATE)\b)"  # the next field
_NAME = rf"(?P<name>{_NO_NAME}[A-Z][\w’'.-]*(?:,?[^\S\n]{_NO_NAME}[A-Z][\w’'.-]*){{1,4}})"
_MARK = re.compile(r"/[sS]/(?!\s*(?:_|-|$))")
_SIGNED = re.compile(rf"/[sS]/\s*{_NAME}")
_TYPED = re.compile(rf"(?im:^|\|)\s*Name:[\s|]*{_NAME}")
_MOST = 8


def signers(leaf: Document) -> Provision | None:
    """All who signed, each once, in the order of the pages; None where one of them is no name."""
    num_signed = sum(len(_MARK.findall(page.text)) for page in leaf.pages)
    if num_signed > sum(1 for _ in _names(leaf, _SIGNED)):
        return None  # such as /s/ [ILLEGIBLE]
    for pattern in (_SIGNED, _TYPED):
        found = {plain(name): (name, line) for name, line in _names(leaf, pattern)}
        if 0 < len(found) <= _MOST:
            texts = [name for name, _ in found.values()]
            text = " and ".join(texts) if len(texts) < 3 else "; ".join(texts)
            return Provision(text, tuple(line for _, line in found.values()))
    return None


def _names(leaf: Document, pattern: re.Pattern[str]) -> Iterator[tuple[str, Sentence]]:
    for page_index, page in enumerate(leaf.pages):
        for match in pattern.finditer(page.text):
            name = match["name"].rstrip(".,-")
            yield name, Sentence(leaf, page_index, match.start(), match.start("name") + len(name), name)
