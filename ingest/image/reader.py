"""A picture file as a document: one page a picture (a TIFF: one a frame), its text recognised, upright.

Pixels come from `ingest.image.pixels`, text from `ingest.ocr`. One pixel counts as one point, in pages and in boxes.
"""

import io
from pathlib import Path

from PIL import ExifTags, Image

from ingest.document import Document, Kind, Page, Problem, Severity, TextOrigin
from ingest.errors import IngestError, SourceTooLarge
from ingest.image.pixels import ANIMATED_FORMATS, DAMAGE, frame, num_pages, opened
from ingest.ocr import page_from_recognised, recognise, recognition_problem, turned
from ingest.options import Limits, ReadOptions
from ingest.reader import OnProgress, SourceFile


def read_image(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """Every picture of the file as a page. A damaged frame of a TIFF is a problem and the others go on; when no frame
    can be read, the first one's error is raised."""
    with opened(file.path, file.name, options.limits) as image:
        total = num_pages(image)
        allowed = options.limits.max_pages
        if total > allowed:
            raise SourceTooLarge(f"{file.name} has {total} pages; at most {allowed} are read: hand over its parts")
        problems = _notices(image, file.name)
        pages = _read_pages(image, file.name, options, on_progress, problems)
        metadata = _metadata(image)
    document = Document(
        file.id, file.name, Kind.IMAGE, pages=tuple(pages), size_bytes=file.size_bytes, metadata=metadata
    )
    return document, problems


def render_image_page(path: Path, page: Page, dpi: int = 110) -> bytes:
    """The page as PNG, upright as `page` says, its width and height scaled by dpi/72."""
    limits = Limits()
    if page.width_pt is None or page.height_pt is None:
        raise ValueError(f"page {page.page_no} has no size; only pages of pictures can be shown as one")
    width, height = max(1, round(page.width_pt * dpi / 72)), max(1, round(page.height_pt * dpi / 72))
    if width * height > limits.max_image_pixels:
        raise SourceTooLarge(
            f"page {page.page_no} at {dpi} dpi has {width} x {height} pixels; at most {limits.max_image_pixels} are "
            "shown: ask for fewer dpi"
        )
    with opened(path, path.name, limits) as image:
        picture = frame(image, page.page_no, path.name, limits)
    upright = turned(picture, page.rotation).resize((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    upright.save(stream, "PNG")
    return stream.getvalue()


def _read_pages(
    image: Image.Image, name: str, options: ReadOptions, on_progress: OnProgress, problems: list[Problem]
) -> list[Page]:
    """The pages that could be read; what could not is added to `problems`."""
    pages: list[Page] = []
    errors: list[IngestError] = []
    wanted = options.page_numbers(num_pages(image))
    on_progress(0, len(wanted))
    for done, page_no in enumerate(wanted, start=1):
        try:
            picture = frame(image, page_no, name, options.limits)
            page, problem = _read_page(picture, page_no, name, options)
            pages.append(page)
            problems += [problem] if problem else []
        except IngestError as error:
            errors.append(error)
            problems.append(Problem(name, page_no, "page not read", f"{error}."))
        on_progress(done, len(wanted))
    if errors and not pages:
        raise errors[0]
    return pages


def _read_page(picture: Image.Image, page_no: int, name: str, options: ReadOptions) -> tuple[Page, Problem | None]:
    if not options.ocr:
        width, height = picture.size
        page = Page(page_no, "", width_pt=width, height_pt=height, origin=TextOrigin.NONE)
        return page, Problem(name, page_no, "page not read", "Recognition of text in pictures was switched off.")
    recognised = recognise(picture)
    page = page_from_recognised(recognised, page_no=page_no, size_px=picture.size)
    return page, recognition_problem(recognised, name, page_no)


def _notices(image: Image.Image, name: str) -> list[Problem]:
    num_frames = int(getattr(image, "n_frames", 1))
    if image.format in ANIMATED_FORMATS and num_frames > 1:
        why = f"The animation has {num_frames} frames; the first was read."
        return [Problem(name, 1, "only the first frame was read", why, Severity.NOTICE)]
    return []


def _metadata(image: Image.Image) -> dict[str, str]:
    found = {"format": image.format or "unknown"}
    try:
        taken = image.getexif().get(ExifTags.Base.DateTime)
    except DAMAGE:  # a broken EXIF block says nothing about the pixels
        return found
    return found | ({"created": str(taken).strip("\0 ")} if taken else {})
