"""read_image and render_image_page on pictures drawn here, good and bad."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.document import Document, Kind, Page, Problem, Severity, TextOrigin
from ingest.errors import SourceTooLarge, UnreadableSource
from ingest.image import SUFFIXES, read_image, render_image_page
from ingest.image.pixels import flattened
from ingest.options import Limits, PageRange, ReadOptions
from ingest.reader import SourceFile

LINES = ("Invoice number 4711", "Total amount 129.50", "Thank you very much")


def drawn(lines: tuple[str, ...] = LINES) -> Image.Image:
    picture = Image.new("RGB", (640, 60 + 60 * len(lines)), "white")
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        pen.text((40, 30 + 60 * row), line, fill="black", font=ImageFont.load_default(34))
    return picture


def read(path: Path, options: ReadOptions | None = None) -> tuple[Document, list[Problem]]:
    return read_image(SourceFile.of(path), options or ReadOptions(), lambda done, total: None)


def test_a_page_holds_the_lines_with_boxes_and_confidence(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    document, problems = read(tmp_path / "a.png")
    (page,) = document.pages
    assert page.text == "\n".join(LINES)
    assert [page.text[span.start : span.end] for span in page.spans] == list(LINES)
    assert (page.width_pt, page.height_pt, page.rotation, page.origin) == (640, 240, 0, TextOrigin.OCR)
    assert page.spans[1].box is not None
    assert page.spans[1].box.x0 == pytest.approx(40, abs=8)
    assert 80 < page.spans[1].box.y0 < page.spans[1].box.y1 < 150
    assert all(span.confidence is not None and span.confidence > 0.9 for span in page.spans)
    assert (document.kind, problems) == (Kind.IMAGE, [])


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.bmp", "BMP"), ("a.gif", "GIF"), ("a.tif", "TIFF"), ("png.jpg", "PNG")],
)
def test_formats_are_told_by_content(tmp_path: Path, name: str, format_: str) -> None:
    drawn().save(tmp_path / name, format_)
    document, _ = read(tmp_path / name)
    assert document.pages[0].text.startswith("Invoice number 4711")
    assert document.metadata["format"] == format_


def test_each_frame_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    first, *others = [drawn((line, f"on page {number}")) for number, line in enumerate(LINES, start=1)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    document, _ = read(tmp_path / "a.tif")
    assert [page.text.split("\n")[0] for page in document.pages] == list(LINES)
    only_third, _ = read(tmp_path / "a.tif", ReadOptions(pages=PageRange.parse("3")))
    assert only_third.pages == (document.pages[2],)


def test_a_damaged_frame_costs_one_page(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.tif", save_all=True, append_images=[drawn(("second",))], compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with Image.open(tmp_path / "a.tif") as image:
        image.seek(1)
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]  # strip offset and length
    data[start : start + length] = b"\xff" * length
    (tmp_path / "a.tif").write_bytes(data)
    document, problems = read(tmp_path / "a.tif")
    assert [page.page_no for page in document.pages] == [1]
    assert [(problem.page_no, problem.severity) for problem in problems] == [(2, Severity.LEFT_OUT)]


def test_an_animation_says_that_one_frame_was_read(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.gif", save_all=True, append_images=[drawn(("other",))])
    document, problems = read(tmp_path / "a.gif")
    assert len(document.pages) == 1
    assert [(problem.severity, problem.why) for problem in problems] == [
        (Severity.NOTICE, "The animation has 2 frames; the first was read.")
    ]


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # stored lying on its left side
    exif[306] = "2024:05:01 10:00:00"
    drawn().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.jpg", exif=exif)
    document, _ = read(tmp_path / "a.jpg")
    (page,) = document.pages
    assert (page.width_pt, page.height_pt, page.rotation) == (640, 240, 0)
    assert page.text == "\n".join(LINES)
    assert document.metadata["created"] == "2024:05:01 10:00:00"


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_page_is_found_and_shown_upright(tmp_path: Path, rotation: int) -> None:
    drawn().rotate(rotation, expand=True).save(tmp_path / "a.png")  # counterclockwise
    document, _ = read(tmp_path / "a.png")
    (page,) = document.pages
    assert (page.rotation, page.width_pt, page.height_pt) == (rotation, 640, 240)
    assert page.text == "\n".join(LINES)
    shown = Image.open(io.BytesIO(render_image_page(tmp_path / "a.png", page, dpi=144)))
    assert shown.size == (1280, 480)
    half = np.asarray(shown.resize((640, 240)).convert("L"), np.int16)
    assert np.abs(half - np.asarray(drawn().convert("L"), np.int16)).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_modes_become_the_same_picture(mode: str) -> None:
    picture = drawn()
    if mode in ("I;16", "I", "F"):
        deep = np.asarray(picture.convert("L")).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
        converted = Image.fromarray(deep * 100)
        assert converted.mode == mode
    else:
        converted = picture.convert("RGB").convert("L" if mode == "LA" else mode).convert(mode)
    difference = np.abs(np.asarray(flattened(converted), np.int16) - np.asarray(picture, np.int16)).mean()
    assert difference < 4


def test_transparency_lies_on_white() -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 0, 255))
    assert [flattened(picture).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (255, 0, 0)]


def test_a_picture_without_text_is_a_problem(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "white").save(tmp_path / "a.png")
    document, problems = read(tmp_path / "a.png")
    assert (document.pages[0].text, document.pages[0].origin) == ("", TextOrigin.NONE)
    assert [problem.what for problem in problems] == ["no text found"]


def test_without_recognition_the_page_is_left_out(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    document, problems = read(tmp_path / "a.png", ReadOptions(ocr=False))
    assert (document.pages[0].text, document.pages[0].width_pt) == ("", 640)
    assert [problem.severity for problem in problems] == [Severity.LEFT_OUT]


def png_head(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def cut_off() -> bytes:
    stream = io.BytesIO()
    drawn().save(stream, "JPEG")
    return stream.getvalue()[: len(stream.getvalue()) // 2]


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: b"", UnreadableSource, "a.png is empty (0 bytes); hand over the picture itself"),
        (lambda: b"just words, no picture", UnreadableSource, "a.png is not a picture in a format that is read here"),
        (cut_off, UnreadableSource, "a.png is damaged or cut off ("),
        (lambda: png_head(0, 10), UnreadableSource, "a.png"),
        (lambda: png_head(100_000, 10), SourceTooLarge, "a.png is 100000 x 10 pixels; a side may have 65000"),
        (lambda: png_head(12_000, 12_000), SourceTooLarge, "a.png has 144000000 pixels; at most 120000000 are read"),
        (lambda: png_head(60_000, 60_000), SourceTooLarge, "a.png is too large a picture"),
    ],
    ids=["empty", "wrong extension", "cut off", "no pixels", "long side", "bomb", "bomb over Pillow's own limit"],
)
def test_bad_pictures_are_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[], bytes], error: type[Exception], sentence: str
) -> None:
    (tmp_path / "a.png").write_bytes(make())
    with pytest.raises(error) as caught:
        read(tmp_path / "a.png")
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_limits_are_the_callers(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.tif", save_all=True, append_images=[drawn()])
    with pytest.raises(SourceTooLarge, match=r"a\.tif has 2 pages; at most 1 are read"):
        read(tmp_path / "a.tif", ReadOptions(limits=Limits(max_pages=1)))
    with pytest.raises(SourceTooLarge, match="at most 1000 are read"):
        read(tmp_path / "a.tif", ReadOptions(limits=Limits(max_image_pixels=1000)))


def test_a_page_too_large_to_show_says_so(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    with pytest.raises(SourceTooLarge, match="ask for fewer dpi"):
        render_image_page(tmp_path / "a.png", Page(1, "", width_pt=640, height_pt=240), dpi=5000)


def test_every_suffix_has_a_reader() -> None:
    assert set(SUFFIXES) >= {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
