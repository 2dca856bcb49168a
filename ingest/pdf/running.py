"""Running headers, footers and page numbers, told by what repeats at the same height over several pages.

Owns those two roles; changes nothing else. Only the outermost rows of a page can be running ones, so a table heading
that is repeated below a page's title stays text.
"""

import re
from collections import Counter
from collections.abc import Sequence

from ingest.document import Role
from ingest.pdf.draft import PageDraft, Row

TOP_SHARE, BOTTOM_SHARE = 0.13, 0.85  # of the page's height: where running rows stand
MAX_ROWS = 4  # at either end of a page
MIN_PAGES = 3  # that repeat a row; two in a short document
SHORT_DOCUMENT = 5  # pages
LEVEL_SHARE = 0.3  # of all pages: a height at which that many have repeated rows holds running rows on every page
NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.I)
PAGE_NUMBER = re.compile(
    r"\W*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,6}|[A-Z]?\d{1,2}-\d{1,3})(?:\s*(?:of|/)\s*\d+)?\W*", re.I
)


def mark_running(pages: Sequence[PageDraft]) -> None:
    """Gives the rows their HEADER and FOOTER roles."""
    for role in (Role.HEADER, Role.FOOTER):
        outer = [_outer_rows(page, role) for page in pages]
        running = _Running(outer, pages)
        for rows, page in zip(outer, pages, strict=True):
            for row in _running_rows(rows, page, role, running):
                row.role = role


def _running_rows(rows: Sequence[Row], page: PageDraft, role: Role, running: "_Running") -> Sequence[Row]:
    """From the outside in, as far as rows repeat, or stand where others do; white space must follow the last one."""
    count = 0
    for index, row in enumerate(rows):
        is_outermost = index == 0
        apart = _stands_apart(row, page)
        is_number = is_outermost and PAGE_NUMBER.fullmatch(row.text) and _is_near_edge(row, page, role)
        if apart and (is_number or running.stands_there(row, page) or running.repeats(row, page)):
            count = index + 1
        elif is_outermost and running.ends_pages(row):
            count = 1
        elif not running.repeats(row, page):
            break
    return rows[:count]


class _Running:
    """What repeats at one end of the pages: wordings at a height, and the heights themselves."""

    def __init__(self, outer: Sequence[Sequence[Row]], pages: Sequence[PageDraft]) -> None:
        self._enough = MIN_PAGES if len(pages) > SHORT_DOCUMENT else 2
        self._enough_levels = max(self._enough, LEVEL_SHARE * len(pages))
        keys = [{(_wording(row), _level(row, page)) for row in rows} for rows, page in zip(outer, pages, strict=True)]
        self._wordings = Counter(key for on_page in keys for key in on_page)
        self._outermost = Counter(_wording(rows[0]) for rows in outer if rows)
        self._levels = Counter(
            level for on_page in keys for level in {lvl for text, lvl in on_page if self._is_repeated(text, lvl)}
        )

    def repeats(self, row: Row, page: PageDraft) -> bool:
        return self._is_repeated(_wording(row), _level(row, page))

    def ends_pages(self, row: Row) -> bool:
        """Whether many pages begin or end so, at whatever height: pages printed from the web end where text ends."""
        return self._outermost[_wording(row)] >= self._enough_levels and "#" in _wording(row)

    def stands_there(self, row: Row, page: PageDraft) -> bool:
        """Whether the row stands at a height that holds running rows on many pages, whatever it says."""
        level = _level(row, page)
        return sum(self._levels[near] for near in (level - 1, level, level + 1)) >= self._enough_levels

    def _is_repeated(self, wording: str, level: int) -> bool:
        return sum(self._wordings[wording, near] for near in (level - 1, level, level + 1)) >= self._enough


def _outer_rows(page: PageDraft, role: Role) -> list[Row]:
    """Rows at the top (from the top down) or at the bottom (from the bottom up); at least one."""
    rows = [row for row in page.rows if row.role is not Role.FIGURE]
    if role is Role.HEADER:
        rows.sort(key=lambda row: row.box.y0)
    else:
        rows.sort(key=lambda row: -row.box.y1)
    near = [row for row in rows if _is_near_edge(row, page, role)]
    return rows[: max(1, min(len(near), MAX_ROWS))]


def _is_near_edge(row: Row, page: PageDraft, role: Role) -> bool:
    return row.box.y1 <= TOP_SHARE * page.height if role is Role.HEADER else row.box.y0 >= BOTTOM_SHARE * page.height


def _level(row: Row, page: PageDraft) -> int:
    """The row's height on the page in steps of about 7 points; neighbouring levels count as one."""
    return round((row.box.y0 + row.box.y1) / 2 / max(page.height, 1.0) * 120)


def _wording(row: Row) -> str:
    return NUMBER.sub("#", row.text).strip().lower()


def _stands_apart(row: Row, page: PageDraft) -> bool:
    """Whether white space separates the row from what follows towards the middle of the page."""
    height = row.box.y1 - row.box.y0
    others = [other.box for other in page.rows if other is not row]
    if row.box.y0 < page.height / 2:
        gaps = [box.y0 - row.box.y1 for box in others if box.y0 >= row.box.y1 - 0.3 * height]
    else:
        gaps = [row.box.y0 - box.y1 for box in others if box.y1 <= row.box.y0 + 0.3 * height]
    return not gaps or min(gaps) > 0.7 * height
