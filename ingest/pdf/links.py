"""Links of a page: to an address, or to a page of the same file.

Asks MuPDF itself: PyMuPDF's own iterator looks up every link's annotation, which makes it 5 times slower.
"""

from typing import Any

from pymupdf import mupdf

from ingest.document import Box, Link
from ingest.pdf.layer import moved, turning

OUTSIDE = ("http://", "https://", "mailto:", "ftp://", "tel:")


def links_of(pdf: Any, page: Any, page_no: int, rotation: int) -> list[Link]:
    """Boxes are on the upright page. Links to other files of the machine are left out."""
    found = []
    turn = turning(rotation, page.rect.width, page.rect.height) if rotation else None
    link = mupdf.fz_load_links(page.this if isinstance(page.this, mupdf.FzPage) else page.this.super())
    while link.m_internal:
        target = _target(pdf, link.uri() or "")
        if target:
            rect = link.rect()
            found.append(Link(page_no, Box(*moved((rect.x0, rect.y0, rect.x1, rect.y1), turn)), target))
        link = link.next()
    return found


def _target(pdf: Any, uri: str) -> str | None:
    if uri.startswith("#"):
        page_index = pdf.resolve_link(uri)[0]
        if isinstance(page_index, tuple):  # (chapter, page); PDF has one chapter
            page_index = page_index[1]
        return f"#page={page_index + 1}" if page_index >= 0 else None
    return uri if uri.lower().startswith(OUTSIDE) else None
