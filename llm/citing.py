"""Citations: ranges of a page's characters become quotes with page, box or lines, and every quote is checked.

A citation that does not stand word for word in its document is never shown (DESIGN §3.7); the check reads the document
again and trusts nothing that a model wrote.
"""

from dataclasses import replace

from ingest.document import Document
from llm.answer import Citation


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
