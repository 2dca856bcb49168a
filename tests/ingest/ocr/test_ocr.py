"""Recognition, rotation and the pages built from them, on drawn pictures and, where present, on real scans."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.document import Box, Severity, TextOrigin
from ingest.ocr import Recognised, TextLine, page_from_recognised, recognise, recognition_problem, turned

DATA = Path(__file__).parents[4] / "shared/data/documents"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"real documents are missing: no folder {DATA}")


def line(text: str, x0: float, y0: float, x1: float, confidence: float = 0.99) -> TextLine:
    return TextLine(text, Box(x0, y0, x1, y0 + 20), confidence)


def test_lines_side_by_side_share_a_line_of_text_and_spans_stay_exact() -> None:
    lines = (line("SHOP", 10, 0, 60), line("TOTAL", 10, 40, 60), line("9.00", 200, 44, 240), line("Bye", 10, 80, 40))
    page = page_from_recognised(Recognised(0, lines), page_no=3, size_px=(300, 100), points_per_px=0.5, label="iii")
    assert page.text == "SHOP\nTOTAL  9.00\nBye"
    assert [page.text[span.start : span.end] for span in page.spans] == ["SHOP", "TOTAL", "9.00", "Bye"]
    assert page.spans[2].box == (100, 22, 120, 32)
    assert (page.page_no, page.label, page.width_pt, page.height_pt) == (3, "iii", 150, 50)


def test_a_turned_page_has_the_upright_size() -> None:
    page = page_from_recognised(Recognised(270, (line("a", 0, 0, 9),)), page_no=1, size_px=(300, 100))
    assert (page.width_pt, page.height_pt, page.rotation, page.origin) == (100, 300, 270, TextOrigin.OCR)


def test_problems_say_what_was_hard_to_read() -> None:
    nothing = recognition_problem(Recognised(0, ()), "a.png", 2)
    poor = recognition_problem(Recognised(0, (line("blurred", 0, 0, 9, 0.6),)), "a.png", 2)
    assert nothing is not None
    assert (nothing.page_no, nothing.severity, nothing.what) == (2, Severity.LEFT_OUT, "no text found")
    assert poor is not None
    assert (poor.severity, poor.why) == (
        Severity.DEGRADED,
        "The text was recognised with 60% confidence; words may be wrong.",
    )
    assert recognition_problem(Recognised(0, (line("clear", 0, 0, 9),)), "a.png", 2) is None


def test_a_blank_page_has_no_lines() -> None:
    assert recognise(Image.new("L", (200, 200), 255)) == Recognised(0, ())


def test_a_till_roll_is_read_to_its_end() -> None:
    picture = Image.new("RGB", (400, 6000), "white")
    pen = ImageDraw.Draw(picture)
    for row in range(40):
        pen.text((30, 20 + 150 * row), f"Item number {row + 1}", fill="black", font=ImageFont.load_default(28))
    found = recognise(picture, find_rotation=False)
    assert [text.text for text in found.lines] == [f"Item number {row + 1}" for row in range(40)]
    assert found.lines[39].box.y0 == pytest.approx(5870, abs=12)


def test_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    recognise(Image.new("RGB", (100, 100), "white"))
    assert capfd.readouterr() == ("", "")


@needs_data
def test_a_receipts_total_stands_on_one_line_of_text() -> None:
    with Image.open(DATA / "receipts/000.jpg") as picture:
        page = page_from_recognised(recognise(picture), page_no=1, size_px=picture.size)
    key = json.loads((DATA / "receipts/000.key.json").read_text())
    total = next(text for text in page.text.split("\n") if text.startswith("Total"))
    assert total.endswith(key["total"])
    assert key["date"] in page.text


@needs_data
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_of_a_real_scan_is_found(rotation: int) -> None:
    with Image.open(DATA / "scans/phototest.tif") as picture:
        found = recognise(turned(picture.convert("RGB"), (360 - rotation) % 360))
    assert found.rotation == rotation
    assert found.lines[0].text == "This is a lot of 12 point text to test the"
