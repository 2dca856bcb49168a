"""A page's own text layer: lines with boxes and style, and the ruling drawn around them, in one extraction.

Owns the turn from the file's coordinates to the upright page a person sees (/Rotate, and pages whose text runs
sideways); decides neither order nor roles. MuPDF hands over characters in logical order, right-to-left ones too,
except inside lam-alef ligatures, which are mended here.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import pymupdf

from ingest.pdf.draft import Line

FLAGS = pymupdf.TEXT_COLLECT_VECTORS | pymupdf.TEXT_MEDIABOX_CLIP  # neither ligatures nor odd spaces are preserved
BOLD, MONO, ITALIC = pymupdf.TEXT_FONT_BOLD, pymupdf.TEXT_FONT_MONOSPACED, pymupdf.TEXT_FONT_ITALIC
DRAWN = 16 | 32  # FZ_STEXT_FILLED | FZ_STEXT_STROKED: a character with neither is invisible (render mode 3)
MONO_NAME = re.compile(r"courier|mono|consol|typewriter|cmtt|menlo|sftt|fira ?code|fixed", re.I)
RTL = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
LETTER = re.compile(r"[^\W\d_]")
TURN_SHARE = 0.8  # a page is turned when that share of its characters runs another way
RULE_THICKNESS = 2.5
SHADED_WIDTH, SHADED_HEIGHT = 30.0, 14.0  # a filled area lower than a cell is a marker pen's stroke
MAX_VECTORS = 4000  # a page with more is a drawing or a map, not a ruled table
BULLETS = {0xF0B7: "•", 0xF0A7: "▪", 0xF0D8: "➢", 0xF0FC: "✓", 0xF0A8: "□", 0xF06F: "□", 0xF02D: "-", 0xF076: "❖"}
DROPPED = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x200B, 0x2060, 0xFEFF])
CLEAN = str.maketrans({**DROPPED, **BULLETS, 0xAD: "-", 9: " ", 10: " ", 13: " ", 0xA0: " ", 0x2028: " ", 0x2029: " "})
UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")


class Rule(NamedTuple):
    """A thin straight stroke or bar."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(slots=True)
class TextLayer:
    """One page's text layer. `rotation`: degrees clockwise by which the shown page must be turned to stand upright."""

    width: float
    height: float
    rotation: int
    lines: list[Line]
    horizontal: list[Rule]
    vertical: list[Rule]
    matrix: Any = None  # from the file's coordinates to the upright page; None: the same
    textpage: Any = field(default=None, repr=False)

    def words(self) -> list[tuple[float, float, float, float, str]]:
        """Words with boxes, from the extraction already made."""
        return [(*moved(word[:4], self.matrix), word[4].translate(CLEAN)) for word in self.textpage.extractWORDS()]


def read_layer(page: Any) -> TextLayer:
    """The only text extraction of this page."""
    textpage = page.get_textpage(flags=FLAGS)
    blocks = textpage.extractDICT()["blocks"]
    rotation, matrix = _upright(page, blocks)
    width, height = page.rect.width, page.rect.height
    if rotation % 180:
        width, height = height, width
    layer = TextLayer(width, height, rotation, [], [], [], matrix, textpage)
    vectors = []
    for block in blocks:
        if block["type"] == 0:
            for line in block["lines"]:
                _add_line(layer, line)
        elif block["type"] == 3:
            vectors.append(block)
    if len(vectors) <= MAX_VECTORS:
        for vector in vectors:
            _add_rules(layer, vector)
    if any(line.rtl for line in layer.lines):
        _mend_ligatures(layer)
    return layer


def _upright(page: Any, blocks: list[dict[str, Any]]) -> tuple[int, Any]:
    """The turn that makes most characters run from left to right, and the matrix to there."""
    shown = page.rotation_matrix if page.rotation else None
    ways: Counter[tuple[int, int]] = Counter()
    for block in blocks:
        for line in block.get("lines", ()):
            ways[round(line["dir"][0]), round(line["dir"][1])] += sum(len(span["text"]) for span in line["spans"])
    if not ways:
        return 0, shown
    way, count = ways.most_common(1)[0]
    if count < TURN_SHARE * ways.total() or 0 not in way:
        return 0, shown
    if shown is not None:
        way = (round(way[0] * shown.a + way[1] * shown.c), round(way[0] * shown.b + way[1] * shown.d))
    rotation = {(1, 0): 0, (0, -1): 90, (-1, 0): 180, (0, 1): 270}.get(way, 0)
    if rotation == 0:
        return 0, shown
    turn = turning(rotation, page.rect.width, page.rect.height)
    return rotation, turn if shown is None else shown * turn


def turning(rotation: int, width: float, height: float) -> Any:
    """The matrix of a clockwise turn of a page of this size about its own corner, origin kept top left."""
    rows = {
        90: (0, 1, -1, 0, height, 0),
        180: (-1, 0, 0, -1, width, height),
        270: (0, -1, 1, 0, 0, width),
    }
    return pymupdf.Matrix(*rows[rotation])  # type: ignore[no-untyped-call]


