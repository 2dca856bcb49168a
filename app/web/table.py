"""The table panel: the same questions, or the same fields, for every chosen document; a cell opens its evidence.

Owns its components and their events. Filling goes on when the tab is closed; the page finds the latest table again.
"""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.errors import LongleafAppError
from app.web.events import act_of, position, sentence
from app.web.render import table as fragments
from app.web.render.basics import escape
from app.web.services import Services
from app.web.state import PageState, View
from app.web.texts import t
from app.web.theme import HIDDEN, fragment
from ingest.document import Box, Page
from llm.answer import Citation

QUESTIONS, FIELDS = "questions", "fields"  # what is written stands for
MAX_TEXT = 20_000  # characters


class TablePanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._longleaf, self._tables = services.longleaf, services.tables
        self.table_id = gr.State(None)
        with gr.Column(elem_id="ll-table", min_width=0):
            self.kind = gr.Radio(
                [(t("Questions"), QUESTIONS), (t("Fields"), FIELDS)],
                value=QUESTIONS,
                show_label=False,
                label=t("What is asked"),
                container=False,
            )
            self.text = gr.Textbox(
                show_label=False, label=t("Questions or fields"), lines=4, max_lines=14, max_length=MAX_TEXT,
                container=False,
                placeholder=t(
                    "One a line: Which law governs this agreement?  As fields: party, effective_date date, amounts: "
                    "number[]"
                ), elem_id="ll-table-text",
            )  # fmt: skip
            with gr.Row(elem_id="ll-table-buttons"):
                self.fill = gr.Button(t("Fill the table"), variant="primary", elem_id="ll-fill", scale=0)
                self.stop = gr.Button(t("Stop"), visible=False, elem_id="ll-table-stop", scale=0)
            self.sheet = fragment("ll-table-sheet")

    def wire(self, page: gr.Blocks, state: PageState) -> None:
        shown = [self.sheet, self.table_id, self.fill, self.stop]
        filled = gr.on(
            [self.fill.click], self.start, [self.text, self.kind, state.chosen], [self.sheet, self.table_id], **HIDDEN
        )
        filled.then(self.follow, [self.table_id], shown, concurrency_limit=None, **HIDDEN)
        page.load(self.arrive, None, [self.table_id], **HIDDEN).then(
            self.follow, [self.table_id], shown, concurrency_limit=None, **HIDDEN
        )
        self.stop.click(self.stop_it, [self.table_id], None, queue=False, **HIDDEN)
        self.sheet.select(self.open_cell, [self.table_id], [state.view], **HIDDEN)

    def arrive(self) -> Any:
        """The latest table, whoever opened it: one person, one machine."""
        return self._tables.latest()

    def start(self, text: str, kind: str, chosen: tuple[str, ...] | None) -> tuple[Any, ...]:
        try:
            return "", self._tables.start(chosen or (), (text or "")[:MAX_TEXT], are_fields=kind == FIELDS)
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            return f'<p class="ll-error" role="alert">{escape(sentence(error))}</p>', None

    def follow(self, table_id: str | None) -> Iterator[tuple[Any, ...]]:
        """Shows the table as it fills."""
        if table_id is None:
            yield (gr.skip(),) * 4
            return
        try:
            for table in self._tables.follow(table_id):
                buttons = gr.Button(visible=table.over), gr.Button(visible=not table.over)
                yield fragments.table(table_id, table), table_id, *buttons
        except LongleafAppError as error:
            yield (
                f'<p class="ll-error">{escape(str(error))}</p>',
                None,
                gr.Button(visible=True),
                gr.Button(visible=False),
            )

    def stop_it(self, table_id: str | None) -> None:
        self._tables.stop(table_id)

    def open_cell(self, event: gr.EventData, table_id: str | None) -> Any:
        """The evidence of a cell, in the viewer."""
        if table_id is None or act_of(event) != "cell":
            return gr.skip()
        rows = self._tables.table(table_id).rows
        at = position(event, len(rows))
        return gr.skip() if at is None else View.of(tuple(map(self._citation, rows[at]["citations"])))

    def _citation(self, cited: dict[str, Any]) -> Citation:
        """A row's citation with its place among the pages, which a row does not have."""
        leaf = self._longleaf.document(cited["document"])
        page_index = next((index for index, page in enumerate(leaf.pages) if page.page_no == cited["page"]), 0)
        box = None if cited["box"] is None else Box(*cited["box"])
        lines = None if cited["lines"] is None else (cited["lines"][0], cited["lines"][1])
        start, boxes = _found(leaf.pages[page_index], cited["quote"], lines or box)
        end = start + len(cited["quote"]) if start is not None else 0
        return Citation(
            cited["source"], leaf.id, cited["page"], lines, box, cited["quote"], cited["verified"], page_index,
            start or 0, end, boxes,
        )  # fmt: skip


def _found(page: Page, quote: str, where: tuple[int, int] | Box | None) -> tuple[int | None, tuple[Box, ...]]:
    """Where a quote begins on its page, and the boxes of its lines; neither if it does not stand at that place."""
    start = page.text.find(quote) if quote else -1
    while start >= 0:
        place = page.place(start, start + len(quote))
        if where in (place.lines, place.box):
            return start, place.line_boxes
        start = page.text.find(quote, start + 1)
    return None, ()
