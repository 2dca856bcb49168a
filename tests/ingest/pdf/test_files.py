"""Files as a whole: what is refused and in which words, pages, labels, links, metadata, passwords, turned pages."""

import io
import zlib
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from PIL import Image

from ingest.document import Box, Kind, Page, Severity
from ingest.errors import PasswordRequired, SourceTooLarge, UnreadableSource
from ingest.options import Limits, PageRange, ReadOptions
from ingest.pdf import render_pdf_page
from ingest.serial import from_json, to_json
from tests.ingest.pdf.pdfs import SENTENCE, lines, made, read, shared


def numbered(count: int) -> list[Any]:
    return [lambda page, n=n: lines(page, 50, 100, [f"This is page {n}"]) for n in range(1, count + 1)]


def test_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.pdf"
    path.touch()
    with pytest.raises(UnreadableSource, match=r"^empty\.pdf is empty \(0 bytes\); hand over a PDF file with content$"):
        read(path)


def test_wrong_extension_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.pdf"
    Image.new("L", (9, 9)).save(path, "PNG")
    with pytest.raises(UnreadableSource, match=r"photo\.pdf is not a PDF file: it begins with b'\\x89PNG"):
        read(path)


def test_corrupt_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "corrupt.pdf"
    path.write_bytes(b"%PDF-1.7\n" + b"garbage " * 200)
    with pytest.raises(UnreadableSource, match=r"corrupt\.pdf (is damaged beyond repair|has no pages|has a damaged)"):
        read(path)
    assert capfd.readouterr().err == ""


def test_truncated_file_is_repaired_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = made(tmp_path / "whole.pdf", *numbered(3))
    path = tmp_path / "cut.pdf"
    path.write_bytes(whole.read_bytes()[:-300])
    document, problems = read(path)
    assert [page.text for page in document.pages] == ["This is page 1", "This is page 2", "This is page 3"]
    assert [(p.page_no, p.what, p.severity) for p in problems] == [(None, "damaged file", Severity.DEGRADED)]
    assert capfd.readouterr().err == ""


def test_file_without_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.pdf"
    path.write_bytes(
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\n"
        b"endobj\ntrailer\n<< /Size 3 /Root 1 0 R >>\n%%EOF"
    )
    with pytest.raises(UnreadableSource, match=r"^none\.pdf has no pages"):
        read(path)


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "long.pdf", *numbered(4))
    with pytest.raises(SourceTooLarge, match=r"^long\.pdf has 4 pages, more than the 3 allowed"):
        read(path, ReadOptions(limits=Limits(max_pages=3)))


@pytest.mark.parametrize("layers", [1, 2])
def test_stream_that_explodes_is_refused(tmp_path: Path, layers: int) -> None:
    path = made(tmp_path / "bomb.pdf", *numbered(1))
    data = b" " * (80 << 20)
    for _ in range(layers):
        data = zlib.compress(data, 9)
    pdf = pymupdf.open(path)
    xref = pdf[0].get_contents()[0]
    pdf.update_stream(xref, data, compress=False)
    pdf.xref_set_key(xref, "Filter", f"[{' /FlateDecode' * layers}]")
    pdf.save(tmp_path / "armed.pdf")
    with pytest.raises(SourceTooLarge, match=r"armed\.pdf holds a stream \(object \d+\) .* more than 64 MiB"):
        read(tmp_path / "armed.pdf")


def encrypted(path: Path) -> Path:
    pdf = pymupdf.open(made(path.with_name("open.pdf"), *numbered(1)))
    pdf.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="leaf", owner_pw="owner")
    return path


def test_password_is_asked_for(tmp_path: Path) -> None:
    path = encrypted(tmp_path / "secret.pdf")
    with pytest.raises(PasswordRequired, match=r"^secret\.pdf is encrypted and no password was given; give its"):
        read(path)
    with pytest.raises(PasswordRequired, match=r"^secret\.pdf is encrypted and the password given does not open it"):
        read(path, ReadOptions(password="wrong"))
    document, _ = read(path, ReadOptions(password="leaf"))
    assert document.pages[0].text == "This is page 1"
    assert render_pdf_page(path, document.pages[0], 30, "leaf").startswith(b"\x89PNG")


def test_page_range_keeps_the_page_numbers(tmp_path: Path) -> None:
    path = made(tmp_path / "pages.pdf", *numbered(9))
    document, problems = read(path, ReadOptions(pages=PageRange.parse("2,5-6")))
    assert [(page.page_no, page.text) for page in document.pages] == [(n, f"This is page {n}") for n in (2, 5, 6)]
    assert problems == []


def test_labels_metadata_and_json(tmp_path: Path) -> None:
    path = tmp_path / "meta.pdf"
    pdf = pymupdf.open(made(tmp_path / "plain.pdf", *numbered(4)))
    pdf.set_metadata({"title": "  A   title ", "author": "Ada", "creationDate": "D:20240131120500+01'00'"})
    pdf.set_page_labels([{"startpage": 0, "style": "r"}, {"startpage": 2, "style": "D", "firstpagenum": 1}])
    pdf.save(path)
    document, _ = read(path)
    assert [page.label for page in document.pages] == ["i", "ii", "1", "2"]
    assert document.kind is Kind.PDF
    assert document.metadata == {"title": "A title", "author": "Ada", "created": "2024-01-31T12:05:00"}
    assert from_json(to_json(document)) == document


