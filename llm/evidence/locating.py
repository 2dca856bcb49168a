"""Where the words of an answer stand in a text, whatever case, spacing or line breaks they have there.

`Normal` keeps, for every character it made, the place it came from, so that a match is a range of the text itself.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.document import Document
from llm.evidence.ranking import Ranked

_ARTICLES = ("the ", "a ", "an ")


@dataclass(frozen=True, slots=True)
class Found:
    """Characters [start, end) of a page where an answer's words stand."""

    document: Document
    page_index: int
    start: int
    end: int

    def inside(self, item: Ranked) -> bool:
        same_page = self.document.id == item.document.id and self.page_index == item.passage.page_index
        return same_page and item.passage.start <= self.start and self.end <= item.passage.end


def locate(answer: str, ranked: Sequence[Ranked]) -> list[Found]:
    """Every place of the answer in the passages, in their order; none for an empty answer."""
    wanted = normal_answer(answer)
    found = []
    for item in ranked:
        first = item.passage.start
        for start, end in find(wanted, item.text):
            found.append(Found(item.document, item.passage.page_index, first + start, first + end))
    return found


def normal_answer(answer: str) -> str:
    """The answer's words as `find` looks for them: no leading article, no punctuation at the ends."""
    text = Normal.of(answer).text.strip()
    article = next((article for article in _ARTICLES if text.startswith(article)), "")
    return text[len(article) :]


def find(wanted: str, text: str) -> Iterator[tuple[int, int]]:
    """Ranges of `text` that read as `wanted` (from `normal_answer`), on word borders, from left to right."""
    normal = Normal.of(text)
    padded, target = f" {normal.text} ", f" {wanted} "
    at = padded.find(target) if wanted else -1
    while at >= 0:
        yield normal.sources[at], normal.sources[at + len(wanted) - 1] + 1
        at = padded.find(target, at + len(wanted))


@dataclass(frozen=True, slots=True)
class Normal:
    """Text in lower case, compatibility forms resolved, punctuation and spaces one blank, line-break hyphens undone."""

    text: str
    sources: tuple[int, ...]  # for each character of `text`, the position it came from

    @classmethod
    def of(cls, raw: str) -> "Normal":
        characters: list[str] = []
        sources: list[int] = []
        for position, character in enumerate(raw):
            for made in _made_of(raw, position, character):
                if made == " " and (not characters or characters[-1] == " "):
                    continue
                characters.append(made)
                sources.append(position)
        return cls("".join(characters).rstrip(), tuple(sources))


def _made_of(raw: str, position: int, character: str) -> str:
    before, after = raw[max(0, position - 1) : position], raw[position + 1 : position + 2]
    if character == "\u00ad" or (character == "\n" and before in ("-", "\u00ad") and _is_hyphenated(raw, position - 1)):
        return ""
    if character == "-" and after == "\n" and _is_hyphenated(raw, position):
        return ""
    if character.isalnum():
        return unicodedata.normalize("NFKC", character).casefold()
    if before.isdigit() and after.isdigit() and character in ".,":
        return "." if character == "." else ""  # 1,452.40 and 1452.40 are one number
    return "" if character in "'’" else " "


def _is_hyphenated(raw: str, hyphen: int) -> bool:
    """Whether a word goes on behind the hyphen and the line break."""
    return raw[hyphen - 1 : hyphen].isalpha() and raw[hyphen + 2 : hyphen + 3].islower()
