"""What is seen of a citation where it is pointed at: attributes that the browser draws (assets/theme/previews.js).

Of a page that has a picture, the picture and the boxes on it in per cent; of a text, the cited lines with those around.
"""

import json

from app.web.render.basics import boxes_of, escape, place
from app.web.render.quotes import is_row
from ingest.document import Page
from ingest.page_text import CELL_GAP
from llm.answer import Citation

LINES_AROUND, LINES_SHOWN = 2, 12
LINE_CUT = 160  # characters


def preview(cite: Citation, page: Page | None) -> str:
    """Empty where the page is not there any more."""
    if page is None:
        return ""
    said = f' data-peek="{escape(cite.source)}{place(cite)}"'
    if not page.has_geometry:
        return f'{said} data-peek-lines="{escape(_lines(cite, page))}"' if cite.lines else ""
    boxes = boxes_of(cite)
    if not boxes:
        return ""
    width, height = page.width_pt or 1.0, page.height_pt or 1.0
    placed = [
        [
            round(100 * part, 2)
            for part in (box.x0 / width, box.y0 / height, (box.x1 - box.x0) / width, (box.y1 - box.y0) / height)
        ]
        for box in boxes
    ]
    source = f"/page/{escape(cite.document)}/{cite.page_index}.png"
    return (
        f'{said} data-peek-src="{source}" data-peek-ratio="{height / width:.4f}" data-peek-boxes="{json.dumps(placed)}"'
    )


def _lines(cite: Citation, page: Page) -> str:
    """The cited lines, from 1, with some around them."""
    assert cite.lines is not None, "only citations of text have lines"
    text = page.text.split("\n")
    first = max(1, cite.lines[0] - LINES_AROUND)
    last = min(len(text), cite.lines[1] + LINES_AROUND, first + LINES_SHOWN - 1)
    shown = [line if len(line) <= LINE_CUT else f"{line[: LINE_CUT - 1]}…" for line in text[first - 1 : last]]
    gap = CELL_GAP if is_row(page, cite.start, cite.end) else None
    return json.dumps({"first": first, "marked": list(cite.lines), "lines": shown, "gap": gap}, ensure_ascii=False)
