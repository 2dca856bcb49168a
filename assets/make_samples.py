"""Makes the sample documents from `assets/samples/sources`: `python assets/make_samples.py`.

Owns how the samples look; their words are in the sources. People, companies and amounts are invented. The same
sources give the same bytes under the same versions of PyMuPDF and Pillow (fixed seed and dates).
"""

import io
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pymupdf
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SAMPLES = Path(__file__).parent / "samples"
SOURCES = SAMPLES / "sources"

WIDTH, HEIGHT = 595, 842  # A4 in points
LEFT, RIGHT, TOP, BOTTOM = 72, 523, 76, 772
INDENT = 30
INK = (0.08, 0.08, 0.1)


class Contract:
    """A flow of paragraphs, headings and table rows over A4 pages. The marks are those of `contract.txt`."""

    def __init__(self) -> None:
        self.pdf = pymupdf.open()
        self.roman, self.bold, self.italic = (pymupdf.Font(name) for name in ("tiro", "tibo", "tiit"))
        self.outline: list[tuple[int, str, int]] = []
        self.signature_rows = 0
        self.new_page()

    def new_page(self) -> None:
        self.page = self.pdf.new_page(width=WIDTH, height=HEIGHT)
        self.y = float(TOP)

    def need(self, height: float) -> None:
        if self.y + height > BOTTOM:
            self.new_page()

    def text(self, x: float, text: str, font: pymupdf.Font, size: float = 10.5) -> None:
        """One line at the present height, from x."""
        writer = pymupdf.TextWriter(self.page.rect, color=INK)
        writer.append((x, self.y), text, font=font, fontsize=size)
        writer.write_text(self.page)

    def centred(self, text: str, font: pymupdf.Font, size: float) -> None:
        self.text((WIDTH - font.text_length(text, size)) / 2, text, font, size)

    def paragraph(self, text: str, x: float = LEFT) -> None:
        for line in wrapped(text, self.roman, 10.5, RIGHT - x):
            self.need(14)
            self.text(x, line, self.roman)
            self.y += 14
        self.y += 5

    def clause(self, number: str, text: str) -> None:
        self.need(30)
        self.text(LEFT, number, self.roman)
        self.paragraph(text, LEFT + INDENT)

    def heading(self, title: str) -> None:
        self.need(56)
        self.y += 9
        self.text(LEFT, title, self.bold, 11.5)
        self.outline.append((1, title, self.page.number + 1))
        self.y += 18

    def row(self, cells: list[str]) -> None:
        """One row of the fee table: ruled, numbers to the right; the first and the last row are bold."""
        edges = (LEFT + INDENT, 290, 370, 440, RIGHT)
        is_bold = cells[0] in ("Item", "Total fee")
        self.need(22)
        top = self.y - 11
        if cells[0] == "Item":
            self.page.draw_rect((edges[0], top, RIGHT, top + 18), color=None, fill=(0.9, 0.91, 0.93))
        for left, right in pairwise(edges):
            self.page.draw_rect((left, top, right, top + 18), color=(0.55, 0.55, 0.6), width=0.6)
        font = self.bold if is_bold else self.roman
        for column, cell in enumerate(cells):
            width = font.text_length(cell, 9.5)
            x = edges[column] + 5 if column == 0 else edges[column + 1] - 5 - width
            if cell:
                self.y = top + 12.5
                self.text(x, cell, font, 9.5)
        self.y = top + 18 + 11 + (10 if cells[0] == "Total fee" else 0)

    def signatures(self, cells: list[str]) -> None:
        """The parties' names, then a line to sign on with the signer's name below."""
        self.need(150 - 100 * self.signature_rows)
        self.y += 10 + 46 * self.signature_rows
        for x, cell in zip((LEFT, 310), cells, strict=True):
            if self.signature_rows:
                self.page.draw_line((x, self.y - 13), (x + 185, self.y - 13), color=INK, width=0.7)
            self.text(x, cell, self.italic if self.signature_rows else self.bold, 9)
        self.signature_rows += 1

    def finish(self, footer: str) -> bytes:
        """Adds the footers, outline and metadata."""
        for page in self.pdf:
            self.page, self.y = page, 806.0
            page.draw_line((LEFT, 792), (RIGHT, 792), color=(0.6, 0.6, 0.65), width=0.5)
            self.text(LEFT, footer, self.roman, 8.5)
            number = f"Page {page.number + 1} of {self.pdf.page_count}"
            self.text(RIGHT - self.roman.text_length(number, 8.5), number, self.roman, 8.5)
        self.pdf.set_toc([list(entry) for entry in self.outline])
        made = "D:20250217090000Z"
        title, author = "Services Agreement LMA-2025-114", "Larkhaven Maritime Archive CLG"
        self.pdf.set_metadata({"title": title, "author": author, "creationDate": made, "modDate": made})
        self.pdf.subset_fonts()
        return self.pdf.tobytes(garbage=4, deflate=True, deflate_fonts=True, no_new_id=True)


