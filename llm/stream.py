"""The token stream: documents as one sequence of tokens, every token of a person's text tied to where it stands.

A stream is made from leaf documents in reading order: a label line ("[contract.pdf, page 3]") before each page, then
its text. Labels belong to no place. Patch tokens of page images will enter here, too (docs/ARCHITECTURE.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ingest.document import Document, Page
from llm.prompt import Prompt, label


@dataclass(frozen=True, slots=True)
class StreamPage:
    """One page in a stream: its tokens are [start, end) of the stream, label included."""

    leaf_index: int
    page_index: int
    start: int
    end: int


@dataclass(frozen=True)
class TokenStream:
    """Documents as one sequence of token ids."""

    leaves: tuple[Document, ...]
    token_ids: list[int]
    pages: tuple[StreamPage, ...]

    @classmethod
    def of(cls, documents: Sequence[Document], prompt: Prompt) -> "TokenStream":
        """Encodes every page of every leaf, in order."""
        leaves = tuple(leaf for document in documents for leaf in document.leaves())
        token_ids: list[int] = []
        pages: list[StreamPage] = []
        for leaf_index, leaf in enumerate(leaves):
            for page_index, page in enumerate(leaf.pages):
                start = len(token_ids)
                token_ids += prompt.encode(page_label(leaf, page) + page.text + "\n\n")
                pages.append(StreamPage(leaf_index, page_index, start, len(token_ids)))
        return cls(leaves, token_ids, tuple(pages))

    @cached_property
    def document_ids(self) -> tuple[str, ...]:
        return tuple(leaf.id for leaf in self.leaves)

    def __len__(self) -> int:
        return len(self.token_ids)


def page_label(leaf: Document, page: Page) -> str:
    """The line that introduces a page to the model. Single pages without geometry (text, code) carry the name alone."""
    if not page.has_geometry and len(leaf.pages) == 1:
        return label(leaf.name)
    return label(leaf.name, page.page_no, page.label)