def moved(box: tuple[float, float, float, float], matrix: Any) -> tuple[float, float, float, float]:
    if matrix is None:
        return box
    x0, y0, x1, y1 = box
    a, b, c, d, e, f = matrix
    xs, ys = (a * x0 + c * y0 + e, a * x1 + c * y1 + e), (b * x0 + d * y0 + f, b * x1 + d * y1 + f)
    return min(xs), min(ys), max(xs), max(ys)


def _add_line(layer: TextLayer, raw: dict[str, Any]) -> None:
    """The line's spans as one Line; visible and invisible ones as two."""
    shown = [span for span in raw["spans"] if span["char_flags"] & DRAWN and span["alpha"]]
    hidden = [span for span in raw["spans"] if not (span["char_flags"] & DRAWN and span["alpha"])]
    for spans in (shown, hidden):
        text = "".join(span["text"] for span in spans)
        if not text or text.isspace():
            continue
        num_unreadable = 0
        if not text.isascii() or not text.isprintable():
            num_unreadable = len(UNREADABLE.findall(text.translate(BULLETS)))
            text = text.translate(CLEAN)
        box = raw["bbox"] if len(spans) == len(raw["spans"]) else _union([span["bbox"] for span in spans])
        line = _styled(spans, text, moved(box, layer.matrix), visible=spans is shown)
        line.order = len(layer.lines)
        line.num_unreadable = num_unreadable
        line.along = _runs_along(raw["dir"], layer.matrix)
        if _on_page(line, layer) and not text.isspace():
            layer.lines.append(line)


def _styled(spans: list[dict[str, Any]], text: str, box: tuple[float, float, float, float], *, visible: bool) -> Line:
    inked = [span for span in spans if not span["text"].isspace()]
    main = max(inked, key=lambda span: len(span["text"])) if len(inked) > 1 else inked[0]
    bold = all(span["flags"] & BOLD or span["char_flags"] & 8 for span in inked)
    italic = all(span["flags"] & ITALIC for span in inked)
    mono = all(span["flags"] & MONO or _sounds_mono(span["font"]) for span in inked)
    rtl = not text.isascii() and 2 * len(RTL.findall(text)) > len(LETTER.findall(text))
    x0, y0, x1, y1 = box
    return Line(
        x0, y0, max(x1, x0 + 0.1), max(y1, y0 + 0.1), text, main["size"], bold, mono, rtl, italic, visible=visible
    )


@lru_cache(maxsize=1024)
def _sounds_mono(font: str) -> bool:
    return MONO_NAME.search(font) is not None


def _union(boxes: list[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    x0s, y0s, x1s, y1s = zip(*boxes, strict=True)
    return min(x0s), min(y0s), max(x1s), max(y1s)


def _runs_along(way: tuple[float, float], matrix: Any) -> bool:
    along = way[0] if matrix is None else way[0] * matrix.a + way[1] * matrix.c
    return along > 0.7  # watermarks at 45 degrees do not


def _on_page(line: Line, layer: TextLayer) -> bool:
    return 0 <= line.x0 + line.x1 <= 2 * layer.width and 0 <= line.y0 + line.y1 <= 2 * layer.height


def _add_rules(layer: TextLayer, vector: dict[str, Any]) -> None:
    """Thin bars, the edges of stroked rectangles, and the upper and lower edges of shaded cells."""
    x0, y0, x1, y1 = moved(vector["bbox"], layer.matrix)
    width, height = x1 - x0, y1 - y0
    if height <= RULE_THICKNESS and width > 3 * height:
        layer.horizontal.append(Rule(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2))
    elif width <= RULE_THICKNESS and height > 3 * width:
        layer.vertical.append(Rule((x0 + x1) / 2, y0, (x0 + x1) / 2, y1))
    elif vector["stroked"] and vector["isrect"]:
        layer.horizontal += [Rule(x0, y0, x1, y0), Rule(x0, y1, x1, y1)]
        layer.vertical += [Rule(x0, y0, x0, y1), Rule(x1, y0, x1, y1)]
    elif vector["isrect"] and width >= SHADED_WIDTH and SHADED_HEIGHT <= height <= 8 * SHADED_HEIGHT:
        layer.horizontal += [Rule(x0, y0, x1, y0), Rule(x0, y1, x1, y1)]


def _mend_ligatures(layer: TextLayer) -> None:
    """MuPDF reverses lam-alef ligatures letter by letter: an alef without width of its own stands before the lam."""
    mended: dict[str, str] = {}
    for block in layer.textpage.extractRAWDICT()["blocks"]:
        for line in block.get("lines", ()):
            chars = [char for span in line["spans"] for char in span["chars"]]
            text = [char["c"] for char in chars]
            for index in range(len(chars) - 1):
                left, _, right, _ = chars[index]["bbox"]
                if text[index + 1] == "ل" and text[index] in "اأإآٱ" and right - left < 0.01:
                    text[index], text[index + 1] = text[index + 1], text[index]
            mended["".join(char["c"] for char in chars).translate(CLEAN)] = "".join(text).translate(CLEAN)
    for line in layer.lines:
        line.text = mended.get(line.text, line.text)
