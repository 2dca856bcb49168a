"""OpenDocument files (.odt, .ods, .odp): texts as one page, a sheet or a slide a page. Parsing is odfpy's."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from odf import opendocument  # type: ignore[import-untyped]
from odf.namespaces import (  # type: ignore[import-untyped]
    DCNS,
    DRAWNS,
    METANS,
    OFFICENS,
    PRESENTATIONNS,
    TABLENS,
    TEXTNS,
    XLINKNS,
)

from ingest.document import Document, Kind, Link, Page, Problem
from ingest.errors import SourceTooLarge, UnreadableSource
from ingest.office.package import office_reader
from ingest.office.pictures import Pictures
from ingest.office.sheets import Row, sheet_page
from ingest.options import ReadOptions
from ingest.page_text import PageText, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile

Node = Any  # odfpy is untyped: an element has qname, childNodes, attributes; a text node has data
MAX_REPEATS = 1000  # of a filled row or cell: a sheet may say "this row, a million times"
NOT_SHOWN = {(TEXTNS, "tracked-changes"), (OFFICENS, "forms"), (TEXTNS, "sequence-decls"), (OFFICENS, "annotation-end")}
METADATA = {
    (DCNS, "title"): "title",
    (METANS, "initial-creator"): "author",
    (DCNS, "creator"): "author",
    (METANS, "creation-date"): "created",
    (DCNS, "subject"): "subject",
}


@office_reader
def read_odf(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    odf = opendocument.load(str(file.path))
    pictures = Pictures(file.name, options)
    writer = _Writer(odf, pictures)
    pages = list(_pages(odf, writer, file.name, options, on_progress))
    document = Document(
        file.id,
        file.name,
        Kind.OFFICE,
        pages=tuple(pages),
        size_bytes=file.size_bytes,
        headings=tuple(chain.from_iterable(page_text.headings for page_text in writer.written)),
        links=tuple(writer.links),
        metadata=_metadata(odf),
    )
    is_sheets = hasattr(odf, "spreadsheet")
    blank = [] if is_sheets and any(page.text for page in pages) else empty_problems(file.name, pages)
    return document, pictures.problems() + blank


def _pages(odf: Node, writer: "_Writer", name: str, options: ReadOptions, on_progress: OnProgress) -> Iterator[Page]:
    if hasattr(odf, "text"):
        parts = [odf.text]
    elif hasattr(odf, "spreadsheet"):
        parts = _children(odf.spreadsheet, TABLENS, "table")
    elif hasattr(odf, "presentation"):
        parts = _children(odf.presentation, DRAWNS, "page")
    else:
        raise UnreadableSource(f"{name} is an OpenDocument file of {odf.mimetype}; texts, sheets and slides are read")
    if len(parts) > options.limits.max_pages:
        raise SourceTooLarge(f"{name} has {len(parts)} pages; at most {options.limits.max_pages} are read: split it")
    wanted = options.page_numbers(len(parts))
    on_progress(0, len(wanted))
    for done, page_no in enumerate(wanted, start=1):
        part = parts[page_no - 1]
        if hasattr(odf, "spreadsheet"):
            yield sheet_page(_rows(part), page_no, _attribute(part, TABLENS, "name"))
        else:
            yield writer.page(part, page_no)
        on_progress(done, len(wanted))


class _Writer:
    """Writes texts and slides block by block."""

    def __init__(self, odf: Node, pictures: Pictures) -> None:
        self.written: list[PageText] = []
        self.links: list[Link] = []
        self._odf = odf
        self._pictures = pictures
        self._page = PageText()
        self._notes: list[str] = []

    def page(self, part: Node, page_no: int) -> Page:
        self._page = PageText(page_no)
        self.written.append(self._page)
        self._blocks(part)
        self._page.gap()
        for note in self._notes:
            self._page.add(note)
        self._notes.clear()
        titles = [heading.title for heading in self._page.headings] if part.qname == (DRAWNS, "page") else []
        return self._page.page(label=titles[0] if titles else _attribute(part, DRAWNS, "name") or None)

    def _blocks(self, parent: Node, indent: int = 0) -> None:
        for node in parent.childNodes:
            name = getattr(node, "qname", None)
            if name is None or name in NOT_SHOWN:
                continue
            if name == (TEXTNS, "h"):
                self._page.heading(self._text(node), int(_attribute(node, TEXTNS, "outline-level") or 1))
            elif name == (TEXTNS, "p"):
                self._page.add("  " * indent + self._text(node).strip())
                self._framed(node)
            elif name == (TEXTNS, "list"):
                self._list(node, indent)
            elif name == (TABLENS, "table"):
                self._page.gap()
                for row in _rows(node).values():
                    self._page.row([row.get(column, "") for column in range(max(row) + 1)])
                self._page.gap()
            elif name == (DRAWNS, "image"):
                self._picture(node)
            elif name == (DRAWNS, "frame") and _attribute(node, PRESENTATIONNS, "class") == "title":
                self._page.heading(self._text(node), 1)
            elif name == (PRESENTATIONNS, "notes"):
                notes = one_line(_plain_text(node))
                self._notes += [f"Notes: {notes}"] if notes else []
            else:
                self._blocks(node, indent)

    def _list(self, node: Node, indent: int) -> None:
        for item in node.childNodes:
            for number, block in enumerate(getattr(item, "childNodes", [])):
                if getattr(block, "qname", None) == (TEXTNS, "list"):
                    self._list(block, indent + 1)
                elif hasattr(block, "qname"):
                    self._page.add("  " * indent + ("- " if number == 0 else "  ") + self._text(block).strip())
                    self._framed(block)

    def _text(self, node: Node) -> str:
        """The words of a paragraph. Its footnotes and comments are set aside for the end of the page."""
        return "".join(self._pieces(node))

    def _pieces(self, node: Node) -> Iterator[str]:
        for child in node.childNodes:
            name = getattr(child, "qname", None)
            if name is None:
                yield getattr(child, "data", "")
            elif name == (TEXTNS, "s"):
                yield " " * int(_attribute(child, TEXTNS, "c") or 1)
            elif name == (TEXTNS, "tab"):
                yield "\t"
            elif name == (TEXTNS, "line-break"):
                yield "\n"
            elif name == (TEXTNS, "note"):
                yield self._note(child)
            elif name == (OFFICENS, "annotation"):
                self._notes.append("Comment: " + one_line(_plain_text(child)))
            elif name == (TEXTNS, "a"):
                self.links.append(Link(self._page.page_no, None, _attribute(child, XLINKNS, "href")))
                yield from self._pieces(child)
            elif name not in ((DRAWNS, "frame"), *NOT_SHOWN) or node.qname == (DRAWNS, "page"):
                yield from self._pieces(child)

    def _note(self, note: Node) -> str:
        citation, body = (one_line(_plain_text(part)) for part in note.childNodes[:2])
        self._notes.append(f"[{citation}] {body}")
        return f"[{citation}]"

    def _framed(self, paragraph: Node) -> None:
        """Text boxes and pictures that a paragraph anchors."""
        for node in paragraph.childNodes:
            if getattr(node, "qname", None) == (DRAWNS, "frame"):
                self._blocks(node)
            elif hasattr(node, "qname") and node.qname not in ((TEXTNS, "note"), (OFFICENS, "annotation")):
                self._framed(node)

    def _picture(self, image: Node) -> None:
        found = self._odf.Pictures.get(_attribute(image, XLINKNS, "href"))
        if found and isinstance(found[1], bytes):
            self._pictures.write(found[1], self._page)


def _rows(table: Node) -> dict[int, Row]:
    """The table's rows that hold something, by number from 1."""
    rows: dict[int, Row] = {}
    row_no = 1
    for node in _table_rows(table):
        row = _row(node)
        repeats = int(_attribute(node, TABLENS, "number-rows-repeated") or 1)
        if row:
            rows.update((row_no + offset, row) for offset in range(min(repeats, MAX_REPEATS)))
        row_no += repeats
    return rows


