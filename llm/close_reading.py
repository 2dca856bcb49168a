"""Close reading: the best passages of documents that do not fit the context, put back as one short document.

Passages stand in document order, each run of one page behind that page's label, so that the model reads what a person
would read. A budget in tokens bounds them; the best ranked come first when it is tight.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.document import Document
from llm.prompt import Prompt
from llm.stream import page_label


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Characters [start, end) of a leaf's page."""

    leaf: Document
    leaf_index: int  # its place among the documents asked about
    page_index: int
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.leaf.pages[self.page_index].text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class CloseReading:
    """What is shown to the model instead of everything."""

    token_ids: list[int]
    shown: tuple[Excerpt, ...]  # in document order

    @property
    def pages(self) -> set[tuple[str, int]]:
        return {(excerpt.leaf.id, excerpt.page_index) for excerpt in self.shown}


def compose(ranked: Sequence[Excerpt], prompt: Prompt, budget_tokens: int) -> CloseReading:
    """The best of `ranked` (best first) that fit the budget, in document order."""
    chosen: list[int] = []
    used = 0
    for index, excerpt in enumerate(ranked):
        cost = len(prompt.encode(_with_label(excerpt)))
        if used + cost <= budget_tokens:
            chosen.append(index)
            used += cost
    shown = sorted((ranked[index] for index in chosen), key=lambda at: (at.leaf_index, at.page_index, at.start))
    return CloseReading(prompt.encode(_joined(shown)), tuple(shown))


def _with_label(excerpt: Excerpt) -> str:
    return page_label(excerpt.leaf, excerpt.leaf.pages[excerpt.page_index]) + excerpt.text + "\n\n"


def _joined(shown: Sequence[Excerpt]) -> str:
    """The text of the excerpts; neighbours on a page share a label, overlaps are shown once."""
    parts: list[str] = []
    before: Excerpt | None = None
    for excerpt in shown:
        page = excerpt.leaf.pages[excerpt.page_index]
        start = excerpt.start
        if before and (before.leaf_index, before.page_index) == (excerpt.leaf_index, excerpt.page_index):
            start = max(start, before.end)
        else:
            parts.append(page_label(excerpt.leaf, page))
        if start >= excerpt.end:
            continue
        parts.append(page.text[start : excerpt.end].strip() + "\n\n")
        before = excerpt
    return "".join(parts)
