"""The values that the steps of the PDF reader hand to each other: lines, blocks, rows and half-made pages.

Owns no step. Boxes are in points of the upright page, origin top left. Everything here is mutable, lives only while
one file is read, and never leaves `ingest.pdf`.
"""

from dataclasses import dataclass, field

from ingest.document import Box, Glyphs, Link, Role, TextOrigin


@dataclass(slots=True)
class Line:
    """A run of characters on one baseline, as the file's text layer gives it."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    size: float = 10.0
    bold: bool = False
    mono: bool = False
    rtl: bool = False
    italic: bool = False
    order: int = 0  # position in the file's own drawing order
    visible: bool = True
    num_unreadable: int = 0  # characters without a mapping, of private use, or control characters
    along: bool = True  # runs along the page's reading direction; False: up or down a margin

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass(slots=True)
class Row:
    """What becomes one span: a printed line, a table row, or a line recognised in a picture."""

    text: str
    box: Box
    role: Role = Role.TEXT
    size: float = 10.0
    bold: bool = False
    italic: bool = False
    mono: bool = False
    num_cells: int = 1
    confidence: float | None = None
    glyphs: Glyphs | None = None  # of a line recognised in a picture
    lead: str = "\n"  # what separates it from the row before


@dataclass(slots=True)
class Block:
    """Rows that stay together whatever stands beside them: a ruled table, or the text of a picture."""

    x0: float
    y0: float
    x1: float
    y1: float
    rows: list[Row]
    order: int = 0

    @property
    def height(self) -> float:
        return self.y1 - self.y0


Item = Line | Block


@dataclass(slots=True)
class PageDraft:
    """A page before the whole document is known: its rows have no running-header and heading roles yet."""

    page_no: int
    width: float
    height: float
    rotation: int = 0
    rows: list[Row] = field(default_factory=list)
    origin: TextOrigin = TextOrigin.LAYER
    figures: tuple[Box, ...] = ()
    links: list[Link] = field(default_factory=list)
    label: str | None = None


def box_of(item: Item) -> Box:
    return Box(item.x0, item.y0, item.x1, item.y1)
