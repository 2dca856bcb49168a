"""What lies over a page image: selectable words, and the patches in which the model sees a scan."""

from app.web.render.layers import patch_tool, patches, words
from ingest.document import Box, Doubt, Glyphs, Page, Span, TextOrigin

GLYPHS = Glyphs((15.0, 25.0), (Doubt(1, (("b", 0.6), ("6", 0.4))),))
SCAN = Page(
    1, "Ab\nc<d",
    (
        Span(0, 2, Box(10, 10, 30, 20), confidence=0.9, glyphs=GLYPHS),
        Span(3, 6, Box(10, 30, 40, 40), confidence=0.9),
    ),
    width_pt=100.0, height_pt=50.0, origin=TextOrigin.OCR, figures=(Box(50, 5, 90, 45),),
)  # fmt: skip


def test_words_stand_where_their_lines_stand() -> None:
    shown = words(SCAN)
    assert 'viewBox="0 0 100.0 50.0"' in shown
    assert '<text x="10.0" y="17.8" textLength="20.0"' in shown
    assert "c&lt;d</text>" in shown


def test_a_line_that_runs_down_is_turned() -> None:
    page = Page(1, "Margin", (Span(0, 6, Box(5, 5, 10, 45)),), width_pt=100.0, height_pt=50.0)
    assert "rotate(90)" in words(page)
    assert words(Page(1, "", width_pt=100.0, height_pt=50.0)) == ""


def test_each_glyph_is_a_patch_and_doubtful_ones_say_what_they_may_be() -> None:
    shown = patches(SCAN)
    assert shown.count("ll-patch-line") == 2
    assert 'd="M20.0 10.0V20.0"' in shown
    assert "b: b 60 % · 6 40 %" in shown
    assert "its shapes are not" in shown


def test_text_of_the_file_is_told_from_recognised_text() -> None:
    page = Page(1, "Exact", (Span(0, 5, Box(5, 5, 45, 10)),), width_pt=100.0, height_pt=50.0)
    assert "ll-patch-exact" in patches(page)
    assert "text of the file" in patch_tool(page)
    assert "recognised" not in patch_tool(page)
    assert {"recognised", "mixed", "picture"} <= set(
        patch_tool(SCAN).replace(",", " ").replace("<", " ").replace(">", " ").split()
    )
    assert patch_tool(Page(1, "text without a picture")) == ""
