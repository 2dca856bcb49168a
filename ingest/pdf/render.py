"""PDF pages as pixels, never more of them than the limits allow.

Owns scale and turn; the page is drawn as it is shown (/Rotate applied) and then turned upright as `Page.rotation` says.
"""

from math import sqrt
from pathlib import Path
from typing import Any

import pymupdf
from PIL import Image

from ingest.document import Box, Page
from ingest.errors import SourceTooLarge, UnreadableSource
from ingest.options import Limits
from ingest.pdf.layer import turning
from ingest.pdf.opening import DAMAGE, opened_pdf


def render_pdf_page(path: Path, page: Page, dpi: int, password: str | None = None) -> bytes:
    """The page as PNG, upright. Smaller than asked for where the limits demand it. Raises an IngestError."""
    limits = Limits()
    with opened_pdf(path, path.name, password, limits) as document:
        try:
            shown = document[page.page_no - 1]
        except (*DAMAGE, IndexError) as error:
            raise UnreadableSource(f"page {page.page_no} of {path.name} is missing or damaged ({error})") from error
        if oversized_picture(shown, limits):
            raise SourceTooLarge(f"page {page.page_no} of {path.name} is not drawn: {oversized_picture(shown, limits)}")
        width, height = shown.rect.width, shown.rect.height
        scale = bounded_scale(width, height, dpi, limits)
        matrix = pymupdf.Matrix(scale, scale)  # type: ignore[no-untyped-call]
        if page.rotation:
            matrix = turning(page.rotation, width, height) * matrix
        pixmap = shown.get_pixmap(matrix=matrix, alpha=False)
        return bytes(pixmap.tobytes("png"))


def render_image(page: Any, dpi: int, limits: Limits, clip: Box | None = None) -> tuple[Image.Image, float]:
    """The shown page, or a part of it, and its scale in pixels a point."""
    x0, y0, x1, y1 = clip or page.rect
    scale = bounded_scale(x1 - x0, y1 - y0, dpi, limits)
    matrix = pymupdf.Matrix(scale, scale)  # type: ignore[no-untyped-call]
    pixmap = page.get_pixmap(matrix=matrix, alpha=False, clip=clip)
    return Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples), scale


def bounded_scale(width: float, height: float, dpi: int, limits: Limits) -> float:
    """Pixels a point for `dpi`, or less: no side and no area over the limits."""
    sides = max(width, height, 1.0)
    area = max(width * height, 1.0)
    return min(dpi / 72, limits.max_image_side_px / (sides + 1), sqrt(limits.max_image_pixels / area) * 0.999)


def oversized_picture(page: Any, limits: Limits) -> str | None:
    """One clause about an embedded picture that may not be decoded, or None. It looks at declared sizes only."""
    for _, _, width, height, *_ in page.get_images():
        if width * height > limits.max_image_pixels or max(width, height) > limits.max_image_side_px:
            return (
                f"it holds a picture of {width} x {height} px; the most allowed is {limits.max_image_pixels} px "
                f"and {limits.max_image_side_px} px a side"
            )
    return None
