"""Where the model looked, as heat: how warm each stretch of a page is, from the attention of all layers to it.

Warmth is relative to the answer's most looked at stretch. Stretches that are always in view (the first tokens and the
last ones) have no share: nobody chose them. They are shown as such, since the answer may rest on them all the same.
"""

from collections.abc import Iterator, Sequence

from app.web.render.basics import escape
from app.web.texts import noted, number, t
from ingest.document import Page
from llm.answer import Look

ALWAYS = noted("Always in view: no layer had to choose it")


def warmth(looks: Sequence[Look]) -> dict[tuple[str, int], float]:
    """The warmest stretch of each (document, page index), 0 to 1; pages without any are not named."""
    most = max((look.share for look in looks), default=0.0)
    warm: dict[tuple[str, int], float] = {}
    for look in looks:
        if look.share > 0:
            key = (look.document, look.page_index)
            warm[key] = max(warm.get(key, 0.0), look.share / most)
    return warm


def heat_boxes(looks: Sequence[Look], leaf_id: str, page_index: int, page: Page) -> str:
    """One box a line that was looked at or is always in view, for a page that is shown as an image."""
    width, height = page.width_pt or 1.0, page.height_pt or 1.0
    boxes = []
    for look, warm in _on_page(looks, leaf_id, page_index):
        for span in page.spans_between(look.start, look.end):
            if span.box is not None:
                box = span.box
                css = "ll-heat" if look.share > 0 else "ll-heat ll-heat-always"
                boxes.append(
                    f'<i class="{css}" style="--ll-warm:{warm:.2f};left:{100 * box.x0 / width:.2f}%;'
                    f"top:{100 * box.y0 / height:.2f}%;width:{100 * (box.x1 - box.x0) / width:.2f}%;"
                    f'height:{100 * (box.y1 - box.y0) / height:.2f}%" title="{escape(_said(look))}"></i>'
                )
    return "".join(boxes)


def heat_lines(looks: Sequence[Look], leaf_id: str, page_index: int, text: str) -> dict[int, float]:
    """Line number, from 1 -> warmth, for a page that is shown as text; 0 for what is always in view."""
    lines: dict[int, float] = {}
    for look, warm in _on_page(looks, leaf_id, page_index):
        first = text.count("\n", 0, look.start) + 1
        for line_no in range(first, first + text.count("\n", look.start, max(look.start, look.end - 1)) + 1):
            lines[line_no] = max(lines.get(line_no, 0.0), warm)
    return lines


def _on_page(looks: Sequence[Look], leaf_id: str, page_index: int) -> Iterator[tuple[Look, float]]:
    most = max((look.share for look in looks), default=0.0) or 1.0
    for look in looks:
        if (look.document, look.page_index) == (leaf_id, page_index):
            yield look, look.share / most


def _said(look: Look) -> str:
    if look.share <= 0:
        return t(ALWAYS)
    return t(
        "{share} % of the attention to what was read; chosen by {layers} layers",
        share=number(100 * look.share, 1), layers=len(look.layers),
    )  # fmt: skip
