"""The page: its layout, its states, and the wiring of its panels. Everything else is in the panels."""

import sys

import gradio as gr

from app.web.adding import AddPanel
from app.web.ask import AskPanel
from app.web.compare import ComparePanel
from app.web.history import HistoryPanel
from app.web.library import LibraryPanel
from app.web.render.page import header, modes
from app.web.services import Services
from app.web.state import Ask, PageState, Shelf, View
from app.web.table import TablePanel
from app.web.texts import ENGLISH, speaking, spoken, t
from app.web.theme import fragment
from app.web.viewer import ViewerPanel

MAX_WAITING = 256  # requests of all open pages together; one more is told to come again
AT_ONCE = 16  # of one kind of event
FORGET_AFTER_S = 600  # nothing of ours is in Gradio's file cache; what strays there goes after ten minutes


def build(services: Services, language: str = ENGLISH) -> gr.Blocks:
    """The page in one language; pages in several over the same services show the same work."""
    with speaking(language):
        page = _laid_out(services)
    for event in page.fns.values():
        if event.fn is not None:
            event.fn = spoken(event.fn, language)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=AT_ONCE, api_open=False)
    # After every event Gradio sums up the times of all earlier ones with pandas, for a dashboard that is off here.
    page._queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize
    return page


def _laid_out(services: Services) -> gr.Blocks:
    page: gr.Blocks
    with gr.Blocks(
        title="Longleaf", analytics_enabled=False, fill_width=True, delete_cache=(FORGET_AFTER_S, FORGET_AFTER_S)
    ) as page:
        state = PageState(
            chosen=gr.State(None), shelf=gr.State(Shelf()), view=gr.State(View()), ask=gr.State(Ask()),
            conversation=gr.State(None), shown=gr.State(None),
        )  # fmt: skip
        model = services.longleaf.settings.model
        fragment("ll-header", header(model, services.person, services.banner(), is_admin=services.is_admin))
        with gr.Row(elem_id="ll-main"):
            with gr.Column(elem_id="ll-library-column", min_width=0):
                fragment("ll-library-title", f'<h2 class="ll-label">{t("Library")}</h2>')
                adding = AddPanel(services)
                library = LibraryPanel(services)
                history = HistoryPanel(services)
            with gr.Column(elem_id="ll-ask-column", min_width=0):
                fragment("ll-modes", modes())
                ask = AskPanel(services)
                table = TablePanel(services)
                compare = ComparePanel(services)
            with gr.Column(elem_id="ll-viewer-column", min_width=0):
                viewer = ViewerPanel(services.longleaf)
        adding.wire(state, library.notice, library.timer, ask.answer, (ask.welcome, library.sample_links), library.jobs)
        library.wire(page, state, ask.answer)
        ask.wire(page, state, library.documents)
        viewer.wire(page, state)
        table.wire(page, state)
        compare.wire(page, state)
        history.wire(page, state, library.notice, ask.answer, ask.earlier)
    return page
