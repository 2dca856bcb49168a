"""A name or an address as it stands in a document, whole: what the document calls it, and how surely it is one.

`llm.named.names` and `llm.named.addresses` find them.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from ingest.document import Document


class Strength(IntEnum):
    """How surely a stretch is what it is taken for."""

    LOOSE = 0  # it could be something else: words with capitals
    HEAD = 1  # a line of its own, at the head of the first page
    SURE = 2  # its form tells: a legal form, a defined term behind it; a street with a place


@dataclass(frozen=True, slots=True)
class Candidate:
    """Characters [start, end) of a page."""

    leaf: Document
    page_index: int
    start: int
    end: int
    strength: Strength
    aliases: tuple[str, ...] = ()  # what the document calls it from there on, in plain words
    is_party: bool = False  # named as one that an agreement is between

    @property
    def text(self) -> str:
        """On one line."""
        return " ".join(self.leaf.pages[self.page_index].text[self.start : self.end].split())

    @property
    def words(self) -> tuple[str, ...]:
        return plain(self.text)

    def overlaps(self, other: "Candidate") -> bool:
        is_one_page = (self.leaf.id, self.page_index) == (other.leaf.id, other.page_index)
        return is_one_page and self.start < other.end and other.start < self.end


def plain(text: str) -> tuple[str, ...]:
    """The words, in lower case, without punctuation or possessive, full-width letters as ordinary ones."""
    return tuple(re.findall(r"\w+", re.sub(r"['’]s\b", "", unicodedata.normalize("NFKC", text).lower())))


def holds(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether the words of `part` stand in a row in `whole`."""
    return bool(part) and any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every line, without the blanks around it; empty ones too."""
    for match in re.finditer(r"[^\n]*(?:\n|$)", text):
        line = match[0]
        start = match.start() + len(line) - len(line.lstrip())
        yield min(start, match.end()), max(start, match.start() + len(line.rstrip()))
