"""Tables: filled in the background, stopped, downloaded, and without the rows of what was deleted."""

import io
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from openpyxl import load_workbook

from app.errors import BadRequest
from app.web.render import table as fragments
from app.web.services import Services
from app.web.state import View
from app.web.table import FIELDS, QUESTIONS, TablePanel, _found
from app.web.tabling import Table, Tables
from ingest.document import Box, Page, Span

TWO = "When does the lease begin?\n\nWhich password?\n"


@pytest.fixture
def panel(services: Services) -> Iterator[TablePanel]:
    with gr.Blocks(analytics_enabled=False):
        yield TablePanel(services)


@pytest.fixture
def ids(services: Services, texts: SimpleNamespace) -> tuple[str, ...]:
    return tuple(services.longleaf.add(source).id for source in (texts.lease, texts.notes))


def filled(tables: Tables, table_id: str) -> Table:
    *_, last = tables.follow(table_id)
    return last


def test_every_document_is_asked_every_question(services: Services, ids: tuple[str, ...]) -> None:
    table = filled(services.tables, services.tables.start(ids, TWO, are_fields=False))
    assert (table.error, table.total, len(table.rows)) == (None, 4, 4)
    found = {(row["source"], row["question"]): row["answer"] for row in table.rows if row["found"]}
    assert found == {
        ("lease.txt", "When does the lease begin?"): "The lease begins in March.",
        ("notes.txt", "Which password?"): "The password of the gate is Xylophone.",
    }


def test_a_cell_opens_its_evidence_and_the_latest_table_is_found_again(
    panel: TablePanel, services: Services, ids: tuple[str, ...]
) -> None:
    assert panel.arrive() is None
    _, table_id = panel.start(TWO, QUESTIONS, ids)
    assert panel.arrive() == table_id
    *_, (shown, _, fill, stop) = panel.follow(table_id)
    assert "4 answers of 4." in shown
    assert shown.count("not found") == 2
    assert (fill.visible, stop.visible) == (True, False)
    position = shown.split('data-act="cell" data-arg="')[1].split('"')[0]
    view = panel.open_cell(gr.EventData(None, {"act": "cell", "arg": position}), table_id)
    assert isinstance(view, View)
    assert (view.leaf, view.citations[0].lines) == (ids[0], (1, 1))
    assert (view.citations[0].start, view.citations[0].end) == (0, len("The lease begins in March."))
    for bad in ("99", "x", ""):
        assert panel.open_cell(gr.EventData(None, {"act": "cell", "arg": bad}), table_id) == gr.skip()


def test_of_a_quote_that_stands_twice_the_place_that_is_cited_is_boxed() -> None:
    upper, lower = Box(10, 10, 90, 20), Box(10, 50, 90, 60)
    page = Page(1, "Total 7\nTotal 7", (Span(0, 7, box=upper), Span(8, 15, box=lower)), width_pt=100.0, height_pt=100.0)
    assert _found(page, "Total 7", lower) == (8, (lower,))
    assert _found(page, "Total 7", upper) == (0, (upper,))
    assert _found(page, "Total 7", Box(0, 0, 1, 1)) == _found(page, "gone", upper) == (None, ())


def test_what_cannot_be_filled_is_one_sentence(panel: TablePanel, ids: tuple[str, ...]) -> None:
    assert "no document is chosen; tick at least one in the list" in panel.start(TWO, QUESTIONS, None)[0]
    assert "there is no question; write one a line" in panel.start(" \n", QUESTIONS, ids)[0]
    assert (
        "51 questions were given; a table takes at most 50"
        in panel.start("\n".join(f"Q{number}?" for number in range(51)), QUESTIONS, ids)[0]
    )
    assert "which is no field" in panel.start("<b>?!", FIELDS, ids)[0]
    assert "<b>" not in panel.start("<b>?!", FIELDS, ids)[0]


def test_a_stopped_table_keeps_its_rows(services: Services, ids: tuple[str, ...], engine: Any) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def block() -> None:
        reading.set()
        assert go_on.wait(20)

    engine.during_reading = block
    table_id = services.tables.start(ids, TWO, are_fields=False)
    assert reading.wait(20)
    services.tables.stop(table_id)
    services.tables.stop("unknown")
    shown = fragments.table(table_id, services.tables.table(table_id))
    assert "0 of 4 answers · Stopping after the answer that is being written" in shown
    go_on.set()
    table = filled(services.tables, table_id)
    assert (len(table.rows), table.error) == (1, "Stopped. What was answered by then is kept below.")


def test_downloads_run_nothing_and_forget_what_was_deleted(services: Services, texts: SimpleNamespace) -> None:
    texts.notes.write_text("=HYPERLINK(1) is the password.\n", encoding="utf-8")
    ids = [services.longleaf.add(source).id for source in (texts.lease, texts.notes)]
    tables = services.tables
    table_id = tables.start(ids, "Which password?", are_fields=False)
    filled(tables, table_id)
    sheet = load_workbook(io.BytesIO(tables.exported(table_id, "xlsx"))).active
    assert sheet is not None
    assert all(cell.data_type != "f" for line in sheet.iter_rows() for cell in line)
    assert "'=HYPERLINK(1) is the password." in tables.exported(table_id, "csv").decode("utf-8-sig")
    assert len(tables.exported(table_id, "jsonl").splitlines()) == 2
    services.longleaf.delete(ids[1])
    (row,) = map(json.loads, tables.exported(table_id, "jsonl").splitlines())
    assert row["source"] == "lease.txt"
    assert "Xylophone" not in fragments.table(table_id, tables.table(table_id))
    with pytest.raises(BadRequest, match="the form is 'exe'; it must be one of jsonl, csv, xlsx"):
        tables.exported(table_id, "exe")
    with pytest.raises(BadRequest, match="there is no table 'unknown'; it may have been of an earlier run"):
        tables.exported("unknown", "csv")
    assert not list((services.longleaf.settings.data_dir / "work").iterdir())


def test_nothing_of_a_row_runs() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    row = {
        "document": "d", "question_id": "q", "status": "failed", "error": hostile, "found": True, "answer": hostile,
        "citations": [{}],
    }  # fmt: skip
    for changes in ({}, {"status": "ok", "error": None}, {"status": "partial", "citations": []}):
        table = Table((("d", hostile),), (("q", hostile),), ({**row, **changes},), over=True)
        shown = fragments.table("t", table)
        assert "<img" not in shown
        assert "&lt;img" in shown
