"""Pages without a usable text layer, and embedded pictures: found, rendered within the limits, and recognised.

Owns what is worth recognising and the way back from pixels to points; recognition itself is `ingest.ocr`, imported
when the first picture needs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.document import Box, Role, TextOrigin
from ingest.options import Limits
from ingest.pdf.draft import Block, Line, PageDraft, Row
from ingest.pdf.layer import moved, turning
from ingest.pdf.render import render_image

if TYPE_CHECKING:
    from ingest.ocr import Recognised

DPI = 200
MIN_WIDTH, MIN_HEIGHT = 90.0, 30.0  # points: a smaller picture holds no text worth reading
MIN_SIDE_PX = 24
MIN_FIGURE = 12.0  # points: anything smaller is a bullet or a stroke made of pixels
TOUCHING = 1.0  # points
FULL_PAGE = 0.8  # share of the page from which a picture is a scan or a background, not a figure
DRAWN_TWICE = 0.5  # share of a recognised line that the text layer covers already
ROW_GAP = "  "  # between recognised lines that stand side by side, as in `ingest.ocr`


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded picture, or several that overlap. `box` is where the page shows it (/Rotate applied, no turn yet)."""

    box: Box
    side_px: int  # the shorter side of the largest part
    parts: tuple[int, ...] = ()  # object numbers; 0: inline, without an object of its own

    @property
    def area(self) -> float:
        return (self.box.x1 - self.box.x0) * (self.box.y1 - self.box.y0)

    @property
    def may_hold_text(self) -> bool:
        big = self.box.x1 - self.box.x0 >= MIN_WIDTH and self.box.y1 - self.box.y0 >= MIN_HEIGHT
        return big and self.side_px >= MIN_SIDE_PX


def pictures_of(page: Any, *, identified: bool) -> list[Picture]:
    """The page's pictures, inline ones included. `identified` costs a decoding of each, and fills `parts`."""
    shown = page.rotation_matrix if page.rotation else None
    found: list[Picture] = []
    for info in page.get_image_info(xrefs=identified):
        x0, y0, x1, y1 = moved(info["bbox"], shown)
        box = Box(max(x0, 0.0), max(y0, 0.0), min(x1, page.rect.width), min(y1, page.rect.height))
        if box.x1 > box.x0 and box.y1 > box.y0:
            found.append(Picture(box, min(info["width"], info["height"]), (info.get("xref", 0),)))
    return [picture for picture in _joined(found) if min(_size(picture.box)) >= MIN_FIGURE]


def _joined(pictures: list[Picture]) -> list[Picture]:
    """Overlapping pictures (shadows, masks, the strips of a scan) as one."""
    joined: list[Picture] = []
    for picture in pictures:
        current = picture
        for other in [other for other in joined if _overlap(other.box, current.box)]:
            joined.remove(other)
            parts = tuple(sorted({*current.parts, *other.parts}))
            current = Picture(current.box.union(other.box), max(current.side_px, other.side_px), parts)
        joined.append(current)
    return joined


def _overlap(first: Box, second: Box) -> bool:
    """Whether one hides a good part of the other, or they are neighbouring strips of one picture."""
    across = min(first.x1, second.x1) - max(first.x0, second.x0)
    down = min(first.y1, second.y1) - max(first.y0, second.y0)
    smaller = min(first, second, key=lambda box: (box.x1 - box.x0) * (box.y1 - box.y0))
    if across > 0 and down > 0 and across * down > 0.3 * (smaller.x1 - smaller.x0) * (smaller.y1 - smaller.y0):
        return True
    same_width = abs(first.x0 - second.x0) < TOUCHING and abs(first.x1 - second.x1) < TOUCHING
    return same_width and across > 0 and down > -TOUCHING


def _size(box: Box) -> tuple[float, float]:
    return box.x1 - box.x0, box.y1 - box.y0


def covers_page(pictures: Iterable[Picture], page: Any) -> bool:
    """Whether a picture fills the page: a scan, or a background."""
    return any(picture.area >= FULL_PAGE * page.rect.width * page.rect.height for picture in pictures)


def figure_boxes(pictures: Iterable[Picture], page: Any, rotation: int) -> tuple[Box, ...]:
    """Boxes on the upright page of all pictures that are figures, from the top."""
    figures = [picture.box for picture in pictures if not covers_page([picture], page)]
    return tuple(sorted({_upright(box, page, rotation) for box in figures}, key=lambda box: (box.y0, box.x0)))


def recognise_page(page: Any, draft: PageDraft, pictures: Iterable[Picture], limits: Limits) -> "Recognised":
    """Fills the draft with what is recognised on the rendered page; the result says how sure it is."""
    from ingest.ocr import recognise, scaled
    from ingest.reading_order import on_one_row

    image, scale = render_image(page, DPI, limits)
    recognised = recognise(image)
    width, height = page.rect.width, page.rect.height
    draft.width, draft.height = (width, height) if recognised.rotation % 180 == 0 else (height, width)
    draft.rotation = recognised.rotation
    draft.figures = figure_boxes(pictures, page, recognised.rotation)
    draft.origin = TextOrigin.OCR if recognised.lines else TextOrigin.NONE
    draft.rows = []
    for index, line in enumerate(recognised.lines):
        beside = index > 0 and on_one_row(recognised.lines[index - 1].box, line.box)
        box = Box(*(value / scale for value in line.box))
        row = Row(line.text, box, size=0.8 * (box.y1 - box.y0), confidence=line.confidence)
        row.glyphs = scaled(line.glyphs, 1 / scale)
        row.lead = ROW_GAP if beside else "\n"
        draft.rows.append(row)
    return recognised


def recognise_figure(page: Any, picture: Picture, rotation: int, lines: list[Line], limits: Limits) -> Block | None:
    """The text inside one picture as a block of FIGURE rows; what the text layer prints over it is left to that."""
    from ingest.ocr import recognise, scaled, turned

    image, scale = render_image(page, DPI, limits, picture.box)
    recognised = recognise(turned(image, rotation), find_rotation=False)
    area = _upright(picture.box, page, rotation)
    rows = []
    for line in recognised.lines:
        x0, y0, x1, y1 = (value / scale for value in line.box)
        box = Box(area.x0 + x0, area.y0 + y0, area.x0 + x1, area.y0 + y1)
        if not any(_covers(known, box) for known in lines):
            glyphs = scaled(line.glyphs, 1 / scale, area.x0)
            rows.append(Row(line.text, box, Role.FIGURE, confidence=line.confidence, glyphs=glyphs))
    return Block(*area, rows, order=_order_at(area, lines)) if rows else None


def _upright(box: Box, page: Any, rotation: int) -> Box:
    if not rotation:
        return box
    return Box(*moved(box, turning(rotation, page.rect.width, page.rect.height)))


def _covers(line: Line, box: Box) -> bool:
    width = min(line.x1, box.x1) - max(line.x0, box.x0)
    height = min(line.y1, box.y1) - max(line.y0, box.y0)
    return width > 0 and height > 0 and width * height > DRAWN_TWICE * (box.x1 - box.x0) * (box.y1 - box.y0)


def _order_at(area: Box, lines: list[Line]) -> int:
    """The drawing order a figure would have if it were drawn where it stands: after the last line above it."""
    above = [line for line in lines if line.y1 <= area.y0 + 2 and line.x0 < area.x1 and line.x1 > area.x0]
    return max((line.order for line in above), default=0)
