"""The viewer's fragments: boxes where the evidence stands, lines as they are numbered in the file."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web.render import sheet as fragments
from app.web.render.basics import boxes_of
from app.web.state import View
from ingest.document import Box, Document, Kind, Page
from llm.answer import Citation

LEAF = "d" * 64


def page_document(num_pages: int = 12) -> Document:
    pages = tuple(Page(number + 1, "", width_pt=200.0, height_pt=400.0) for number in range(num_pages))
    return Document(LEAF, "lease.pdf", Kind.PDF, pages)


def code_document(text: str, language: str | None = "python") -> Document:
    return Document(LEAF, "main.py", Kind.CODE, (Page(1, text),), language=language)


def line_cite(first: int, last: int) -> Citation:
    return Citation("main.py", LEAF, None, (first, last), None, "q", True)


def test_every_line_of_the_quote_is_boxed_in_percent_of_the_page(cite: Citation) -> None:
    shown = fragments.sheet(View.of((cite,)), page_document(), [])
    assert shown.count("ll-box-chosen") == 2
    assert "left:5.000%;top:5.000%;width:50.000%;height:2.500%" in shown
    assert "left:5.000%;top:7.500%;width:25.000%;height:2.500%" in shown
    assert f'src="/page/{LEAF}/2.png"' in shown
    assert "aspect-ratio:200.00/400.00" in shown


def test_boxes_of_lines_that_are_set_tightly_do_not_lie_over_one_another(cite: Citation) -> None:
    tight = replace(cite, line_boxes=(Box(10, 20, 110, 34), Box(10, 30, 110, 44), Box(10, 40, 60, 54)))
    assert boxes_of(tight) == [Box(10, 20, 110, 32), Box(10, 32, 110, 42), Box(10, 42, 60, 54)]
    beside = replace(cite, line_boxes=(Box(10, 20, 60, 30), Box(70, 21, 110, 31)))  # cells of one row
    assert boxes_of(beside) == list(beside.line_boxes)
    assert boxes_of(replace(cite, line_boxes=())) == [cite.box]


def test_boxes_of_other_pages_and_documents_are_not_drawn(cite: Citation) -> None:
    others = (cite, replace(cite, page_index=5), replace(cite, document="e" * 64), replace(cite, verified=False))
    shown = fragments.sheet(View.of(others), page_document(), [])
    assert shown.count('class="ll-box') == 4  # two lines each of the first and the last
    assert shown.count("ll-box-unverified") == 2


def test_the_way_to_the_next_evidence_and_page(cite: Citation) -> None:
    shown = fragments.sheet(View.of((cite, cite)), page_document(), [])
    assert re.search(r'<button disabled[^>]* data-act="evidence" data-arg="-1"', shown)
    assert 'data-act="evidence" data-arg="1"' in shown
    assert 'data-act="page" data-arg="1"' in shown
    assert 'data-act="page" data-arg="3"' in shown
    assert "Evidence 1 of 2" in shown


def test_cited_lines_are_marked_and_numbered() -> None:
    shown = fragments.sheet(View.of((line_cite(2, 3), line_cite(5, 5))), code_document("\na\nb\nc\nd\ne\n"), [])
    assert re.findall(r'<li value="(\d+)" class="ll-line ll-line-chosen">', shown) == ["2", "3"]
    assert re.findall(r'<li value="(\d+)" class="ll-line">', shown) == ["5"]
    assert shown.count("<li ") == 6
    assert "6 lines" in shown


def test_code_is_coloured_and_escaped() -> None:
    shown = fragments.sheet(View(leaf=LEAF), code_document('def go():\n    return "<b>&"\n'), [])
    assert '<span class="k">def</span>' in shown
    assert "&lt;b&gt;&amp;" in shown
    assert "<b>&" not in shown


@pytest.mark.parametrize("language", ["python", "javascript", "c++", "yaml", "no such language", None])
@settings(deadline=None)  # a busy machine is no fault of the colours
@given(text=st.text(alphabet=" \n\t\"'`#/*{}<>&abcdef\\1", max_size=80))
def test_colouring_changes_neither_lines_nor_characters(language: str | None, text: str) -> None:
    lines = fragments._coloured(code_document(text, language), text)
    plain = [re.sub(r"</?span[^>]*>", "", line) for line in lines]
    assert plain == [fragments.escape(line) for line in text.split("\n")]


def test_a_long_file_is_shown_in_parts_around_the_citation() -> None:
    leaf = code_document("x\n" * 5000, None)
    shown = fragments.sheet(View.of((line_cite(4000, 4000),)), leaf, [])
    first = 4000 - fragments.LINES_BEFORE
    assert f'<li value="{first}"' in shown
    assert f'<li value="{first - 1}"' not in shown
    assert '<li value="4000" class="ll-line ll-line-chosen">' in shown
    assert "Earlier lines" in shown
    assert "Later lines" in fragments.sheet(View(leaf=LEAF), leaf, [])
    assert f'data-act="lines" data-arg="{fragments.LINES_SHOWN + 1}"' in fragments.sheet(View(leaf=LEAF), leaf, [])


def test_the_very_words_of_a_quote_are_underlined_in_prose(cite: Citation) -> None:
    text = "One <a>. The rent\nis 900 crowns. Two."
    quote = replace(cite, document=LEAF, page=None, lines=(1, 2), page_index=0, start=9, end=32)
    leaf = Document(LEAF, "notes.txt", Kind.TEXT, (Page(1, text),))
    shown = fragments.sheet(View.of((quote,)), leaf, [])
    assert ">One &lt;a&gt;. <mark>The rent</mark></li>" in shown
    assert "><mark>is 900 crowns.</mark> Two.</li>" in shown
    assert "<mark>" not in fragments.sheet(View(leaf=LEAF, citations=(quote,)), leaf, [])


def test_one_endless_line_is_cut_with_a_note() -> None:
    shown = fragments.sheet(View(leaf=LEAF), code_document("y" * 5000, None), [])
    assert "y" * fragments.LINE_CUT + " … (3,000 more characters)" in shown


def test_the_files_of_a_folder_can_be_chosen() -> None:
    shown = fragments.sheet(View(leaf=LEAF), code_document("x"), [(LEAF, "main.py"), ("e" * 64, "<b>.py")])
    assert f'<option value="{LEAF}" selected>main.py</option>' in shown
    assert "&lt;b&gt;.py</option>" in shown
