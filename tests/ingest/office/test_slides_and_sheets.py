"""PowerPoint and Excel files made with their libraries."""

import datetime
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.document import Heading, Role, Severity
from ingest.errors import SourceTooLarge
from ingest.office.cell_values import shown
from ingest.options import Limits, PageRange, ReadOptions


def saved_slides(path: Path) -> Path:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Results"
    body = first.placeholders[1].text_frame
    body.text = "Revenue grew"
    deeper = body.add_paragraph()
    deeper.text, deeper.level = "by 9%\vin May", 1
    first.notes_slide.notes_text_frame.text = "smile"
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(3), Inches(1)).table
    for index, text in enumerate(["year", "sales", "2024", "12"]):
        table.cell(index // 2, index % 2).text = text
    for text, left, top in (("right", 5, 2), ("left", 1, 2.05)):
        second.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5)).text_frame.text = text
    data = CategoryChartData()
    data.categories = ["2023", "2024"]
    data.add_series("Sales", (1.5, 2.25))
    data.add_series("Cost", (1, None))
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(5), Inches(3), Inches(2), data)
    deck.slides.add_slide(deck.slide_layouts[6])
    deck.save(path)
    return path


def test_slides_are_pages_read_from_the_top(tmp_path: Path, read: Callable) -> None:
    document, problems = read(saved_slides(tmp_path / "a.pptx"))
    first, second, empty = document.pages
    assert (first.label, first.text) == ("Results", "Results\nRevenue grew\n  by 9%\n  in May\n\nNotes: smile")
    assert second.text == "left\nright\n\nyear | sales\n2024 | 12\n\n | Sales | Cost\n2023 | 1.5 | 1\n2024 | 2.25 |"
    assert [span.role for span in second.spans] == [Role.TABLE] * 5
    assert document.headings == (Heading(1, "Results", 1),)
    assert empty.text == ""
    assert [(problem.page_no, problem.what) for problem in problems] == [(3, "no text found")]


def test_a_range_of_slides(tmp_path: Path, read: Callable) -> None:
    document, _ = read(saved_slides(tmp_path / "a.pptx"), ReadOptions(pages=PageRange.parse("2")))
    assert [page.page_no for page in document.pages] == [2]


def test_too_many_slides(tmp_path: Path, read: Callable) -> None:
    with pytest.raises(SourceTooLarge, match="has 3 slides; at most 2 are read"):
        read(saved_slides(tmp_path / "a.pptx"), ReadOptions(limits=Limits(max_pages=2)))


def test_sheets_are_pages_and_rows_are_lines(tmp_path: Path, read: Callable) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Costs"
    sheet.append(["item", None, "due", "price"])
    sheet.append(["rent", None, datetime.date(2024, 5, 1), 1234.5])
    sheet["D2"].number_format = "#,##0.00\\ [$€-407]"
    sheet.merge_cells("A5:D5")
    sheet["A5"] = "paid\nin full"
    book.create_sheet("Empty")
    book.save(tmp_path / "a.xlsx")
    document, problems = read(tmp_path / "a.xlsx")
    costs, empty = document.pages
    assert costs.text == "item | due | price\nrent | 2024-05-01 | 1,234.50 €\n\n\npaid in full"
    assert costs.place(costs.text.index("paid"), len(costs.text)).lines == (5, 5)
    assert [costs.text[span.start : span.end] for span in costs.spans][2] == "paid in full"
    assert (costs.label, empty.label, empty.text, problems) == ("Costs", "Empty", "", [])


def test_huge_empty_ranges_cost_nothing(tmp_path: Path, read: Callable) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "first"
    book.active.cell(1_048_576, 16_384).value = "last"
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx")[0].pages[0].text == "first\n | last"


def test_formulas_without_a_stored_value_are_said(tmp_path: Path, read: Callable) -> None:
    book = openpyxl.Workbook()
    book.active.append([2, 3, "=A1+B1"])
    book.save(tmp_path / "a.xlsx")
    document, problems = read(tmp_path / "a.xlsx")
    assert document.pages[0].text == "2 | 3 | =A1+B1"
    assert [(problem.severity, problem.why) for problem in problems] == [
        (
            Severity.DEGRADED,
            "1 formulas have no stored value and stand as formulas; open and save the file in a spreadsheet program.",
        )
    ]


def test_a_workbook_without_any_text_is_a_problem(tmp_path: Path, read: Callable) -> None:
    openpyxl.Workbook().save(tmp_path / "a.xlsx")
    assert [problem.what for problem in read(tmp_path / "a.xlsx")[1]] == ["no text found"]


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (1234567, "General", "1234567"),
        (0.1534, "0.0%", "15.3%"),
        (-1234.5, "#,##0.00", "-1,234.50"),
        (-5, '"$"#,##0_);("$"#,##0)', "-$5"),
        (12, "0.00 €", "12.00 €"),
        (3, "@", "3"),
        (True, "General", "TRUE"),
        (datetime.datetime(2024, 5, 1), "d.m.yy", "2024-05-01"),
        (datetime.datetime(2024, 5, 1, 12, 30), "d.m.yy h:mm", "2024-05-01 12:30:00"),
        (datetime.time(8, 5), "h:mm", "08:05:00"),
        (datetime.timedelta(hours=30, minutes=5), "[h]:mm", "30:05:00"),
        (" two\nlines ", "General", "two lines"),
        (1e21, "0.00E+00", "1e+21"),
    ],
)
def test_values_read_as_the_sheet_shows_them(value: object, number_format: str, text: str) -> None:
    assert shown(value, number_format) == text
