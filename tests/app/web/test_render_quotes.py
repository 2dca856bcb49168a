"""Quotes of table rows: cells apart for people, while text, code and what is exported stay as they are."""

import json
import re
from dataclasses import replace
from html import unescape

from app.web.render import answer as answers
from app.web.render import library, sheet
from app.web.render.previews import preview
from app.web.render.quotes import quoted
from app.web.state import View
from ingest.document import Document, Kind, Page, Role, Span
from llm.answer import Answer, Citation

GAP = '<span class="ll-gap"> | </span>'
TEXT = "Pay with a | b.\nPart | Price | Note\nBolt <b> |  | 7 crowns\n"


def rows_page(text: str = TEXT) -> Page:
    spans, offset = [], 0
    for line in text.split("\n"):
        if "Part" in line or "Bolt" in line or "---" in line:
            spans.append(Span(offset, offset + len(line), role=Role.TABLE))
        offset += len(line) + 1
    return Page(1, text, tuple(spans))


def cite_of(quote: str, text: str = TEXT) -> Citation:
    start = text.index(quote)
    line_no = text[:start].count("\n") + 1
    lines = (line_no, line_no + quote.count("\n"))
    return Citation("parts.csv", "d" * 64, None, lines, None, quote, True, 0, start, start + len(quote))


def test_cells_of_a_row_are_kept_apart_and_no_other_text_is() -> None:
    row, prose = cite_of("Bolt <b> |  | 7 crowns"), cite_of("Pay with a | b.")
    assert quoted(row, rows_page(), 280) == f"Bolt &lt;b&gt;{GAP}7 crowns"  # and no empty ones
    assert quoted(prose, rows_page(), 280) == "Pay with a | b."
    assert quoted(row, None, 280) == "Bolt &lt;b&gt; | | 7 crowns"  # the document is gone
    assert quoted(row, rows_page(), 12) == "Bolt &lt;b&gt;…"


def test_a_word_that_a_line_breaks_is_read_as_one() -> None:
    text = "It is de-\nclared stable, of 10-\n20 packages - \nor so."
    assert quoted(cite_of(text, text), Page(1, text), 280) == "It is de-clared stable, of 10- 20 packages - or so."


def test_several_rows_stand_below_one_another_and_markdown_loses_its_frame() -> None:
    text = "| Part | Price |\n| ---- | ----: |\n| Bolt | 7 |\n"
    shown = quoted(cite_of(text.strip(), text), rows_page(text), 280)
    assert shown == f"Part{GAP}Price<br>Bolt{GAP}7"


def test_they_are_so_wherever_a_quote_is_shown_and_exact_where_it_is_copied(answer: Answer) -> None:
    row, page = cite_of("Part | Price | Note"), rows_page()
    found = replace(answer, answer="Part | Price | Note", citations=(row,))
    shown = answers.answered(found, cited=[page])
    assert shown.count(f"Part{GAP}Price{GAP}Note") == 2  # the answer and its evidence
    assert "[1] parts.csv, line 2: “Part | Price | Note”" in answers.as_text(found)
    assert f"Part{GAP}Price" in library.hits([(row, page)])
    leaf = Document("d" * 64, "parts.csv", Kind.TEXT, (page,))
    lines = re.findall(r"<li value.*?</a>(.*?)</li>", sheet.sheet(View.of((row,)), leaf, []))
    assert lines == ["Pay with a | b.", f"<mark>Part{GAP}Price{GAP}Note</mark>", f"Bolt &lt;b&gt;{GAP}{GAP}7 crowns"]
    assert [gap_of(cite, page) for cite in (row, cite_of("Pay with"))] == [" | ", None]


def gap_of(cite: Citation, page: Page) -> object:
    """What the preview draws as a line between cells."""
    lines = re.search(r'data-peek-lines="([^"]*)"', preview(cite, page))
    assert lines is not None
    return json.loads(unescape(lines[1]))["gap"]
