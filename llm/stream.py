"""The token stream: documents as one sequence of tokens, every token of a person's text tied to where it stands.

A stream is made from leaf documents in reading order: a label line ("[contract.pdf, page 3]") before each page, then
its text. Labels belong to no place. Text that was recognised in pixels enters as patch tokens, where there is doubt.
To a model with eyes a page may be shown as a picture, too, between two labels before its text; a patch stands for the
characters that it shows.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ingest.document import Document, Doubt, Page
from llm.eyes import ShownPages
from llm.pictures import characters_under
from llm.prompt import Prompt, label
from llm.tokens import Tokens

_PAGES_KEPT = 512  # whose tokens' places are remembered


@dataclass(frozen=True, slots=True)
class StreamPage:
    """One page in a stream: its tokens are [start, end) of the stream, label included."""

    leaf_index: int
    page_index: int
    start: int
    end: int
    num_before: int = 0  # of these tokens, how many stand before its text: its picture, with a label of its own


@dataclass(frozen=True, slots=True)
class TextRange:
    """Characters [start, end) of a page of the leaf with that index."""

    leaf_index: int
    page_index: int
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class TokenStream:
    """Documents as one sequence of token ids. Compared and hashed by identity."""

    leaves: tuple[Document, ...]
    token_ids: Tokens
    pages: tuple[StreamPage, ...]
    prompt: Prompt

    @classmethod
    def of(cls, documents: Sequence[Document], prompt: Prompt, shown: ShownPages | None = None) -> "TokenStream":
        """Encodes every page of every leaf, in order. `shown`: which pages are shown as pictures."""
        leaves = tuple(leaf for document in documents for leaf in document.leaves())
        parts: list[Sequence[int]] = []
        pages: list[StreamPage] = []
        start = 0
        for leaf_index, leaf in enumerate(leaves):
            for page_index, page_ids in enumerate(_encode_pages(leaf, prompt)):
                before = _picture(leaf, page_index, prompt, shown)
                parts += [before, page_ids]
                end = start + len(before) + len(page_ids)
                pages.append(StreamPage(leaf_index, page_index, start, end, len(before)))
                start = end
        return cls(leaves, Tokens.joined(parts), tuple(pages), prompt)

    @cached_property
    def document_ids(self) -> tuple[str, ...]:
        return tuple(leaf.id for leaf in self.leaves)

    def __len__(self) -> int:
        return len(self.token_ids)

    def places(self, start: int, end: int) -> Iterator[TextRange]:
        """What tokens [start, end) stand for, page by page; labels stand for nothing."""
        first = bisect_right(self.pages, start, key=lambda page: page.end)
        for page in self.pages[first:]:
            if page.start >= end:
                return
            chars = [
                chars
                for chars in self._chars(page)[max(start, page.start) - page.start : end - page.start]
                if chars[1] > chars[0]
            ]
            if chars:
                first, last = min(one[0] for one in chars), max(one[1] for one in chars)
                yield TextRange(page.leaf_index, page.page_index, first, last)

    def tokens(self, place: TextRange) -> range:
        """The tokens of text that carry a place's characters."""
        page = self._page_of[place.leaf_index, place.page_index]
        chars = self._chars(page)
        first = bisect_right(chars, place.start, page.num_before, key=lambda one: one[1])
        last = bisect_right(chars, max(place.end - 1, place.start), page.num_before, key=lambda one: one[0])
        return range(page.start + first, page.start + max(last, first))

    @cached_property
    def _page_of(self) -> dict[tuple[int, int], StreamPage]:
        return {(page.leaf_index, page.page_index): page for page in self.pages}

    def _chars(self, page: StreamPage) -> list[tuple[int, int]]:
        """For each token of a page, its characters in `Page.text`; an empty range for those of the label."""
        known = self._chars_of.get(page)
        if known is None:
            leaf = self.leaves[page.leaf_index]
            source = leaf.pages[page.page_index]
            before = len(page_label(leaf, source))
            _, spans = self.prompt.encode_seen(page_text(leaf, source), doubts_of(source, shift=before))
            known = self._chars_of_picture(page)
            known += [(max(0, start - before), min(len(source.text), max(0, end - before))) for start, end in spans]
            if len(self._chars_of) >= _PAGES_KEPT:
                self._chars_of.clear()
            self._chars_of[page] = known
        return known

    def _chars_of_picture(self, page: StreamPage) -> list[tuple[int, int]]:
        """The characters that each patch shows; none for the tokens around them."""
        source = self.leaves[page.leaf_index].pages[page.page_index]
        chars = [(0, 0)] * page.num_before
        before = self.token_ids[page.start : page.start + page.num_before]
        for run in before.runs:
            boxes = run.picture.boxes[run.first : run.first + run.count]
            chars[run.at : run.at + run.count] = [characters_under(source, box) for box in boxes]
        return chars

    @cached_property
    def _chars_of(self) -> dict[StreamPage, list[tuple[int, int]]]:
        return {}


def _encode_pages(leaf: Document, prompt: Prompt) -> Iterator[Sequence[int]]:
    texts = [page_text(leaf, page) for page in leaf.pages]
    doubts = [doubts_of(page, shift=len(page_label(leaf, page))) for page in leaf.pages]
    plain = iter(prompt.encode_all([text for text, some in zip(texts, doubts, strict=True) if not some]))
    for text, some in zip(texts, doubts, strict=True):
        yield prompt.encode_seen(text, some)[0] if some else next(plain)


def _picture(leaf: Document, page_index: int, prompt: Prompt, shown: ShownPages | None) -> Sequence[int]:
    """A page's picture behind a label; nothing where it is not shown."""
    page = leaf.pages[page_index]
    if shown is None or not shown.shows(page):
        return ()
    return Tokens.joined((prompt.encode(page_label(leaf, page)), shown.tokens(leaf, page_index), prompt.encode("\n")))


def doubts_of(page: Page, start: int = 0, end: int | None = None, *, shift: int = 0) -> list[Doubt]:
    """What may be read otherwise among the page's characters [start, end), moved by `shift`."""
    end = len(page.text) if end is None else end
    return [
        Doubt(span.start + doubt.at + shift, doubt.readings)
        for span in page.spans_between(start, end)
        if span.glyphs is not None
        for doubt in span.glyphs.doubts
        if start <= span.start + doubt.at < end
    ]


def page_text(leaf: Document, page: Page) -> str:
    """A page as the model reads it: its label, its text, an empty line."""
    return page_label(leaf, page) + page.text + "\n\n"


def page_label(leaf: Document, page: Page) -> str:
    """The line that introduces a page to the model. Single pages without geometry (text, code) carry the name alone."""
    if not page.has_geometry and len(leaf.pages) == 1:
        return label(leaf.name)
    return label(leaf.name, page.page_no, page.label)
