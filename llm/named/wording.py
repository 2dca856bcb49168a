"""Sentences of a document as they read aloud, each with its place; and the words that agreements call themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest.document import Document
from llm.evidence.passages import flowing

KIND = r"(?:agreement|contract|lease|deed|licen[sc]e|nda|undertaking|amendment)"
ITSELF = rf"\b(?:this|the)\s(?:[\w-]+\s){{0,5}}?{KIND}\b(?:\s\([^)]*\))?"  # in a sentence; to be read without case
_MOST_PAGES = 200
_FIRST_WORDS = 5  # tell where in a sentence something begins
_BORDER = re.compile(
    r"(?<=[.!?;])[\"”’)]*\s+(?=[\"“(]*[A-Z0-9]|\([a-z]{1,3}\))|\n\s*\n|\n(?=\d{1,2}(?:\.|(?:\.\d{1,2})+\.?)\s+[A-Z])"
)
_NO_BORDER = re.compile(
    r"(?:^|[\W\d])(?:[A-Za-z]|\d{1,2}|Inc|Ltd|Corp|Co|No|Mr|Mrs|Ms|Dr|Jr|Sr|St|U\.S|N\.V|vs|Sec|Art)\.$"
)
_ENUMERATOR = re.compile(r"(?:\d{1,2}(?:\.\d+)+\s+|\(?(?:\d{1,2}(?:\.\d+)*|[A-Za-z]|[ivx]{1,5})[.)]\s*)+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Characters [start, end) of a page, and their text on one line."""

    leaf: Document
    page_index: int
    start: int
    end: int
    text: str

    def since(self, at: int) -> "Sentence":
        """Without what stands before character `at` of the text, such as the title above an agreement's first words."""
        first_words = r"\s+".join(map(re.escape, self.text[at:].split()[:_FIRST_WORDS]))
        page_text = self.leaf.pages[self.page_index].text
        found = re.compile(first_words).search(page_text, self.start, self.end)
        return replace(self, start=found.start(), text=self.text[at:]) if found else self


@dataclass(frozen=True, slots=True)
class Provision:
    """What an agreement says, in its own words, and the sentences that say it."""

    text: str
    said_in: tuple[Sentence, ...]


def sentences_of(leaf: Document, num_pages: int = _MOST_PAGES) -> Iterator[Sentence]:
    """Those of the first pages, without the numbers before them; one that goes on overleaf ends with its page."""
    for page_index, page in enumerate(leaf.pages[:num_pages]):
        start = 0
        borders = [(match.start(), match.end()) for match in _BORDER.finditer(page.text)]
        for stop, following in [*borders, (len(page.text), len(page.text))]:
            if following < len(page.text) and _NO_BORDER.search(page.text[max(0, stop - 8) : stop]):
                continue
            enumerator = _ENUMERATOR.match(page.text, start, stop)
            begin = enumerator.end() if enumerator else start
            text = flowing(page.text[begin:stop])
            if text:
                yield Sentence(leaf, page_index, begin, stop, text)
            start = following
