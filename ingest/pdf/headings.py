"""The outline: bookmarks of the file, else headings told by size and weight; and the HEADING role of their rows.

Owns what a heading is; changes no text. Sizes are compared with the document's own body size, counted in characters.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ingest.document import Heading, Role
from ingest.pdf.draft import PageDraft, Row

LARGER = 1.12  # times the body size
MAX_CHARS = 160
MAX_ITALIC_CHARS = 60
MAX_ROWS = 3  # of one heading
MAX_LEVEL = 6
NUMBERING = re.compile(r"^(?:(?:chapter|appendix|part|section)\s+)?(?:[A-Z]|[\d]+)?(?:\.?\d+)*[.:)]?\s+(?=\S)", re.I)
SENTENCE_END = re.compile(r"[,;]$|[a-z]{3}\.$")


def outline(bookmarks: Sequence[Sequence[Any]], pages: Sequence[PageDraft]) -> tuple[Heading, ...]:
    """The document's headings; marks their rows. `bookmarks` are (level, title, page number) as MuPDF lists them."""
    listed = _from_bookmarks(bookmarks, pages)
    recognised = _recognise(pages, keep_roles=not listed)
    return listed or recognised


def _from_bookmarks(bookmarks: Sequence[Sequence[Any]], pages: Sequence[PageDraft]) -> tuple[Heading, ...]:
    """Bookmarks of pages that were read, except a lone one, which is a title and no outline."""
    by_number = {page.page_no: page for page in pages}
    headings = []
    for level, title, page_no, *_ in bookmarks:
        if page_no in by_number and title.strip():
            headings.append(Heading(level, " ".join(title.split()), page_no))
            _mark_title(by_number[page_no], title)
    return tuple(headings) if len(bookmarks) > 1 else ()


def _mark_title(page: PageDraft, title: str) -> None:
    """Marks the rows that print the title, over up to MAX_ROWS rows and with or without its number."""
    wanted = _plain(title)
    for index, row in enumerate(page.rows):
        if row.role not in (Role.TEXT, Role.HEADING) or not wanted:
            continue
        text = ""
        for last in range(index, min(index + MAX_ROWS, len(page.rows))):
            text += _plain(page.rows[last].text) if last == index else _letters(page.rows[last].text)
            if text == wanted or text == _letters(title):
                for marked in page.rows[index : last + 1]:
                    marked.role = Role.HEADING
                return
            if not wanted.startswith(text):
                break


def _plain(text: str) -> str:
    return _letters(NUMBERING.sub("", text.strip(), count=1)) or _letters(text)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _recognise(pages: Sequence[PageDraft], *, keep_roles: bool) -> tuple[Heading, ...]:
    """Headings by type; rows get the role only when `keep_roles`."""
    body_size, body_bold = _body_style(pages)
    found: list[tuple[PageDraft, list[Row]]] = []
    for page in pages:
        for start, end in _candidates(page, body_size, body_bold):
            found.append((page, page.rows[start:end]))
    styles = sorted({_style(rows[0]) for _, rows in found}, reverse=True)
    headings = []
    for page, rows in found:
        for row in rows if keep_roles else ():
            row.role = Role.HEADING
        level = min(styles.index(_style(rows[0])) + 1, MAX_LEVEL)
        headings.append(Heading(level, " ".join(row.text for row in rows), page.page_no))
    return tuple(headings)


def _style(row: Row) -> tuple[float, bool]:
    return round(row.size * 2) / 2, row.bold


def _body_style(pages: Sequence[PageDraft]) -> tuple[float, bool]:
    sizes: Counter[float] = Counter()
    weights: Counter[bool] = Counter()
    for page in pages:
        for row in page.rows:
            if row.confidence is None and row.role in (Role.TEXT, Role.TABLE):
                sizes[round(row.size * 2) / 2] += len(row.text)
                weights[row.bold] += len(row.text)
    return (sizes.most_common(1)[0][0], weights[True] > weights[False]) if sizes else (0.0, False)


def _candidates(page: PageDraft, body_size: float, body_bold: bool) -> list[tuple[int, int]]:
    """Half-open ranges of rows that look like one heading each."""
    found: list[tuple[int, int]] = []
    for index, row in enumerate(page.rows):
        if not _looks_like_heading(row, body_size, body_bold):
            continue
        if found and found[-1][1] == index and _same_heading(page.rows[index - 1], row):
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return [(start, end) for start, end in found if end - start <= MAX_ROWS and not _in_paragraph(page, start, end)]


def _looks_like_heading(row: Row, body_size: float, body_bold: bool) -> bool:
    if row.role is not Role.TEXT or row.mono or row.num_cells > 1 or row.confidence is not None or not body_size:
        return False
    if not 2 <= len(row.text) <= MAX_CHARS or sum(map(str.isalpha, row.text)) < 0.5 * len(row.text.replace(" ", "")):
        return False
    if row.size >= LARGER * body_size:
        return True
    emphasised = (row.bold and not body_bold) or (row.italic and len(row.text) <= MAX_ITALIC_CHARS)
    return emphasised and row.size >= 0.95 * body_size and not SENTENCE_END.search(row.text)


def _same_heading(above: Row, below: Row) -> bool:
    return _style(above) == _style(below) and below.box.y0 - above.box.y1 < 0.6 * below.size


def _in_paragraph(page: PageDraft, start: int, end: int) -> bool:
    """Whether emphasised rows continue the row above them (bold: and lead on to the one below): no heading."""
    first, last = page.rows[start], page.rows[end - 1]
    if start == 0:
        return False
    above = page.rows[start - 1]
    if above.role is not Role.TEXT or not 0 <= first.box.y0 - above.box.y1 + first.size < 1.4 * first.size:
        return False
    if not first.bold:
        return first.size < LARGER * above.size
    below = page.rows[end] if end < len(page.rows) else None
    return below is not None and below.role is Role.TEXT and below.box.y0 - last.box.y1 < 0.3 * first.size