def _table_rows(node: Node) -> Iterator[Node]:
    """Also those inside groups and heads, not those of a table in a cell."""
    for child in node.childNodes:
        name = getattr(child, "qname", (None, ""))
        if name == (TABLENS, "table-row"):
            yield child
        elif name[0] == TABLENS and name[1] in ("table-rows", "table-row-group", "table-header-rows"):
            yield from _table_rows(child)


def _row(node: Node) -> Row:
    row: Row = {}
    column = 0
    for cell in node.childNodes:
        if getattr(cell, "qname", None) not in ((TABLENS, "table-cell"), (TABLENS, "covered-table-cell")):
            continue
        text = one_line(" ".join(_plain_text(part) for part in cell.childNodes)) or _attribute(cell, OFFICENS, "value")
        repeats = int(_attribute(cell, TABLENS, "number-columns-repeated") or 1)
        if text:
            row.update((column + offset, text) for offset in range(min(repeats, MAX_REPEATS)))
        column += repeats
    return row


def _plain_text(node: Node) -> str:
    if not hasattr(node, "qname"):
        return str(getattr(node, "data", ""))
    if node.qname == (OFFICENS, "annotation"):
        return ""
    separator = "" if node.qname in ((TEXTNS, "p"), (TEXTNS, "span"), (TEXTNS, "a")) else " "
    return separator.join(_plain_text(child) for child in node.childNodes)


def _children(node: Node, namespace: str, name: str) -> list[Node]:
    return [child for child in node.childNodes if getattr(child, "qname", None) == (namespace, name)]


def _attribute(node: Node, namespace: str, name: str) -> str:
    return str((node.attributes or {}).get((namespace, name)) or "")


def _metadata(odf: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in odf.meta.childNodes:
        name = METADATA.get(getattr(node, "qname", ("", "")))
        if name and (value := one_line(_plain_text(node))):
            found.setdefault(name, value)
    return found
