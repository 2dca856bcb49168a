"""The viewer panel: the cited page with the evidence marked, and the way from one piece of evidence to the next.

Owns its component and its events; it shows whatever the page's `view` state says.
"""

from dataclasses import replace
from typing import Any

import gradio as gr

from app.errors import LongleafAppError
from app.service import Longleaf
from app.web.events import act_of, position, sentence, value_of
from app.web.render import sheet as fragments
from app.web.state import PageState, View
from app.web.texts import t
from app.web.theme import HIDDEN, fragment
from ingest.document import Kind


class ViewerPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, longleaf: Longleaf) -> None:
        self._longleaf = longleaf
        self.sheet = fragment("ll-sheet", fragments.empty())

    def wire(self, page: gr.Blocks, state: PageState) -> None:
        page.load(self.arrive, [state.view], [state.view], **HIDDEN)
        state.view.change(self.show, [state.view], [self.sheet], **HIDDEN)
        self.sheet.select(self.step, [state.view], [state.view], **HIDDEN)

    def arrive(self, view: View, request: gr.Request) -> Any:
        """The page or the lines that the address names."""
        named = {key: str(request.query_params.get(key) or "")[:80] for key in ("file", "page", "lines")}
        if not named["file"]:
            return gr.skip()
        try:
            document, leaf = self._longleaf.place_of(named["file"])
        except LongleafAppError:
            return View(leaf=named["file"])  # `show` says that it is not there
        numbers = [page.page_no for page in self._longleaf.document(leaf).pages]
        page_no = int(named["page"]) if named["page"].isdecimal() else numbers[0]
        page_index = numbers.index(page_no) if page_no in numbers else 0
        return View(document, leaf, page_index, linked=_line_range(named["lines"]))

    def show(self, view: View) -> str:
        if view.leaf is None:
            return fragments.empty()
        try:
            leaf = self._longleaf.document(view.leaf)
            if not 0 <= view.page_index < len(leaf.pages):
                return fragments.unavailable(
                    t("{document} has no page {n}.", document=leaf.name, n=view.page_index + 1)
                )
            return fragments.sheet(view, leaf, self._files(view))
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            return fragments.unavailable(sentence(error))

    def step(self, event: gr.EventData, view: View) -> Any:
        """Previous or next evidence, page, file, or part of a long file."""
        match act_of(event), position(event, 1_000_000_000):
            case "evidence", int(at) if at < len(view.citations):
                return replace(View.of(view.citations, at, view.looks), document=view.document)
            case "page", int(page_index):
                return replace(
                    view, page_index=page_index, at=self._cited_at(view, page_index), first_line=None, linked=None
                )
            case "lines", int(first_line):
                return replace(view, first_line=first_line)
            case "file", _:
                return replace(view, leaf=value_of(event), page_index=0, at=None, first_line=None, linked=None)
        return gr.skip()

    def _cited_at(self, view: View, page_index: int) -> int | None:
        """The first citation on that page, so that its boxes stand out; None where it has none."""
        on_page = (i for i, c in enumerate(view.citations) if c.document == view.leaf and c.page_index == page_index)
        return next(on_page, None)

    def _files(self, view: View) -> list[tuple[str, str]]:
        """Id and name of the files of the folder that is open; none for a lone document."""
        if view.document is None:
            return []
        document = self._longleaf.document(view.document)
        if document.kind is not Kind.FOLDER:
            return []
        return [(leaf.id, leaf.name) for leaf in document.leaves() if leaf.pages]


def _line_range(text: str) -> tuple[int, int] | None:
    """ "120-130" or "120", from 1; None for anything else."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal() and len(text) < 20):
        return None
    return (int(first), max(int(first), int(last or first))) if int(first) else None