def wrapped(text: str, font: pymupdf.Font, size: float, width: float) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if font.text_length(longer, size) > width:
            yield line
            line = word
        else:
            line = longer
    yield line


def contract() -> bytes:
    """The services agreement as a PDF with a text layer."""
    flow = Contract()
    for line in (SOURCES / "contract.txt").read_text(encoding="utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        cells = [cell.strip() for cell in rest.split("|")]
        match mark:
            case "":
                pass
            case "#":
                flow.centred(rest, flow.bold, 18)
                flow.y += 20
            case "@":
                flow.centred(rest, flow.italic, 11)
                flow.y += 32
            case "##":
                flow.heading(rest)
            case "=":
                flow.y += 8
                flow.paragraph(rest)
            case "-":
                flow.paragraph(rest, LEFT + INDENT)
            case "|":
                flow.row(cells)
            case "!":
                flow.signatures(cells)
            case number:
                flow.clause(number, rest)
    return flow.finish("Services Agreement LMA-2025-114")


def receipt(seed: int = 7) -> bytes:
    """The till receipt as a phone or flatbed would scan it: tilted, a little soft, noisy, JPEG."""
    noise = np.random.default_rng(seed)
    lines = (SOURCES / "receipt.txt").read_text(encoding="utf-8").splitlines()
    font = ImageFont.truetype(io.BytesIO(pymupdf.Font("cobo").buffer), 25)
    paper = Image.new("L", (34 * 15 + 70, 31 * len(lines) + 110), 246)
    draw = ImageDraw.Draw(paper)
    for index, line in enumerate(lines):
        fade = int(noise.integers(28, 64))  # a thermal head prints some lines paler
        draw.text((38, 55 + 31 * index), line, font=font, fill=fade)
    bed = Image.new("L", (paper.width + 180, paper.height + 160), 196)
    shadow = Image.new("L", bed.size, 196)
    shadow.paste(150, (94, 86, 94 + paper.width, 86 + paper.height))
    bed.paste(shadow.filter(ImageFilter.GaussianBlur(9)))
    bed.paste(paper, (86, 76))
    tilted = bed.rotate(1.6, resample=Image.Resampling.BICUBIC, fillcolor=196).filter(ImageFilter.GaussianBlur(0.8))
    pixels = np.asarray(tilted, dtype=np.float32)
    light = np.linspace(1.02, 0.93, pixels.shape[1])[None, :]  # the lid was not quite shut on the right
    grain = noise.normal(0, 7, pixels.shape)
    scan = Image.fromarray(np.clip(pixels * light + grain, 0, 255).astype(np.uint8))
    out = io.BytesIO()
    scan.save(out, "JPEG", quality=62, dpi=(200, 200))
    return out.getvalue()


def repository() -> bytes:
    """The folder `ferryboard` as a zip: members in order of their names, all of one date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((SOURCES / "ferryboard").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(SOURCES).as_posix()
                entry = zipfile.ZipInfo(name, (2025, 6, 14, 12, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return out.getvalue()


def main() -> None:
    for name, make in (("contract.pdf", contract), ("receipt.jpg", receipt), ("ferryboard.zip", repository)):
        data = make()
        (SAMPLES / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