def test_links_inside_and_outside(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        lines(page, 50, 100, [SENTENCE])
        page.insert_link({"kind": pymupdf.LINK_URI, "from": pymupdf.Rect(50, 90, 150, 104), "uri": "https://a.org/b"})

    path = tmp_path / "links.pdf"
    pdf = pymupdf.open(made(tmp_path / "plain.pdf", draw, *numbered(2)))
    inner = {"kind": pymupdf.LINK_GOTO, "from": pymupdf.Rect(50, 190, 90, 204), "page": 2, "to": pymupdf.Point(0, 0)}
    pdf[1].insert_link(inner)
    pdf.save(path)
    document, _ = read(path)
    assert [(link.page_no, link.target) for link in document.links] == [(1, "https://a.org/b"), (2, "#page=3")]
    assert document.links[0].box == pytest.approx((50, 90, 150, 104), abs=0.1)


def dark_share(path: Path, page: Page, box: Box) -> float:
    """Share of dark pixels of the page inside the box, at two pixels a point."""
    image = Image.open(io.BytesIO(render_pdf_page(path, page, 144))).convert("L")
    assert page.width_pt is not None
    assert page.height_pt is not None
    assert image.size == pytest.approx((2 * page.width_pt, 2 * page.height_pt), abs=1)
    inside = image.crop(tuple(round(2 * value) for value in box))
    return sum(inside.histogram()[:128]) / max(sum(image.histogram()[:128]), 1)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_boxes_of_turned_pages_are_where_a_person_sees_them(tmp_path: Path, rotate: int) -> None:
    def draw(page: Any) -> None:
        lines(page, 100, 100, [SENTENCE])
        page.set_rotation(rotate)

    path = made(tmp_path / "turned.pdf", draw)
    page = read(path)[0].pages[0]
    assert page.text == SENTENCE
    assert len(page.spans) == 1
    box = page.spans[0].box
    assert box is not None
    assert box.x1 - box.x0 > 10 * (box.y1 - box.y0)  # upright, whatever /Rotate says
    assert dark_share(path, page, box) > 0.99


def test_text_that_runs_up_an_upright_page_is_turned(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        for i in range(4):
            page.insert_text((100 + 14 * i, 700), f"{SENTENCE} {i}", fontsize=10, rotate=90)

    path = made(tmp_path / "landscape.pdf", draw)
    page = read(path)[0].pages[0]
    assert (page.rotation, page.width_pt, page.height_pt) == (90, 842, 595)
    assert page.text.split("\n") == [f"{SENTENCE} {i}" for i in range(4)]
    box = page.spans[0].box
    assert box is not None
    assert dark_share(path, page, box) > 0.2


def test_drawing_a_missing_page_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "short.pdf", *numbered(1))
    with pytest.raises(UnreadableSource, match=r"^page 7 of short\.pdf is missing or damaged"):
        render_pdf_page(path, Page(page_no=7, text=""), 72)


def test_progress_is_told_for_every_page(tmp_path: Path) -> None:
    from ingest.pdf import read_pdf
    from ingest.reader import SourceFile

    told: list[tuple[int, int]] = []
    path = made(tmp_path / "pages.pdf", *numbered(3))
    read_pdf(SourceFile.of(path), ReadOptions(), lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_damaged_page_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    pdf = pymupdf.open(made(tmp_path / "whole.pdf", *numbered(3)))
    pdf.update_object(pdf[1].xref, "[ 1 2 3 ]")
    path = tmp_path / "hole.pdf"
    pdf.save(path)
    document, problems = read(path)
    assert [page.text for page in document.pages if page.text] == ["This is page 1", "This is page 3"]
    assert (problems[0].page_no, problems[0].severity) == (2, Severity.LEFT_OUT)
    assert problems[0].why.startswith("Page 2 is damaged (")


def test_broken_content_is_told(tmp_path: Path) -> None:
    pdf = pymupdf.open(made(tmp_path / "whole.pdf", *numbered(2)))
    xref = pdf[1].get_contents()[0]
    pdf.update_stream(xref, pdf.xref_stream(xref) + b"BT (unfinished >> ]] endobj")
    path = tmp_path / "broken.pdf"
    pdf.save(path)
    document, problems = read(path)
    assert document.pages[1].text == "This is page 2"
    assert [(problem.page_no, problem.severity) for problem in problems] == [(2, Severity.DEGRADED)]


@pytest.mark.parametrize("name", ["debian-faq.en", "fhs-3.0", "maint-guide.en"])
def test_real_manual_loses_no_words(name: str) -> None:
    path = shared("manuals", f"{name}.pdf")
    document, _ = read(path, ReadOptions(ocr=False))
    with pymupdf.open(path) as pdf:
        for page in document.pages:
            words = set(pdf[page.page_no - 1].get_text().replace(".", " ").split())
            found = page.text.replace(".", " ").replace("…", " ")
            missing = {word for word in words if word not in found}
            assert len(missing) <= 0.03 * len(words), (page.page_no, missing)
