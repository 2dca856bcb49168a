"""Pages as pictures for models that have eyes, here or on a server: which are shown, how large, and who makes them."""

import math
from collections.abc import Callable

from ingest.document import Page, TextOrigin

PageSource = Callable[[str, int, int], bytes]  # document id, page index, dpi -> PNG, upright

_POINTS_AN_INCH = 72
_DPI = (36, 300)  # of what a page source is asked for


def is_shown(page: Page, *, all_pages: bool) -> bool:
    """Pages without exact text are shown: scans and photographs; with `all_pages` whatever is a picture at all."""
    return page.has_geometry and (all_pages or page.origin is not TextOrigin.LAYER)


def page_size(page: Page) -> tuple[float, float]:
    """Width and height of a page with geometry, in points."""
    assert page.width_pt is not None, "only pages with geometry are shown as pictures"
    assert page.height_pt is not None, "a page with a width has a height"
    return page.width_pt, page.height_pt


def dpi_for(scale: float) -> int:
    """What to ask a page source for, to get at least `scale` pixels a point."""
    return min(_DPI[1], max(_DPI[0], math.ceil(_POINTS_AN_INCH * scale)))
