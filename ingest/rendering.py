"""Pages as pictures for people: PDF pages and images, rendered in a child process like everything that parses."""

from pathlib import Path

from ingest import sandbox
from ingest.document import Kind, Page
from ingest.errors import UnsupportedSource
from ingest.options import Limits
from ingest.reader import OnProgress

_LIMITS = Limits(read_timeout_s=60.0)


def render_page(path: Path, kind: Kind, page: Page, dpi: int = 110, password: str | None = None) -> bytes:
    """The page as PNG, upright as `page` says, `width_pt` x `height_pt` scaled by dpi/72. Raises IngestError.

    Only pages with geometry are pictures; pages of text and code are shown as text.
    """
    if kind not in (Kind.PDF, Kind.IMAGE):
        raise UnsupportedSource(f"a page of kind {kind} is not a picture; only pages of kind pdf and image are")

    def ignore(done: int, total: int) -> None:
        pass

    args = (path.absolute(), kind, page, dpi, password)
    return sandbox.call(render, *args, name=f"page {page.page_no}", limits=_LIMITS, on_progress=ignore)


def render(path: Path, kind: Kind, page: Page, dpi: int, password: str | None, on_progress: OnProgress) -> bytes:
    """The task of `render_page`."""
    if kind is Kind.PDF:
        from ingest.pdf import render_pdf_page

        return render_pdf_page(path, page, dpi, password)
    from ingest.image import render_image_page

    return render_image_page(path, page, dpi)
