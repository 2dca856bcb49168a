"""Word files made with python-docx, and what it does not show."""

import io
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from docx.document import Document as WordDocument
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from PIL import Image, ImageDraw, ImageFont

from ingest.document import Heading, Kind, Role
from ingest.office.word_styles import _formatted
from ingest.options import ReadOptions

CLAUSES = """<w:abstractNum %s w:abstractNumId="77">
<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%%1.%%2"/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%%3)"/></w:lvl>
</w:abstractNum>"""


def text_of(document: object, role: Role) -> list[str]:
    page = document.pages[0]
    return [page.text[span.start : span.end] for span in page.spans if span.role is role]


def test_headings_tables_lists_margins_and_comments(tmp_path: Path, read: Callable) -> None:
    word = docx.Document()
    word.core_properties.title = "Lease"
    word.add_heading("Lease", 0)
    word.add_heading("Rent", 2)
    for text in ("First", "Second"):
        word.add_paragraph(text, style="List Number")
    word.add_paragraph("Bullet", style="List Bullet")
    paragraph = word.add_paragraph("Due on the 3rd.")
    table = word.add_table(2, 2)
    for cell, text in zip(table._cells, ["item", "price", "", ""], strict=True):
        cell.text = text
    table.cell(1, 0).text = "rent"
    table.cell(1, 1).add_table(1, 1).cell(0, 0).text = "900"
    word.sections[0].header.paragraphs[0].text = "Confidential"
    word.sections[0].footer.paragraphs[0].text = "Page 1"
    word.add_comment(paragraph.runs[0], "the 5th?", author="Bob")
    word.save(tmp_path / "a.docx")

    document, problems = read(tmp_path / "a.docx")
    assert document.pages[0].text == (
        "Confidential\n\nLease\n\nRent\n1. First\n2. Second\n- Bullet\nDue on the 3rd.\n\nitem | price\nrent | 900\n\n"
        "Comment by Bob: the 5th?\n\nPage 1"
    )
    assert document.headings == (Heading(1, "Lease", 1), Heading(2, "Rent", 1))
    assert (document.kind, document.metadata["title"], problems) == (Kind.OFFICE, "Lease", [])
    assert text_of(document, Role.HEADING) == ["Lease", "Rent"]
    assert text_of(document, Role.TABLE) == ["item | price", "rent | 900"]
    assert text_of(document, Role.HEADER) == ["Confidential"]
    assert text_of(document, Role.FOOTER) == ["Page 1"]


def numbered(word: WordDocument, text: str, level: int) -> None:
    properties = word.add_paragraph(text)._p.get_or_add_pPr()
    properties.append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="78"/></w:numPr>'))


def test_clauses_have_their_printed_numbers(tmp_path: Path, read: Callable) -> None:
    word = docx.Document()
    root = word.part.numbering_part.element
    root.insert(0, parse_xml(CLAUSES % nsdecls("w")))
    root.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="78"><w:abstractNumId w:val="77"/></w:num>'))
    for text, level in [("Term", 0), ("Start", 1), ("early", 2), ("late", 2), ("End", 1), ("Law", 0), ("Court", 1)]:
        numbered(word, text, level)
    word.save(tmp_path / "a.docx")
    document, _ = read(tmp_path / "a.docx")
    assert document.pages[0].text.split("\n") == [
        "3. Term",
        "  3.1 Start",
        "    (a) early",
        "    (b) late",
        "  3.2 End",
        "4. Law",
        "  4.1 Court",
    ]


@pytest.mark.parametrize(
    ("number", "number_format", "shown"),
    [(4, "lowerRoman", "iv"), (1999, "upperRoman", "MCMXCIX"), (28, "lowerLetter", "bb"), (7, "decimalZero", "07")],
)
def test_number_formats(number: int, number_format: str, shown: str) -> None:
    assert _formatted(number, number_format) == shown


def test_what_was_inserted_deleted_or_boxed(tmp_path: Path, read: Callable) -> None:
    word = docx.Document()
    paragraph = word.add_paragraph("Price ")
    for xml in (
        '<w:ins %s w:id="1" w:author="x"><w:r><w:t>900 </w:t></w:r></w:ins>',
        '<w:del %s w:id="2" w:author="x"><w:r><w:delText>800 </w:delText></w:r></w:del>',
        '<w:moveFrom %s w:id="3" w:author="x"><w:r><w:t>gone</w:t></w:r></w:moveFrom>',
        "<w:sdt %s><w:sdtContent><w:r><w:t>EUR</w:t></w:r></w:sdtContent></w:sdt>",
        "<w:r %s><w:pict><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>",
    ):
        paragraph._p.append(parse_xml(xml % nsdecls("w")))
    word.element.body.insert(
        1,
        parse_xml(
            f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        ),
    )
    word.save(tmp_path / "a.docx")
    assert read(tmp_path / "a.docx")[0].pages[0].text == "Price 900 EUR\nin a box\nin a control"


def test_text_in_a_picture_is_a_figure(tmp_path: Path, read: Callable) -> None:
    picture = Image.new("RGB", (500, 100), "white")
    ImageDraw.Draw(picture).text((20, 30), "Figure text 42", fill="black", font=ImageFont.load_default(32))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    word = docx.Document()
    word.add_paragraph("Before")
    word.add_picture(stream)
    word.add_picture(stream)
    word.add_paragraph("After")
    word.save(tmp_path / "a.docx")
    document, problems = read(tmp_path / "a.docx")
    assert document.pages[0].text == "Before\nFigure text 42\nAfter"
    assert text_of(document, Role.FIGURE) == ["Figure text 42"]
    assert problems == []
    assert read(tmp_path / "a.docx", ReadOptions(ocr=False))[0].pages[0].text == "Before\nAfter"


def test_a_picture_that_cannot_be_read_is_a_problem(tmp_path: Path, read: Callable) -> None:
    stream = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(stream, "PNG")
    word = docx.Document()
    word.add_picture(stream)
    part = next(part for part in word.part.related_parts.values() if part.partname.endswith(".png"))
    part._blob = stream.getvalue()[:500]
    word.save(tmp_path / "a.docx")
    _, problems = read(tmp_path / "a.docx")
    assert [problem.what for problem in problems] == ["pictures not read", "no text found"]
    assert problems[0].why.startswith("1 pictures could not be read; the first: a picture is damaged or cut off")


def test_templates_and_files_with_macros_are_read(tmp_path: Path, read: Callable) -> None:
    word = docx.Document()
    word.add_paragraph("Text of a template")
    word.part._content_type = "application/vnd.ms-word.document.macroEnabled.main+xml"
    word.save(tmp_path / "a.docm")
    with pytest.raises(ValueError, match="not a Word file"):
        docx.Document(str(tmp_path / "a.docm"))
    assert read(tmp_path / "a.docm")[0].pages[0].text == "Text of a template"
