"""Word files (.docx): paragraphs, headings, lists with their printed numbers, tables, notes, text in pictures.

Works on the XML that python-docx opened, because its paragraphs leave out what was inserted in revision mode, content
controls and text boxes. A Word file has no pages until it is printed: it is one page with lines.
"""

from collections.abc import Iterator

import docx
from docx.document import Document as WordDocument
from docx.opc.constants import CONTENT_TYPE
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from docx.oxml.xmlchemy import BaseOxmlElement as Element

from ingest.document import Document, Kind, Link, Problem, Role
from ingest.office.package import as_content_type, office_reader
from ingest.office.pictures import Pictures
from ingest.office.word_styles import Numbering, Styles
from ingest.options import ReadOptions
from ingest.page_text import PageText, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile

OTHER_TYPES = (  # of templates and files with macros
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
)
NOT_SHOWN = {qn(tag) for tag in ("w:del", "w:moveFrom", "w:txbxContent", "w:pPr", "w:rPr")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
CHARACTERS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
NOTE_PARTS = (("footnotes", "w:footnote"), ("endnotes", "w:endnote"), ("comments", "w:comment"))


@office_reader
def read_docx(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """One page: running headers, the body, notes and comments, running footers."""
    with as_content_type(file.path, CONTENT_TYPE.WML_DOCUMENT_MAIN, OTHER_TYPES) as stream:
        word = docx.Document(stream)
    page_text = PageText()
    pictures = Pictures(file.name, options)
    body = _Body(word, page_text, pictures)
    _write_margins(word, page_text, Role.HEADER)
    body.write(word.element.body)
    _write_notes(word, page_text)
    _write_margins(word, page_text, Role.FOOTER)
    document = Document(
        file.id,
        file.name,
        Kind.OFFICE,
        pages=(page_text.page(),),
        size_bytes=file.size_bytes,
        headings=tuple(page_text.headings),
        links=tuple(_links(word)),
        metadata=core_metadata(word.core_properties),
    )
    on_progress(1, 1)
    return document, pictures.problems() + empty_problems(file.name, document.pages)


def core_metadata(properties: object, author: str = "author") -> dict[str, str]:
    """Title, author, created and the like of an Open XML file; what is empty is left out."""
    found = {name: getattr(properties, name, None) for name in ("title", "subject", "keywords", "created")}
    found["author"] = getattr(properties, author, None)
    return {name: one_line(str(value)) for name, value in found.items() if value}


class _Body:
    """Writes blocks in the order of the file."""

    def __init__(self, word: WordDocument, page: PageText, pictures: Pictures) -> None:
        self._word = word
        self._page = page
        self._pictures = pictures
        self._styles = Styles(word)
        self._numbering = Numbering(word)

    def write(self, container: Element) -> None:
        for block in container:
            if block.tag == qn("w:p"):
                self._paragraph(block)
            elif block.tag == qn("w:tbl"):
                self._table(block)
            elif block.tag == qn("w:sdt"):
                content = block.find(qn("w:sdtContent"))
                if content is not None:
                    self.write(content)
            elif block.tag in (qn("w:ins"), qn("w:moveTo"), qn("w:customXml"), qn("w:smartTag")):
                self.write(block)

    def _paragraph(self, paragraph: Element) -> None:
        text = paragraph_text(paragraph)
        place = self._styles.list_place(paragraph)
        level = self._styles.heading_level(paragraph)
        label = self._numbering.label(*place) + " " if place and text.strip() else ""
        if level:
            self._page.heading(label.removeprefix("- ") + text, level)
        elif label:
            self._page.add("  " * place[1] + label + text.strip() if place else text)
        else:
            self._page.add(text)
        for box in _outermost(paragraph, qn("w:txbxContent")):
            self.write(box)
        for picture in paragraph.iter(qn("a:blip")):
            part = self._word.part.related_parts.get(picture.get(qn("r:embed"), ""))
            if part is not None:
                self._pictures.write(part.blob, self._page)

    def _table(self, table: Element) -> None:
        self._page.gap()
        for row in _own(table, "w:tr", "w:tbl"):
            cells = _own(row, "w:tc", "w:tr")
            self._page.row([" ".join(map(paragraph_text, cell.iter(qn("w:p")))) for cell in cells])
        self._page.gap()


def _own(parent: Element, tag: str, parent_tag: str) -> list[Element]:
    """Rows of this table, or cells of this row: not those of a table inside it, whose text is its cell's."""
    return [child for child in parent.iter(qn(tag)) if next(child.iterancestors(qn(parent_tag))) is parent]


def paragraph_text(paragraph: Element) -> str:
    """What the paragraph shows: with what was inserted in revision mode, without what was deleted."""
    return "".join(_pieces(paragraph))


def _pieces(element: Element) -> Iterator[str]:
    for child in element:
        if child.tag in NOT_SHOWN:
            continue
        if child.tag == qn("w:t"):
            yield child.text or ""
        elif child.tag in CHARACTERS:
            yield CHARACTERS[child.tag]
        elif child.tag in (qn("w:footnoteReference"), qn("w:endnoteReference")):
            yield f"[{child.get(qn('w:id'))}]"
        else:
            yield from _pieces(child)


def _outermost(paragraph: Element, tag: str) -> Iterator[Element]:
    """Text boxes of the paragraph: each once (Word writes a second copy for old readers), not those inside others."""
    for child in paragraph:
        if child.tag == tag:
            yield child
        elif not str(child.tag).endswith("}Fallback"):
            yield from _outermost(child, tag)


def _write_margins(word: WordDocument, page: PageText, role: Role) -> None:
    """Running headers or footers of all sections, each text once."""
    page.gap()
    seen: set[str] = set()
    for section in word.sections:
        kinds = (
            (section.header, section.first_page_header, section.even_page_header)
            if role is Role.HEADER
            else (section.footer, section.first_page_footer, section.even_page_footer)
        )
        for margin in kinds:
            if margin.is_linked_to_previous:
                continue
            for paragraph in margin._element.iter(qn("w:p")):
                text = one_line(paragraph_text(paragraph))
                if text and text not in seen:
                    seen.add(text)
                    page.add(text, role)
    page.gap()


def _write_notes(word: WordDocument, page: PageText) -> None:
    """Footnotes and endnotes as "[2] text", comments with their author."""
    for relation in word.part.rels.values():
        for kind, tag in NOTE_PARTS:
            if relation.is_external or not relation.reltype.endswith(f"/{kind}"):
                continue
            page.gap()
            for note in parse_xml(relation.target_part.blob).iter(qn(tag)):
                text = one_line(" ".join(map(paragraph_text, note.iter(qn("w:p")))))
                label = f"[{note.get(qn('w:id'))}]"
                if kind == "comments":
                    label = f"Comment by {note.get(qn('w:author'), 'unknown')}:"
                page.add(f"{label} {text}" if text else "")


def _links(word: WordDocument) -> Iterator[Link]:
    for relation in word.part.rels.values():
        if relation.is_external and relation.reltype.endswith("/hyperlink"):
            yield Link(1, None, relation.target_ref)
