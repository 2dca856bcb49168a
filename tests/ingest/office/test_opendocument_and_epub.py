"""OpenDocument files made with odfpy, and EPUB books made by hand."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from odf import dc, draw, opendocument, presentation, style, table, text

from ingest.document import Heading, Link, Role, Severity
from ingest.errors import UnreadableSource, UnsupportedSource


def test_a_text_has_headings_lists_tables_and_notes(tmp_path: Path, read: Callable) -> None:
    odf = opendocument.OpenDocumentText()
    odf.meta.addElement(dc.Title(text="Lease"))
    odf.text.addElement(text.H(outlinelevel=2, text="Rent"))
    paragraph = text.P(text="Due")
    paragraph.addElement(text.S(c=2))
    paragraph.addElement(text.Span(text="monthly"))
    note = text.Note(noteclass="footnote", id="n1")
    note.addElement(text.NoteCitation(text="1"))
    body = text.NoteBody()
    body.addElement(text.P(text="on the 3rd"))
    note.addElement(body)
    paragraph.addElement(note)
    paragraph.addElement(text.A(href="https://example.org/", text=" here"))
    odf.text.addElement(paragraph)
    items = text.List()
    for words in ("one", "two"):
        item = text.ListItem()
        item.addElement(text.P(text=words))
        items.addElement(item)
    odf.text.addElement(items)
    grid = table.Table(name="T")
    for cells in (["item", "price"], ["rent", "900"]):
        row = table.TableRow()
        for words in cells:
            cell = table.TableCell()
            cell.addElement(text.P(text=words))
            row.addElement(cell)
        grid.addElement(row)
    odf.text.addElement(grid)
    odf.save(str(tmp_path / "a.odt"))

    document, problems = read(tmp_path / "a.odt")
    (page,) = document.pages
    assert page.text == ("Rent\nDue  monthly[1] here\n- one\n- two\n\nitem | price\nrent | 900\n\n[1] on the 3rd")
    assert document.headings == (Heading(2, "Rent", 1),)
    assert document.links == (Link(1, None, "https://example.org/"),)
    assert (document.metadata["title"], problems) == ("Lease", [])
    assert [span.role for span in page.spans] == [Role.HEADING, Role.TABLE, Role.TABLE]


def test_sheets_with_repeated_cells(tmp_path: Path, read: Callable) -> None:
    odf = opendocument.OpenDocumentSpreadsheet()
    sheet = table.Table(name="Costs")
    first = table.TableRow()
    for words, repeated in (("rent", 1), ("", 5), ("900", 2), ("", 16_000)):
        cell = table.TableCell(numbercolumnsrepeated=repeated)
        if words:
            cell.addElement(text.P(text=words))
        first.addElement(cell)
    gap = table.TableRow(numberrowsrepeated=2)
    gap.addElement(table.TableCell())
    last = table.TableRow()
    last.addElement(table.TableCell(valuetype="float", value="12.5"))
    rest = table.TableRow(numberrowsrepeated=1_048_000)
    rest.addElement(table.TableCell(numbercolumnsrepeated=16_384))
    for row in (first, gap, last, rest):
        sheet.addElement(row)
    odf.spreadsheet.addElement(sheet)
    odf.spreadsheet.addElement(table.Table(name="Empty"))
    odf.save(str(tmp_path / "a.ods"))
    document, problems = read(tmp_path / "a.ods")
    assert [(page.label, page.text) for page in document.pages] == [
        ("Costs", "rent | 900 | 900\n\n\n12.5"),
        ("Empty", ""),
    ]
    assert problems == []


def test_slides_have_titles_and_notes(tmp_path: Path, read: Callable) -> None:
    odf = opendocument.OpenDocumentPresentation()
    layout = style.PageLayout(name="L")
    odf.automaticstyles.addElement(layout)
    master = style.MasterPage(name="M", pagelayoutname=layout)
    odf.masterstyles.addElement(master)
    slide = draw.Page(masterpagename=master, name="page1")
    for kind, words in (("title", "Results"), ("outline", "Revenue grew")):
        frame = draw.Frame()
        frame.setAttrNS("urn:oasis:names:tc:opendocument:xmlns:presentation:1.0", "class", kind)
        box = draw.TextBox()
        box.addElement(text.P(text=words))
        frame.addElement(box)
        slide.addElement(frame)
    notes = presentation.Notes()
    frame, box = draw.Frame(), draw.TextBox()
    box.addElement(text.P(text="smile"))
    frame.addElement(box)
    notes.addElement(frame)
    slide.addElement(notes)
    odf.presentation.addElement(slide)
    odf.save(str(tmp_path / "a.odp"))
    (page,) = read(tmp_path / "a.odp")[0].pages
    assert (page.label, page.text) == ("Results", "Results\nRevenue grew\n\nNotes: smile")


CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>A  Book</dc:title><dc:creator>Ann</dc:creator></metadata><manifest>
<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>
<item id="two" href="text/two.xhtml"/><item id="one" href="text/one%20a.xhtml"/><item id="gone" href="gone.xhtml"/>
</manifest><spine><itemref idref="one"/><itemref idref="two"/><itemref idref="gone"/></spine></package>"""
NAV = '<html><body><nav><ol><li><a href="text/one%20a.xhtml#start">The start</a></li></ol></nav></body></html>'


def saved_book(path: Path, **more: str) -> Path:
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": PACKAGE,
        "OPS/nav.xhtml": NAV,
        "OPS/text/one a.xhtml": '<?xml version="1.0" encoding="utf-8"?><html><body><p>Once upon.</p></body></html>',
        "OPS/text/two.xhtml": "<html><body><h2>The end</h2><p>Grüße.</p></body></html>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | more).items():
            archive.writestr(name, content)
    return path


def test_chapters_are_pages_in_reading_order(tmp_path: Path, read: Callable) -> None:
    document, problems = read(saved_book(tmp_path / "a.epub"))
    assert [(page.page_no, page.label, page.text) for page in document.pages] == [
        (1, "The start", "Once upon."),
        (2, "The end", "The end\n\nGrüße."),
        (3, None, ""),
    ]
    assert document.headings == (Heading(1, "The start", 1), Heading(2, "The end", 2))
    assert document.metadata == {"title": "A Book", "author": "Ann"}
    assert [(problem.page_no, problem.severity, problem.why) for problem in problems] == [
        (3, Severity.LEFT_OUT, "The chapter OPS/gone.xhtml is listed but missing in the file.")
    ]


def test_protected_and_broken_books_are_refused(tmp_path: Path, read: Callable) -> None:
    drm = '<encryption><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></encryption>'
    with pytest.raises(UnsupportedSource, match=r"a\.epub is protected against copying \(DRM\)"):
        read(saved_book(tmp_path / "a.epub", **{"META-INF/encryption.xml": drm}))
    with pytest.raises(UnreadableSource, match="its package file 'other' is missing"):
        read(saved_book(tmp_path / "a.epub", **{"META-INF/container.xml": CONTAINER.replace("OPS/book.opf", "other")}))
    fonts = drm.replace("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding")
    assert len(read(saved_book(tmp_path / "b.epub", **{"META-INF/encryption.xml": fonts}))[0].pages) == 3
