"""HTML as a person reads it: headings, paragraphs, lists, tables as rows, code; without scripts and hidden parts.

Owns the walk over the parsed tree, which EPUB chapters and mails share. Parsing is lxml's, through Beautiful Soup.
The walk keeps its own stack: pages may nest deeper than Python recurses.
"""

import re

from bs4 import BeautifulSoup
from bs4.element import CData, NavigableString, PageElement, Tag

from ingest.document import Document, Kind, Link, Problem, Role
from ingest.options import ReadOptions
from ingest.page_text import PageText, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile
from ingest.text.decoding import Decoded, decoded

NOT_SHOWN = ["script", "style", "template", "noscript", "svg", "iframe", "object", "head"]
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
SPACED = (*("p", "blockquote", "ul", "ol", "dl", "table", "section", "article", "figure", "hr"), *HEADINGS)
BLOCKS = (
    *SPACED,
    *("div", "li", "dt", "dd", "tr", "td", "th", "caption", "header", "footer", "main", "nav", "aside", "form"),
    *("fieldset", "legend", "address", "figcaption", "details", "summary", "body", "html", "option", "br"),
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""")


def read_html(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """One page: the page's text as shown, not its source."""
    found = decoded_html(file.path.read_bytes(), file.name)
    soup = BeautifulSoup(found.text, "lxml")
    metadata = html_metadata(soup)
    page_text = PageText()
    links = write_html(soup, page_text)
    page = page_text.page()
    document = Document(
        file.id,
        file.name,
        Kind.TEXT,
        pages=(page,),
        size_bytes=file.size_bytes,
        headings=tuple(page_text.headings),
        links=tuple(links),
        metadata=metadata,
    )
    on_progress(1, 1)
    problems = [found.problem] if found.problem else []
    return document, problems + empty_problems(file.name, document.pages)


def decoded_html(data: bytes, name: str) -> Decoded:
    """As the page's own declaration says, unless it is plainly something else."""
    declared = _DECLARED.search(data[:4096])
    return decoded(data, name, declared[1].decode("ascii") if declared else None)


def html_metadata(soup: BeautifulSoup) -> dict[str, str]:
    metadata = {}
    if soup.title and (title := one_line(soup.title.get_text())):
        metadata["title"] = title
    author = soup.find("meta", attrs={"name": "author"})
    if isinstance(author, Tag) and (name := one_line(str(author.get("content", "")))):
        metadata["author"] = name
    return metadata


def write_html(soup: BeautifulSoup, page: PageText) -> list[Link]:
    """Writes the tree's readable text to `page`; removes what is not shown from the tree. Returns its links."""
    for tag in soup.find_all(_is_not_shown):
        if not tag.decomposed:
            tag.decompose()
    links = [
        Link(page.page_no, None, target)
        for anchor in soup.find_all("a", href=True)
        if (target := str(anchor["href"]).strip()) and not target.startswith(("#", "javascript:"))
    ]
    _Writer(page).write(soup)
    return links


def _is_not_shown(tag: Tag) -> bool:
    return tag.name in NOT_SHOWN or tag.has_attr("hidden") or bool(_HIDDEN.search(str(tag.get("style", ""))))


class _Writer:
    """Collects inline text and hands it to the page at every border of a block."""

    def __init__(self, page: PageText) -> None:
        self._page = page
        self._inline: list[str] = []
        self._prefix = ""
        self._counters: list[int | None] = []  # one for each open list: the next number, None for bullets

    def write(self, root: Tag) -> None:
        stack: list[tuple[PageElement, bool]] = [(root, False)]  # a node, and whether the walk leaves it
        while stack:
            node, is_end = stack.pop()
            if isinstance(node, Tag):
                if not self._is_written(node, is_end) and not is_end:
                    stack.append((node, True))
                    stack += [(child, False) for child in reversed(node.contents)]
            elif type(node) in (NavigableString, CData):  # comments and the like are subclasses
                self._inline.append(str(node))
        self._flush()

    def _is_written(self, tag: Tag, is_end: bool) -> bool:
        """Writes what the tag's border means; true when the tag was written whole and is not to be walked."""
        if tag.name in BLOCKS:
            level = HEADINGS.index(tag.name) + 1 if is_end and tag.name in HEADINGS else None
            self._flush(level)
            if tag.name in SPACED and not self._counters:
                self._page.gap()
        if tag.name in ("ul", "ol"):
            self._list(tag, is_end)
        if is_end:
            self._prefix = "" if tag.name == "li" else self._prefix
            return False
        if tag.name == "li":
            self._prefix = self._bullet()
        elif tag.name == "img" and (alt := one_line(str(tag.get("alt", "")))):
            self._inline.append(f" [{alt}] ")
        elif tag.name == "pre":
            self._flush()
            self._page.gap()
            self._page.add(tag.get_text().strip("\n"), Role.CODE)
            return True
        elif tag.name == "table" and _is_data_table(tag):
            for row in tag.find_all("tr"):
                self._page.row([_cell_text(cell) for cell in row.find_all(["td", "th"])])
            return True
        return False

    def _list(self, tag: Tag, is_end: bool) -> None:
        if not is_end:
            self._counters.append(1 if tag.name == "ol" else None)
        elif self._counters:
            self._counters.pop()

    def _bullet(self) -> str:
        indent = "  " * max(0, len(self._counters) - 1)
        number = self._counters[-1] if self._counters else None
        if number is None:
            return f"{indent}- "
        self._counters[-1] = number + 1
        return f"{indent}{number}. "

    def _flush(self, heading_level: int | None = None) -> None:
        text = one_line("".join(self._inline))
        self._inline.clear()
        if not text:
            return
        if heading_level:
            self._page.heading(text, heading_level)
        else:
            self._page.add(self._prefix + text)
        self._prefix = ""


def _cell_text(cell: Tag) -> str:
    return cell.get_text(" " if cell.find(list(BLOCKS)) else "")


def _is_data_table(table: Tag) -> bool:
    """Whether cells are values; a table that holds blocks of a page is there for the layout."""
    return not table.find(["table", "pre", "ul", "ol", *HEADINGS])
