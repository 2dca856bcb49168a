"""What lies over a page's image: its words, to be selected and read aloud, and the patches in which the model sees it.

Both are drawn in the page's own points, so they fit whatever the zoom. Nothing here asks the model: where words and
glyphs stand is what `ingest` found (`Span.box`, `Span.glyphs`).
"""

from collections.abc import Iterator
from itertools import pairwise

from app.web.render.basics import escape
from app.web.texts import noted, number, t
from ingest.document import Box, Page, Span, TextOrigin

FIGURE = noted("A picture: the text in it is read, its shapes are not")
UPRIGHT = 2.0  # a box so many times as high as wide holds a line that runs down the page
LEGEND = (
    ("ll-patch-exact", noted("text of the file")),
    ("ll-patch-line", noted("recognised, a patch a glyph")),
    ("ll-patch-doubt", noted("more than one glyph mixed")),
    ("ll-patch-figure", noted("picture, not understood")),
)


def words(page: Page) -> str:
    """The page's text in its place, unseen, so that it can be selected, copied, searched and read aloud."""
    lines = "".join(_line(page.text[span.start : span.end], span.box) for span in page.spans if span.box is not None)
    return f'<svg class="ll-words" {_view(page)}>{lines}</svg>' if lines else ""


def _line(text: str, box: Box) -> str:
    shown = escape(" ".join(text.split()))
    wide, high = max(box.x1 - box.x0, 0.1), max(box.y1 - box.y0, 0.1)
    if len(text) > 1 and high > UPRIGHT * wide:
        return (
            f'<text transform="translate({box.x0 + 0.2 * wide:.1f} {box.y0:.1f}) rotate(90)" textLength="{high:.1f}" '
            f'font-size="{0.8 * wide:.1f}" lengthAdjust="spacingAndGlyphs">{shown}</text>'
        )
    return (
        f'<text x="{box.x0:.1f}" y="{box.y1 - 0.22 * high:.1f}" textLength="{wide:.1f}" font-size="{0.8 * high:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{shown}</text>'
    )


def patches(page: Page) -> str:
    """What reaches the model of this page: exact text, patches of recognised glyphs, mixtures; and what does not."""
    lines = "".join(_seen(page, span) for span in page.spans if span.box is not None)
    pictures = "".join(_rect(box, "ll-patch-figure", t(FIGURE)) for box in page.figures)
    return f'<svg class="ll-patches" aria-hidden="true" {_view(page)}>{pictures}{lines}</svg>'


def _seen(page: Page, span: Span) -> str:
    assert span.box is not None, "only lines that stand somewhere are drawn"
    if span.confidence is None:
        return _rect(span.box, "ll-patch-exact")
    centres = span.glyphs.centres if span.glyphs else ()
    edges = [(left + right) / 2 for left, right in pairwise(centres)]
    cuts = "".join(f"M{edge:.1f} {span.box.y0:.1f}V{span.box.y1:.1f}" for edge in edges)
    grid = f'<path class="ll-patch-cut" d="{cuts}"/>' if cuts else ""
    return _rect(span.box, "ll-patch-line") + grid + "".join(_doubts(page, span))


def _doubts(page: Page, span: Span) -> Iterator[str]:
    """The glyphs that reach the model as a mixture of several, with the share of each."""
    for doubt in span.glyphs.doubts if span.glyphs else ():
        box = span.box_of(span.start + doubt.at, span.start + doubt.at + 1)
        shares = " · ".join(f"{glyph} {number(100 * share)} %" for glyph, share in doubt.readings)
        if box is not None:
            yield _rect(box, "ll-patch-doubt", f"{page.text[span.start + doubt.at]}: {shares}")


def _rect(box: Box, css: str, said: str = "") -> str:
    title = f"<title>{escape(said)}</title>" if said else ""
    place = f'x="{box.x0:.1f}" y="{box.y0:.1f}" width="{box.x1 - box.x0:.1f}" height="{box.y1 - box.y0:.1f}"'
    return f'<rect class="{css}" {place}>{title}</rect>' if title else f'<rect class="{css}" {place}/>'


def _view(page: Page) -> str:
    return f'viewBox="0 0 {page.width_pt or 1:.1f} {page.height_pt or 1:.1f}" preserveAspectRatio="none"'


def patch_tool(page: Page) -> str:
    """Shows and hides the patches, in the browser (assets/theme/longleaf.js), with what the colours mean."""
    if not page.has_geometry:
        return ""
    recognised = page.origin is TextOrigin.OCR or any(span.confidence is not None for span in page.spans)
    named = [row for row in LEGEND if row[0] in _present(page, recognised)]
    legend = "".join(f'<i class="{css}"></i>{t(label)}' for css, label in named)
    return (
        '<span class="ll-heat-tool"><button type="button" class="ll-chip" data-toggle="patches" aria-pressed="false">'
        f'{t("What the model sees")}</button><span class="ll-legend ll-patch-legend">{legend}</span></span>'
    )


def _present(page: Page, recognised: bool) -> set[str]:
    """The classes that this page has."""
    found = {"ll-patch-line"} if recognised else set()
    if any(span.confidence is None and span.box is not None for span in page.spans):
        found.add("ll-patch-exact")
    if any(span.glyphs and span.glyphs.doubts for span in page.spans):
        found.add("ll-patch-doubt")
    return found | ({"ll-patch-figure"} if page.figures else set())
