"""Reading order, running rows, tables, code, headings: what a reader of the page would expect."""

from pathlib import Path
from typing import Any

import pymupdf

from ingest.document import Role
from tests.ingest.pdf.pdfs import SENTENCE, lines, made, read, rows, shared


def column(name: str, count: int = 12) -> list[str]:
    return [f"{name}{i} quick brown fox jumps over the dog today" for i in range(count)]


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        lines(page, 50, 80, [SENTENCE + " across both of the columns of it"], fontsize=11)
        for left, right in zip(column("L"), column("R"), strict=True):  # drawn row by row, as a bad generator does
            y = 120 + 14 * int(left.split()[0][1:])
            page.insert_text((50, y), left, fontsize=10)
            page.insert_text((310, y), right, fontsize=10)

    document, problems = read(made(tmp_path / "two.pdf", draw))
    first_words = [text.split()[0] for text in rows(document.pages[0])]
    assert first_words == ["The", *(f"L{i}" for i in range(12)), *(f"R{i}" for i in range(12))]
    assert problems == []


def test_page_number_under_the_left_column_is_read_last(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        lines(page, 50, 120, column("L", 30))
        lines(page, 310, 120, column("R", 30))
        page.insert_text((60, 810), "7", fontsize=10)

    document, _ = read(made(tmp_path / "foot.pdf", draw))
    assert rows(document.pages[0])[-1] == "7"
    assert document.pages[0].spans[-1].role is Role.FOOTER


def test_columns_of_short_cells_are_rows_of_a_table(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        lines(page, 50, 100, ["", "Products", "Services", "Other income"])
        lines(page, 300, 100, ["2022", "$ 63,355", "19,604", "(10)"])
        lines(page, 400, 100, ["2021", "$ 63,948", "17,486", "243"])
        lines(page, 50, 300, [SENTENCE])

    document, _ = read(made(tmp_path / "table.pdf", draw))
    assert rows(document.pages[0], Role.TABLE) == [
        "| 2022 | 2021",
        "Products | $ 63,355 | $ 63,948",
        "Services | 19,604 | 17,486",
        "Other income | (10) | 243",
    ]


def test_bulleted_list_is_no_table(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        for i, item in enumerate(("apples", "pears", "plums")):
            page.insert_text((50, 100 + 14 * i), f"({i})", fontsize=10)
            page.insert_text((90, 100 + 14 * i), item, fontsize=10)

    document, _ = read(made(tmp_path / "list.pdf", draw))
    assert rows(document.pages[0]) == ["(0) apples", "(1) pears", "(2) plums"]
    assert rows(document.pages[0], Role.TABLE) == []


def ruled(page: Any) -> None:
    """Two columns of 150 points, rows of 40; the first cell of rows 2 and 3 is one."""
    for x in (50, 200, 350):
        page.draw_line((x, 100), (x, 220))
    for y in (100, 140, 220):
        page.draw_line((50, y), (350, y))
    page.draw_line((200, 180), (350, 180))
    lines(page, 60, 120, ["Name"])
    lines(page, 60, 180, ["Fruit"])
    lines(page, 210, 115, ["Meaning of it all", "in two lines"])
    lines(page, 210, 160, ["apples"])
    lines(page, 210, 200, ["pears"])


def test_ruled_table_joins_wrapped_cells_and_repeats_spanned_ones(tmp_path: Path) -> None:
    document, _ = read(made(tmp_path / "ruled.pdf", ruled))
    page = document.pages[0]
    assert rows(page, Role.TABLE) == ["Name | Meaning of it all in two lines", "Fruit | apples", "Fruit | pears"]
    box = page.spans[1].box
    assert box is not None
    assert 50 < box.x0 < box.x1 < 350
    assert 140 < box.y0 < box.y1 < 190


def test_line_across_ruled_cells_is_cut(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        for x in (50, 95, 350):
            page.draw_line((x, 100), (x, 160))
        for y in (100, 130, 160):
            page.draw_line((50, y), (350, y))
        lines(page, 60, 120, ["alpha beta gamma"])
        lines(page, 60, 150, ["delta epsilon zeta"])

    document, _ = read(made(tmp_path / "cut.pdf", draw))
    assert rows(document.pages[0], Role.TABLE) == ["alpha | beta gamma", "delta | epsilon zeta"]


def test_running_rows_are_told_from_text(tmp_path: Path) -> None:
    def draw(number: int) -> Any:
        def page_of(page: Any) -> None:
            title = "Chapter one: The beginning" if number < 4 else f"Chapter {'abcdef'[number - 4]}: Another"
            page.insert_text((50, 40), title, fontsize=9)
            lines(page, 50, 100, [f"{SENTENCE} on page {number}"] * 40)
            page.insert_text((280, 815), f"Page {number} of 6", fontsize=9)

        return page_of

    document, _ = read(made(tmp_path / "running.pdf", *(draw(n) for n in range(1, 7))))
    for page in document.pages:
        assert [span.role for span in page.spans] == [Role.HEADER, *[Role.TEXT] * 40, Role.FOOTER]
    assert rows(document.pages[5], Role.HEADER) == ["Chapter c: Another"]  # no words repeated, but the place is


def test_line_ends_keep_their_hyphens_and_newlines(tmp_path: Path) -> None:
    document, _ = read(made(tmp_path / "h.pdf", lambda page: lines(page, 50, 100, ["a hyphen-", "ated word"])))
    assert document.pages[0].text == "a hyphen-\nated word"


def test_code_keeps_its_indentation_and_gaps(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        lines(page, 50, 100, [SENTENCE] * 6)
        for i, (x, text) in enumerate([(60, "def f(a):"), (84, "if a:"), (108, "return 1"), (60, "f(2)")]):
            page.insert_text((x, 200 + 12 * i), text, fontsize=10, fontname="cour")
        page.insert_text((180, 236), "# call", fontsize=10, fontname="cour")
        lines(page, 50, 300, [SENTENCE] * 6)

    document, _ = read(made(tmp_path / "code.pdf", draw))
    assert rows(document.pages[0], Role.CODE) == [
        "def f(a):",
        "    if a:",
        "        return 1",
        "f(2)" + " " * 16 + "# call",
    ]


def test_a_document_typed_in_one_font_is_no_code(tmp_path: Path) -> None:
    document, _ = read(made(tmp_path / "typed.pdf", lambda page: lines(page, 50, 100, [SENTENCE] * 9, fontname="cour")))
    assert rows(document.pages[0], Role.CODE) == []
    assert rows(document.pages[0], Role.TEXT) == [SENTENCE] * 9


def test_headings_come_from_size_and_weight(tmp_path: Path) -> None:
    def draw(page: Any) -> None:
        page.insert_text((50, 80), "Annual report", fontsize=20)
        page.insert_text((50, 120), "1 Results", fontsize=10, fontname="hebo")
        lines(page, 50, 150, [SENTENCE] * 8)

    document, _ = read(made(tmp_path / "headings.pdf", draw))
    assert [(h.level, h.title, h.page_no) for h in document.headings] == [(1, "Annual report", 1), (2, "1 Results", 1)]
    assert rows(document.pages[0], Role.HEADING) == ["Annual report", "1 Results"]


def test_bookmarks_are_the_outline_and_mark_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "toc.pdf"
    pdf = pymupdf.open()
    for title in ("1.2 Scope", "2 Terms"):
        page = pdf.new_page()
        lines(page, 50, 100, [title, SENTENCE])
    pdf.set_toc([[1, "Scope", 1], [2, "Terms", 2]])
    pdf.save(path)
    document, _ = read(path)
    assert [(h.level, h.title, h.page_no) for h in document.headings] == [(1, "Scope", 1), (2, "Terms", 2)]
    assert rows(document.pages[0], Role.HEADING) == ["1.2 Scope"]
    assert rows(document.pages[1], Role.HEADING) == ["2 Terms"]


def test_real_two_column_page_and_its_table() -> None:
    document, _ = read(shared("pdf", "2305.03393v1-pg9.pdf"))
    page = document.pages[0]
    table = rows(page, Role.TABLE)
    assert "6 | 6 | HTML | 0.969 | 0.927 | 0.955 | 0.857 | 5.39" in table
    assert len(table) == 10
    assert [heading.title for heading in document.headings] == [
        "5.1 Hyper Parameter Optimization",
        "5.2 Quantitative Results",
    ]


def test_real_manual_page_in_two_columns() -> None:
    document, _ = read(shared("pdf", "normal_4pages.pdf"))
    text = document.pages[0].text
    assert text.index("병으로 보아야 할지") < text.index(
        "이슈가 될 것으로 판단된다"
    )  # end of the left, start of the right


def test_real_right_to_left_page_is_in_logical_order() -> None:
    document, _ = read(shared("pdf", "right_to_left_01.pdf"))
    first, second = rows(document.pages[0])[:2]
    assert first == "تحسين الإنتاجية وحل المشكلات من خلال البرمجة بلغة R وPython"
    assert second.startswith("تعتبر البرمجة بلغة R وPython من الأدوات")


def test_real_filing_keeps_its_numbers_in_rows() -> None:
    document, _ = read(shared("filings", "2022 Q3 AAPL.pdf"))
    table = rows(document.pages[3], Role.TABLE)
    assert "Products | $ 63,355 | $ 63,948 | $ 245,241 | $ 232,309" in table
    assert rows(document.pages[3], Role.FOOTER) == ["Apple Inc. | Q3 2022 Form 10-Q | 1"]
