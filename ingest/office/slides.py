"""PowerPoint files (.pptx): a slide a page, labelled with its title; text, tables, charts, notes, text in pictures."""

from collections.abc import Iterable, Iterator
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.exc import InvalidXmlError
from pptx.opc.constants import CONTENT_TYPE
from pptx.oxml import parse_xml
from pptx.slide import Slide

from ingest.document import Document, Heading, Kind, Link, Page, Problem
from ingest.errors import SourceTooLarge
from ingest.office.package import as_content_type, office_reader
from ingest.office.pictures import Pictures
from ingest.office.word import core_metadata
from ingest.options import ReadOptions
from ingest.page_text import PageText, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile

OTHER_TYPES = (  # of slide shows and templates
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
    "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml",
)
ROW_EMU = 360_000  # 1 cm: shapes whose tops differ by less stand side by side
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
DIAGRAM_DATA = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
DIAGRAM_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"


@office_reader
def read_pptx(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    with as_content_type(file.path, CONTENT_TYPE.PML_PRESENTATION_MAIN, OTHER_TYPES) as stream:
        presentation = Presentation(stream)
    slides = list(presentation.slides)
    if len(slides) > options.limits.max_pages:
        raise SourceTooLarge(
            f"{file.name} has {len(slides)} slides; at most {options.limits.max_pages} are read: hand over its parts"
        )
    pictures = Pictures(file.name, options)
    pages: list[Page] = []
    headings: list[Heading] = []
    links: list[Link] = []
    wanted = options.page_numbers(len(slides))
    on_progress(0, len(wanted))
    for done, page_no in enumerate(wanted, start=1):
        slide = slides[page_no - 1]
        page_text = PageText(page_no)
        title = _write_slide(slide, page_text, pictures)
        pages.append(page_text.page(label=title or None))
        headings += page_text.headings
        links += _links(slide, page_no)
        on_progress(done, len(wanted))
    document = Document(
        file.id,
        file.name,
        Kind.OFFICE,
        pages=tuple(pages),
        size_bytes=file.size_bytes,
        headings=tuple(headings),
        links=tuple(links),
        metadata=core_metadata(presentation.core_properties),
    )
    return document, pictures.problems() + empty_problems(file.name, pages)


def _write_slide(slide: Slide, page: PageText, pictures: Pictures) -> str:
    """Writes title, shapes as they stand on the slide, and notes. Returns the title."""
    title_shape = slide.shapes.title
    title = one_line(title_shape.text_frame.text) if title_shape is not None else ""
    page.heading(title, 1)
    title_id = title_shape.shape_id if title_shape is not None and title else None
    for shape in _in_order(slide.shapes):
        if shape.shape_id != title_id:
            _write_shape(shape, page, pictures)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.replace("\v", "\n").strip()
        if notes:
            page.gap()
            page.add(f"Notes: {notes}")
    return title


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    """From the top, and from the left where shapes stand side by side; the file has them in order of depth."""
    return sorted(shapes, key=lambda shape: ((shape.top or 0) // ROW_EMU, shape.left or 0))


def _write_shape(shape: Any, page: PageText, pictures: Pictures) -> None:
    if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
        for member in _in_order(shape.shapes):
            _write_shape(member, page, pictures)
    elif getattr(shape, "has_table", False):
        page.gap()
        for row in shape.table.rows:
            page.row([cell.text_frame.text for cell in row.cells if not cell.is_spanned])
        page.gap()
    elif getattr(shape, "has_chart", False):
        _write_chart(shape.chart, page)
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            indent = "  " * paragraph.level
            page.add("\n".join(indent + line for line in paragraph.text.split("\v")))
    else:
        for text in _diagram_texts(shape):
            page.add(f"- {text}")
    picture = _picture_bytes(shape)
    if picture:
        pictures.write(picture, page)


def _picture_bytes(shape: Any) -> bytes | None:
    """The picture that a shape shows; None for a shape without one, or with one that lies outside the file."""
    try:
        image = getattr(shape, "image", None)
        return image.blob if image is not None else None
    except (AttributeError, KeyError, ValueError, InvalidXmlError):  # python-pptx: empty or linked picture frames
        return None


def _write_chart(chart: Any, page: PageText) -> None:
    """The chart's numbers as rows: a head of series names, then a row for each category."""
    page.gap()
    if chart.has_title and chart.chart_title.has_text_frame:
        page.add(one_line(chart.chart_title.text_frame.text))
    for plot in chart.plots:
        series = list(plot.series)
        page.row(["", *(one.name or "" for one in series)])
        for index, category in enumerate(plot.categories):
            values = [one.values[index] if index < len(one.values) else None for one in series]
            page.row([str(category), *("" if value is None else f"{value:.12g}" for value in values)])
    page.gap()


def _diagram_texts(shape: Any) -> Iterator[str]:
    """Words of a SmartArt diagram, in the order of its data."""
    for reference in shape.element.iter(DIAGRAM_DATA):
        part = shape.part.related_part(reference.get(DIAGRAM_ID))
        for paragraph in parse_xml(part.blob).iter(f"{DRAWING}p"):
            text = one_line("".join(run.text or "" for run in paragraph.iter(f"{DRAWING}t")))
            if text:
                yield text


def _links(slide: Slide, page_no: int) -> list[Link]:
    return [
        Link(page_no, None, relation.target_ref)
        for relation in slide.part.rels.values()
        if relation.is_external and relation.reltype.endswith("/hyperlink")
    ]
