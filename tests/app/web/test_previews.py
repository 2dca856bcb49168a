"""What is shown of a citation where it is pointed at, and links to pages and lines."""

import html
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.errors import NotInLibrary
from app.service import Longleaf
from app.web.render import sheet
from app.web.render.answer import answered
from app.web.render.previews import preview
from app.web.state import View
from app.web.viewer import ViewerPanel, _line_range
from ingest.document import Box, Page, Span
from llm.answer import Answer, Citation


def attribute(shown: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', shown)
    assert found is not None, f"{name} is missing in {shown}"
    return html.unescape(found[1])


def pictured() -> Page:
    return Page(3, "The rent is 900 crowns.", (Span(0, 23, box=Box(10, 20, 110, 40)),), width_pt=200.0, height_pt=400.0)


def test_a_citation_of_a_page_is_previewed_by_its_picture_and_boxes(cite: Citation, answer: Answer) -> None:
    shown = preview(cite, pictured())
    assert attribute(shown, "data-peek") == "lease.pdf, page 3"
    assert attribute(shown, "data-peek-src") == f"/page/{cite.document}/2.png"
    assert json.loads(attribute(shown, "data-peek-boxes")) == [[5.0, 5.0, 50.0, 2.5], [5.0, 7.5, 25.0, 2.5]]
    assert attribute(shown, "data-peek-ratio") == "2.0000"
    assert "data-peek-src" in answered(answer, cited=[pictured()])
    assert "data-peek" not in answered(answer, cited=[None])  # the document is gone
    assert "data-peek" not in answered(answer)


def test_a_citation_of_a_text_is_previewed_by_its_lines_and_those_around(cite: Citation) -> None:
    text = "\n".join(f'line "{number}" <b>' for number in range(1, 41))
    page = Page(1, text)
    shown = preview(replace(cite, lines=(10, 11), box=None, line_boxes=()), page)
    lines = json.loads(attribute(shown, "data-peek-lines"))
    assert (lines["first"], lines["marked"]) == (8, [10, 11])
    assert lines["lines"] == [f'line "{number}" <b>' for number in range(8, 14)]
    assert "<b>" not in shown
    whole = json.loads(attribute(preview(replace(cite, lines=(1, 40)), page), "data-peek-lines"))
    assert (whole["first"], len(whole["lines"])) == (1, 12)


def test_a_link_leads_to_the_lines_or_the_page_it_names(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    project = longleaf.add(texts.project)
    leaf = next(leaf for leaf in longleaf.document(project.id).leaves() if leaf.name.endswith(".py"))
    panel = ViewerPanel(longleaf)

    def arrived(**query: str) -> View:
        found = panel.arrive(View(), SimpleNamespace(query_params=query))  # type: ignore[arg-type]
        assert isinstance(found, View)
        return found

    view = arrived(file=leaf.id[:16], lines="1-2")
    assert (view.document, view.leaf, view.linked) == (project.id, leaf.id, (1, 2))
    shown = panel.show(view)
    assert [int(no) for no in re.findall(r'<li value="(\d+)" class="ll-line ll-line-linked"', shown)] == [1, 2]
    assert f'href="?file={leaf.id[:16]}&amp;lines=2"' in shown
    assert f'data-copy-link="?file={leaf.id[:16]}&amp;lines=1-2"' in shown
    assert arrived(file=leaf.id[:16], page="7").page_index == 0  # there is no such page
    gone = panel.show(arrived(file="f" * 16, lines="2"))
    assert "the library has no document" in gone
    with pytest.raises(NotInLibrary):
        longleaf.place_of(leaf.id[:4])  # too short to be sure
    with pytest.raises(NotInLibrary):
        longleaf.place_of("%" * 16)


@pytest.mark.parametrize(
    ("text", "lines"),
    [("12", (12, 12)), ("3-9", (3, 9)), ("9-3", (9, 9)), ("", None), ("0", None), ("a-b", None), ("-3", None)],
)
def test_lines_of_an_address_are_not_believed(text: str, lines: tuple[int, int] | None) -> None:
    assert _line_range(text) == lines


def test_a_page_has_a_link_to_itself_and_cited_lines_one_to_them(cite: Citation) -> None:
    assert sheet.link_to("ab" * 32, 3) == "?file=abababababababab&page=3"
    assert sheet.link_to("ab" * 32, 1, (4, 4)) == "?file=abababababababab&lines=4"
    assert sheet.link_to("ab" * 32, 1, (4, 9)) == "?file=abababababababab&lines=4-9"
