"""Where the model looked: heat on lines and boxes, none for what it sees always; and thumbnails with marks."""

import re
from dataclasses import replace

from app.web.render import heat, sheet
from app.web.state import View
from ingest.document import Box, Document, Kind, Page, Span
from llm.answer import Citation, Look

LEAF = "d" * 64


def look(start: int, end: int, share: float, page_index: int = 0) -> Look:
    return Look("a", LEAF, page_index, start, end, share, (1, 2))


def test_lines_are_warm_by_their_warmest_stretch() -> None:
    text = "one\ntwo\nthree\nfour\n"
    looks = (look(0, 8, 0.16), look(4, 13, 0.08), look(14, 18, 0.0))
    assert heat.heat_lines(looks, LEAF, 0, text) == {1: 1.0, 2: 1.0, 3: 0.5, 4: 0.0}
    assert heat.heat_lines(looks, LEAF, 1, text) == heat.heat_lines(looks, "e" * 64, 0, text) == {}
    shown = sheet.sheet(View(leaf=LEAF, looks=looks), Document(LEAF, "a.txt", Kind.TEXT, (Page(1, text),)), [])
    assert re.findall(r'<li value="(\d)" style="--ll-warm:(\d\.\d\d)" data-warm>', shown) == [
        ("1", "1.00"), ("2", "1.00"), ("3", "0.50"),
    ]  # fmt: skip
    assert '<li value="4" data-always>' in shown
    assert 'data-toggle="heat"' in shown


def scan(num_pages: int) -> Document:
    spans = (Span(0, 3, Box(10, 20, 110, 30)), Span(4, 7, Box(10, 40, 110, 50)))
    pages = tuple(Page(number + 1, "one\ntwo", spans, width_pt=200.0, height_pt=400.0) for number in range(num_pages))
    return Document(LEAF, "a.pdf", Kind.PDF, pages)


def test_boxes_of_the_lines_that_were_looked_at_are_warm() -> None:
    shown = sheet.sheet(View(leaf=LEAF, looks=(look(4, 7, 0.2), look(0, 3, 0.3, 1))), scan(2), [])
    assert shown.count('class="ll-heat"') == 1
    assert "--ll-warm:0.67;left:5.00%;top:10.00%;width:50.00%;height:2.50%" in shown
    assert "20.0 % of the attention to what was read; chosen by 2 layers" in shown
    assert "most on page 2" in shown


def test_nothing_is_offered_where_the_model_was_not_observed() -> None:
    shown = sheet.sheet(View(leaf=LEAF, looks=(look(0, 3, 0.0),)), scan(1), [])
    assert 'data-toggle="heat"' not in shown
    assert "Always in view: no layer had to choose it" in shown


def test_thumbnails_mark_the_cited_the_shown_and_the_warm_pages(cite: Citation) -> None:
    view = replace(View.of((replace(cite, page_index=1),)), looks=(look(0, 3, 0.5, 2),), page_index=0, at=None)
    shown = sheet.sheet(view, scan(3), [])
    css = re.findall(r'class="(ll-thumb[^"]*)" data-act="page" data-arg="(\d)"', shown)
    assert css == [("ll-thumb ll-thumb-shown", "0"), ("ll-thumb ll-thumb-cited", "1"), ("ll-thumb", "2")]
    assert "--ll-warm:1.00;aspect-ratio:200.0/400.0" in shown
    assert "3 pages · evidence on 1 page" in shown
    assert "ll-thumb" not in sheet.sheet(View(leaf=LEAF), scan(1), [])
