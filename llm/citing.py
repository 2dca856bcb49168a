"""Citations: ranges of a page's characters become quotes with page, box or lines, and every quote is checked.

A citation that does not stand word for word in its document is never shown (DESIGN §3.7); the check reads the document
again and trusts nothing that a model wrote.
"""

from collections.abc import Sequence
from dataclasses import replace

from ingest.document import Document
from llm.answer import Citation
from llm.evidence.quoting import quotes
from llm.evidence.ranking import Ranked

MAX_CITATIONS = 3  # of an answer


def cite(leaf: Document, page_index: int, start: int, end: int) -> Citation:
    """The citation of characters [start, end) of a leaf's page; blanks at both ends are left off."""
    page = leaf.pages[page_index]
    text = page.text[start:end]
    start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    place = page.place(start, end)
    is_one_text = not page.has_geometry and len(leaf.pages) == 1
    citation = Citation(
        source=leaf.name,
        document=leaf.id,
        page=None if is_one_text else page.page_no,
        lines=place.lines,
        box=place.box,
        quote=page.text[start:end],
        verified=False,
        page_index=page_index,
        start=start,
        end=end,
        line_boxes=place.line_boxes,
    )
    return checked(citation, leaf)


def cited(ranked: Sequence[Ranked], answer: str | None, *, limit: int = MAX_CITATIONS) -> tuple[Citation, ...]:
    """The best quotes as checked citations, for an answer or, where None, for the question that ranked them.

    One that does not stand in its document is not shown.
    """
    best = quotes(ranked, answer, limit=limit)
    found = (cite(quote.document, quote.page_index, quote.start, quote.end) for quote in best)
    return tuple(citation for citation in found if citation.verified)


def checked(citation: Citation, leaf: Document) -> Citation:
    """The citation with `verified` set by looking at the document: its id, its page, and the quote at its place."""
    page = leaf.pages[citation.page_index] if citation.page_index < len(leaf.pages) else None
    stands = (
        page is not None
        and leaf.id == citation.document
        and bool(citation.quote.strip())
        and page.text[citation.start : citation.end] == citation.quote
    )
    return replace(citation, verified=stands)
