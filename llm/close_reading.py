"""Close reading: the best passages of documents that do not fit the context, put back as one short document.

Passages stand in document order, each run of one page behind that page's label, so that the model reads what a person
would read. A budget in tokens bounds them; the best ranked come first when it is tight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.document import Document, Doubt
from llm.prompt import Prompt
from llm.stream import doubts_of, page_label
from llm.tokens import Tokens
from vision import Seen


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

    token_ids: Tokens
    shown: tuple[Excerpt, ...]  # in document order

    @property
    def pages(self) -> set[tuple[str, int]]:
        return {(excerpt.leaf.id, excerpt.page_index) for excerpt in self.shown}


def compose(ranked: Sequence[Excerpt], prompt: Prompt, budget_tokens: int) -> CloseReading:
    """The best of `ranked` (best first) that fit the budget, in document order."""
    shown = choose(ranked, lambda text: len(prompt.encode(text)), budget_tokens)
    tokens, _ = prompt.encode_seen(*_put_together(shown))
    return CloseReading(tokens, shown)


def choose(ranked: Sequence[Excerpt], count_tokens: Callable[[str], int], budget_tokens: int) -> tuple[Excerpt, ...]:
    """The best of `ranked` (best first) that fit the budget, in document order."""
    chosen: list[int] = []
    used = 0
    for index, excerpt in enumerate(ranked):
        cost = count_tokens(_with_label(excerpt))
        if used + cost <= budget_tokens:
            chosen.append(index)
            used += cost
    return tuple(sorted((ranked[index] for index in chosen), key=lambda at: (at.leaf_index, at.page_index, at.start)))


def texts_shown(close: CloseReading | None, documents: Sequence[Document]) -> list[str]:
    """What the model sees: the excerpts, or every page where `close` is None."""
    if close is not None:
        return [excerpt.text for excerpt in close.shown]
    return [page.text for document in documents for leaf in document.leaves() for page in leaf.pages]


def seen_by_model(close: CloseReading | None, documents: Sequence[Document], prompt: Prompt) -> Seen:
    """What `texts_shown` gives, as its pixels read best."""
    if close is not None:
        parts = [(each.leaf.pages[each.page_index], each.start, each.end) for each in close.shown]
    else:
        pages = (page for document in documents for leaf in document.leaves() for page in leaf.pages)
        parts = [(page, 0, len(page.text)) for page in pages]
    text = ""
    doubts: list[Doubt] = []
    for page, start, end in parts:
        doubts += doubts_of(page, start, end, shift=len(text) - start)
        text += page.text[start:end] + "\n"
    return prompt.seen(text, doubts)


def _with_label(excerpt: Excerpt) -> str:
    return page_label(excerpt.leaf, excerpt.leaf.pages[excerpt.page_index]) + excerpt.text + "\n\n"


def joined(shown: Sequence[Excerpt]) -> str:
    """The text of the excerpts; neighbours on a page share a label, overlaps are shown once."""
    return _put_together(shown)[0]


def _put_together(shown: Sequence[Excerpt]) -> tuple[str, list[Doubt]]:
    """See `joined`; and what may be read otherwise in it."""
    text = ""
    doubts: list[Doubt] = []
    before: Excerpt | None = None
    for excerpt in shown:
        page = excerpt.leaf.pages[excerpt.page_index]
        start = excerpt.start
        if before and (before.leaf_index, before.page_index) == (excerpt.leaf_index, excerpt.page_index):
            start = max(start, before.end)
        else:
            text += page_label(excerpt.leaf, page)
        if start >= excerpt.end:
            continue
        stripped = page.text[start : excerpt.end].strip()
        start += page.text[start : excerpt.end].find(stripped)
        doubts += doubts_of(page, start, start + len(stripped), shift=len(text) - start)
        text += stripped + "\n\n"
        before = excerpt
    return text, doubts
