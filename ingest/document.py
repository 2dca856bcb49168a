"""What ingest hands to the rest of the house: documents, pages, spans and problems.

Owns the value types and how they are written as JSON; reads no files. Everything here is immutable and plain
Python, so that it crosses process borders and outlives a restart.

Guarantees: spans of a page are in reading order and do not overlap; `page.text[span.start:span.end]` is the span's
text; page numbers count from 1; boxes are in points of the page as a person sees it (after rotation), origin top
left, one image pixel counting as one point; text uses "\\n" line ends only.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from typing import NamedTuple


class Box(NamedTuple):
    """Points, origin top left, x0 < x1 and y0 < y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    def union(self, other: "Box") -> "Box":
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))


class Role(StrEnum):
    """What a span is on its page."""

    TEXT = "text"
    HEADING = "heading"
    TABLE = "table"  # one span a row, cells joined by " | "
    CODE = "code"
    HEADER = "header"  # running header or page number; read, but not used as evidence
    FOOTER = "footer"
    FIGURE = "figure"  # text recognised inside an embedded picture


class TextOrigin(StrEnum):
    """Where a page's text came from."""

    LAYER = "layer"  # the file's own text
    OCR = "ocr"  # recognised from pixels
    NONE = "none"  # no text was found


class Kind(StrEnum):
    """What a document was made from."""

    PDF = "pdf"
    IMAGE = "image"
    OFFICE = "office"
    TEXT = "text"
    CODE = "code"
    MAP = "map"  # the map of a repository: tree, sizes, defined names; made by ingest
    FOLDER = "folder"  # has members, no pages of its own


class Doubt(NamedTuple):
    """A recognised character that may be another one."""

    at: int  # its index in the span's text
    readings: tuple[tuple[str, float], ...]  # characters with their probability, likeliest first; the text's is one


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What recognition saw in a line beyond its likeliest text. `vision` makes patch tokens of it."""

    centres: tuple[float, ...] = ()  # x of each character, in points of the page; none where the line runs up or down
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a page's text, usually one line or one table row, and where they stand."""

    start: int
    end: int
    box: Box | None = None  # None where a page has no geometry (text and code)
    role: Role = Role.TEXT
    confidence: float | None = None  # 0..1 for recognised text, None for exact text
    glyphs: Glyphs | None = None  # of recognised text

    def box_of(self, start: int, end: int) -> Box | None:
        """Where those of the page's characters [start, end) stand that are the span's; the whole box if not known."""
        centres = self.glyphs.centres if self.glyphs else ()
        first, last = max(start - self.start, 0), min(end, self.end) - self.start
        if self.box is None or len(centres) != self.end - self.start:
            return self.box
        left = self.box.x0 if first == 0 else (centres[first - 1] + centres[first]) / 2
        right = self.box.x1 if last == len(centres) else (centres[last - 1] + centres[last]) / 2
        return self.box._replace(x0=left, x1=right) if left < right else self.box


@dataclass(frozen=True, slots=True)
class Place:
    """Where a range of a page's characters stands, as a citation shows it."""

    page_no: int
    box: Box | None  # union of the spans touched
    line_boxes: tuple[Box, ...]  # one for each span touched, of its touched characters where these are known
    lines: tuple[int, int] | None  # first and last line, from 1; None on pages with geometry


@dataclass(frozen=True, slots=True)
class Page:
    """The unit of provenance a person sees.

    A page with `width_pt` is shown as an image with boxes; one without is shown as text with line numbers.
    """

    page_no: int
    text: str
    spans: tuple[Span, ...] = ()  # may be empty on pages without geometry
    label: str | None = None  # printed page label, slide title, sheet name; None: the number itself
    width_pt: float | None = None
    height_pt: float | None = None
    rotation: int = 0  # degrees clockwise by which the stored image must be turned to stand upright: 0, 90, 180, 270
    origin: TextOrigin = TextOrigin.LAYER
    figures: tuple[Box, ...] = ()  # embedded pictures

    @property
    def has_geometry(self) -> bool:
        return self.width_pt is not None

    def place(self, start: int, end: int) -> Place:
        """Where characters [start, end) stand. Raises ValueError outside the page's text."""
        if not 0 <= start < end <= len(self.text):
            raise ValueError(
                f"characters [{start}, {end}) are outside page {self.page_no} of {len(self.text)} characters"
            )
        if not self.has_geometry:
            first = self.text.count("\n", 0, start) + 1
            return Place(self.page_no, None, (), (first, first + self.text.count("\n", start, end - 1)))
        found = (span.box_of(start, end) for span in self.spans_between(start, end))
        boxes = tuple(box for box in found if box is not None)
        return Place(self.page_no, reduce(Box.union, boxes) if boxes else None, boxes, None)

    def spans_between(self, start: int, end: int) -> Iterator[Span]:
        """The spans that share at least one character with [start, end)."""
        index = bisect_left(self.spans, start + 1, key=lambda span: span.end)
        while index < len(self.spans) and self.spans[index].start < end:
            yield self.spans[index]
            index += 1


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of the outline: a bookmark of the file, or a heading that its reader recognised. Level from 1."""

    level: int
    title: str
    page_no: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link on a page: to an address, or "#page=N" inside the document."""

    page_no: int
    box: Box | None
    target: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that a code file defines, for the map of a repository. Lines count from 1."""

    name: str
    kind: str  # "function", "class", "method", "constant", … as the grammar names it
    line: int


class Severity(StrEnum):
    """What a problem means for the answers."""

    LEFT_OUT = "left_out"  # something a person handed over was not read
    DEGRADED = "degraded"  # read, but perhaps not rightly (poor recognition, broken encoding)
    NOTICE = "notice"  # worth knowing; everything was read (a likely secret, say)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong, or is worth knowing, with where it happened. Never hidden from a person."""

    source: str  # the document's name as the person knows it
    page_no: int | None
    what: str  # "page not read", "likely secret", "left out: lock file"
    why: str  # one sentence
    severity: Severity = Severity.LEFT_OUT


@dataclass(frozen=True, slots=True)
class Document:
    """An ingested source. A folder has members and no pages; everything else has pages and no members.

    `id` is the SHA-256 of the source's bytes; of a folder, of its members' names and ids (see `folder_id`).
    """

    id: str
    name: str  # as the person knows it: file name, or path below the folder handed over, with "/"
    kind: Kind
    pages: tuple[Page, ...] = ()
    members: tuple["Document", ...] = ()
    size_bytes: int = 0
    language: str | None = None  # of a code file, lower case: "python"
    headings: tuple[Heading, ...] = ()
    links: tuple[Link, ...] = ()
    definitions: tuple[Definition, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict, hash=False)  # title, author, created, …
    problems: tuple[Problem, ...] = ()  # those of this document itself; `all_problems` adds the members'

    def leaves(self) -> Iterator["Document"]:
        """The documents that have pages, in reading order: this one, or every member of a folder, nested ones too."""
        if self.kind is not Kind.FOLDER:
            yield self
        for member in self.members:
            yield from member.leaves()

    def all_problems(self) -> Iterator[Problem]:
        yield from self.problems
        for member in self.members:
            yield from member.all_problems()

    @property
    def num_pages(self) -> int:
        return sum(len(leaf.pages) for leaf in self.leaves())
