"""Text lines in the pixels of one page image: recognition, page rotation, and the Page that readers build from them.

Owns the one recognition engine of a process (PP-OCRv6 small, ONNX, carried by the `rapidocr` wheel, runs offline) and
is the only file that imports it. Reading order is `ingest.reading_order`'s. Opens no files and no connections.

Guarantees: boxes are pixels of the upright image; lines are in reading order; the same pixels give the same lines.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.document import Box, Glyphs, Page, Problem, Severity, Span, TextOrigin
from ingest.glyphs import Decoder, LineReading
from ingest.reading_order import in_reading_order, on_one_row

if TYPE_CHECKING:
    from rapidocr import RapidOCR

DETECTION_SIDE_PX = 1600  # lines are found on the page shrunk to this side, and recognised on the page itself
LONGEST_SIDE_PX = 5000  # pages are shrunk to this before anything else: 5000 px is A4 at 430 dpi
STRIP_ASPECT = 2.5  # longer pictures (till rolls, screenshots) are cut into strips, lest shrinking makes them illegible
TOUCHING = 0.2  # of the line height, between boxes that are drawn about 0.2 wider than their letters
MIN_CONFIDENCE = 0.5  # below it, what the recogniser returns is noise: logos, ruling, stamps
SURE_CONFIDENCE = 0.9  # upright lines reach it, upside-down lines do not
SAMPLE_LINES = 6  # enough to tell the rotation of a page
ROW_GAP = "  "  # between lines that stand side by side


class TextLine(NamedTuple):
    """One recognised line. `box` and `glyphs` are in pixels of the upright image; `confidence` is 0..1."""

    text: str
    box: Box
    confidence: float
    glyphs: Glyphs = Glyphs()


@dataclass(frozen=True, slots=True)
class Recognised:
    """`rotation`: degrees clockwise (0, 90, 180, 270) by which the given image was turned to stand upright."""

    rotation: int
    lines: tuple[TextLine, ...]

    @property
    def confidence(self) -> float:
        """Mean over characters; 1.0 when there are none."""
        num_chars = sum(len(line.text) for line in self.lines)
        return sum(line.confidence * len(line.text) for line in self.lines) / num_chars if num_chars else 1.0


Quad = NDArray[np.float32]  # (4, 2): corners in pixels, clockwise from the top left


def recognise(image: Image.Image, *, find_rotation: bool = True) -> Recognised:
    """Text lines of a page image of any mode. The image must fit in memory; a blank one gives no lines."""
    page, shrink = _bounded(image.convert("RGB"))
    quads = _find_lines(page)
    rotation = _find_rotation(page, quads) if find_rotation else 0
    if rotation:
        page = turned(page, rotation)
        quads = _find_lines(page)
    lines = [
        TextLine(reading.text, _box_of(quad, shrink), reading.confidence, _glyphs(reading, quad, shrink))
        for quad, reading in zip(quads, _read_lines(page, quads), strict=True)
        if reading.text and reading.confidence >= MIN_CONFIDENCE
    ]
    order = in_reading_order([line.box for line in lines])
    return Recognised(rotation, tuple(lines[index] for index in order))


def turned(image: Image.Image, rotation: int) -> Image.Image:
    """The image turned clockwise by 0, 90, 180 or 270 degrees."""
    turns = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
    return image.transpose(turns[rotation]) if rotation else image


def page_from_recognised(
    recognised: Recognised,
    *,
    page_no: int,
    size_px: tuple[int, int],
    points_per_px: float = 1.0,
    label: str | None = None,
    figures: tuple[Box, ...] = (),
) -> Page:
    """The page that stands for a recognised image; `size_px` is the size of the image as it was given.

    Each line is a span; lines side by side (a label and its amount) share one line of text, two spaces apart.
    """
    width, height = size_px if recognised.rotation % 180 == 0 else size_px[::-1]
    text = ""
    spans = []
    for index, line in enumerate(recognised.lines):
        if index:
            text += ROW_GAP if on_one_row(recognised.lines[index - 1].box, line.box) else "\n"
        box = Box(*(value * points_per_px for value in line.box))
        glyphs = scaled(line.glyphs, points_per_px)
        spans.append(Span(len(text), len(text) + len(line.text), box, confidence=line.confidence, glyphs=glyphs))
        text += line.text
    return Page(
        page_no=page_no,
        text=text,
        spans=tuple(spans),
        label=label,
        width_pt=width * points_per_px,
        height_pt=height * points_per_px,
        rotation=recognised.rotation,
        origin=TextOrigin.OCR if spans else TextOrigin.NONE,
        figures=figures,
    )


def scaled(glyphs: Glyphs, by: float, shift: float = 0.0) -> Glyphs:
    """Glyphs whose x are multiplied, then moved to the right."""
    return replace(glyphs, centres=tuple(round(x * by + shift, 2) for x in glyphs.centres))


def recognition_problem(recognised: Recognised, source: str, page_no: int) -> Problem | None:
    """What a person should know about a recognised page: that it held no text, or was hard to read."""
    if not recognised.lines:
        return Problem(source, page_no, "no text found", "No readable text was found in the picture of this page.")
    if recognised.confidence < 0.8:
        why = f"The text was recognised with {recognised.confidence:.0%} confidence; words may be wrong."
        return Problem(source, page_no, "poor recognition", why, Severity.DEGRADED)
    return None


@cache
def _engine() -> "RapidOCR":
    """The engine of this process. Its models load on their first use (0.4 s)."""
    from rapidocr import RapidOCR

    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",  # at its own level, it prints every model's path
            "Global.use_cls": False,
            "Global.use_preprocess_img": False,  # we scale the page ourselves
            "Global.return_word_box": True,  # so that what our decoder says beside text and confidence is handed on
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_SIDE_PX + 32,  # a multiple of 32 is the nearest
            "EngineConfig.onnxruntime.intra_op_num_threads": min(num_cores, 8),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    untyped: Any = engine
    recogniser = untyped._load_rec_model()
    recogniser.postprocess_op = Decoder(recogniser.postprocess_op.character)
    return engine


def _bounded(image: Image.Image) -> tuple[Image.Image, float]:
    """The image with no side over LONGEST_SIDE_PX unless it is a strip, and by how much it was shrunk."""
    shrink = min(image.size) * STRIP_ASPECT / LONGEST_SIDE_PX
    if max(image.size) <= LONGEST_SIDE_PX or shrink <= 1:
        return image, 1.0
    return image.resize((round(image.width / shrink), round(image.height / shrink)), Image.Resampling.LANCZOS), shrink


def _find_lines(page: Image.Image) -> list[Quad]:
    """Corners of every text line, found strip by strip."""
    quads: list[Quad] = []
    for area in _strips(page):
        strip = page.crop(area)
        scale = min(1.0, DETECTION_SIDE_PX / max(strip.size))  # enlarging small pictures gained nothing on 13 scans
        size = max(32, round(strip.width * scale)), max(32, round(strip.height * scale))
        found: Any = _engine()(_pixels(strip.resize(size, Image.Resampling.BILINEAR)), use_det=True, use_rec=False)
        if found.boxes is not None:
            by = np.array((strip.width / size[0], strip.height / size[1]), np.float32)
            quads += [np.asarray(quad, np.float32) * by + np.array(area[:2], np.float32) for quad in found.boxes]
    return _joined(quads)


def _joined(quads: Sequence[Quad]) -> list[Quad]:
    """Lines whole again that were found in pieces (a last digit by itself): pieces so close that no blank fits."""
    whole: list[Quad] = []
    for quad in sorted(quads, key=lambda quad: float(quad[:, 0].min())):
        index = next((i for i, left in enumerate(whole) if _touch(left, quad)), None)
        if index is None:
            whole.append(quad)
        else:
            whole[index] = np.stack([whole[index][0], quad[1], quad[2], whole[index][3]])
    return whole


def _touch(left: Quad, right: Quad) -> bool:
    (left_width, left_height), (right_width, right_height) = _size_of(left), _size_of(right)
    lower, higher = sorted((left_height, right_height))
    lying = left_width > 2 * left_height or right_width > 2 * right_height
    gap = float(right[:, 0].min() - left[:, 0].max())
    return lying and higher < 1.5 * lower and abs(gap) < TOUCHING * lower and on_one_row(_box_of(left), _box_of(right))


def _strips(page: Image.Image) -> list[tuple[int, int, int, int]]:
    """The page as areas of at most STRIP_ASPECT, cut across its long side where there is least ink."""
    long_side, short_side = max(page.size), min(page.size)
    step = round(short_side * STRIP_ASPECT)
    if long_side <= step:
        return [(0, 0, *page.size)]
    along_y = page.height == long_side
    ink = np.asarray(page.convert("L"), np.float32).std(axis=1 if along_y else 0)  # (long_side,): 0 on a blank row
    cuts = [0]
    while long_side - cuts[-1] > step:
        low = cuts[-1] + step * 3 // 4
        cuts.append(low + int(ink[low : cuts[-1] + step].argmin()))
    ends = pairwise([*cuts, long_side])
    return [(0, a, page.width, b) if along_y else (a, 0, b, page.height) for a, b in ends]


def _find_rotation(page: Image.Image, quads: Sequence[Quad]) -> int:
    """Which way lines run says whether the page lies on its side; a few lines read both ways say the rest."""
    sizes = [_size_of(quad) for quad in quads]
    lying = sum(width - height for width, height in sizes if max(width, height) > 2 * min(width, height))
    angles = (90, 270) if lying < 0 else (0, 180)
    along = [height if lying < 0 else width for width, height in sizes]
    sample = [quads[i] for i in sorted(range(len(quads)), key=along.__getitem__)[-SAMPLE_LINES:]]
    if not sample:
        return 0
    crops = [_cut_out(page, quad) for quad in sample]
    first = _mean_confidence([turned(crop, angles[0]) for crop in crops])
    if first >= SURE_CONFIDENCE:
        return angles[0]
    return angles[0] if first >= _mean_confidence([turned(crop, angles[1]) for crop in crops]) else angles[1]


def _mean_confidence(crops: Sequence[Image.Image]) -> float:
    return float(np.mean([reading.confidence for reading in _read_crops(crops)]))


def _read_lines(page: Image.Image, quads: Sequence[Quad]) -> list[LineReading]:
    """The reading of each line. A tall narrow one is read in three ways (it may be a digit, or run up or down the
    margin), and the surest is taken; of one that runs up or down it is not said where its characters stand."""
    crops, owners = [], []
    for index, quad in enumerate(quads):
        crop = _cut_out(page, quad)
        width, height = _size_of(quad)
        for angle in (0, 90, 270) if height > 1.5 * width else (0,):
            crops.append(turned(crop, angle))
            owners.append((index, angle))
    best = [LineReading("", 0.0, (), ())] * len(quads)
    for (index, angle), reading in zip(owners, _read_crops(crops), strict=True):
        if reading.confidence > best[index].confidence:
            best[index] = reading if angle == 0 else reading._replace(centres=())
    return best


def _read_crops(crops: Sequence[Image.Image]) -> Sequence[LineReading]:
    found: Any = _engine().recognize_txt([_pixels(crop) for crop in crops]).word_results if crops else ()
    readings: Sequence[LineReading] = found
    return readings


def _glyphs(reading: LineReading, quad: Quad, shrink: float) -> Glyphs:
    """The reading's glyphs in pixels of the image as it was given, along the line's upper edge."""
    left, right = float(quad[0, 0] + quad[3, 0]) / 2 * shrink, float(quad[1, 0] + quad[2, 0]) / 2 * shrink
    return scaled(Glyphs(reading.centres, reading.doubts), right - left, left)


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """(height, width, 3) in BGR, as the engine expects."""
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def _cut_out(page: Image.Image, quad: Quad) -> Image.Image:
    """The quadrilateral's pixels, straightened."""
    width, height = _size_of(quad)
    top_left, top_right, bottom_right, bottom_left = quad.tolist()
    corners = (*top_left, *bottom_left, *bottom_right, *top_right)
    return page.transform(
        (max(1, round(width)), max(1, round(height))), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC
    )


def _size_of(quad: Quad) -> tuple[float, float]:
    """Width and height along the quadrilateral's own sides, in pixels."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return float(max(sides[0], sides[2])), float(max(sides[1], sides[3]))


def _box_of(quad: Quad, shrink: float = 1.0) -> Box:
    (x0, y0), (x1, y1) = quad.min(axis=0) * shrink, quad.max(axis=0) * shrink
    return Box(float(x0), float(y0), float(max(x1, x0 + 1)), float(max(y1, y0 + 1)))
