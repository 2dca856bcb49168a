"""The compare panel: one question, several models, their answers side by side; a citation opens its evidence.

Owns its components and their events. Which models may be named: on this computer any; on a server for several people
only those that it has, since a model is memory, and a server's address would be called from here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from app.errors import LongleafAppError
from app.web.ask import MAX_QUESTION
from app.web.events import act_of, position, sentence
from app.web.render import compare as fragments
from app.web.render.basics import escape
from app.web.services import Services
from app.web.state import PageState, View
from app.web.texts import t
from app.web.theme import HIDDEN, fragment

PACKAGED, BASE = "leafmoe-135m", "smollm2-135m"
MAX_NAMED = 2000  # characters


class ComparePanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._services, self._comparisons = services, services.comparisons
        self._own = services.longleaf.settings.model  # None: the packaged one
        self.comparison_id = gr.State(None)
        self._names = names = [
            self._own or PACKAGED,
            *(name for name in (PACKAGED, BASE) if name != (self._own or PACKAGED)),
        ]
        with gr.Column(elem_id="ll-compare", min_width=0):
            self.models = gr.CheckboxGroup(
                names, value=[names[0], BASE] if names[0] != BASE else names[:2], label=t("Models"),
                elem_id="ll-compare-models",
            )  # fmt: skip
            self.more = gr.Textbox(
                label=t("More models, one a line"), lines=1, max_lines=6, max_length=MAX_NAMED,
                placeholder=t("a checkpoint folder, a name on the hub, or openai:http://HOST:PORT/v1#MODEL"),
                visible=services.paths_allowed, elem_id="ll-compare-more",
            )  # fmt: skip
            with gr.Row(elem_id="ll-compare-row"):
                self.question = gr.Textbox(
                    show_label=False, label=t("Question for all of them"), placeholder=t("Ask all of them a question"),
                    lines=1, max_lines=6, max_length=MAX_QUESTION, container=False, elem_id="ll-compare-question",
                )  # fmt: skip
                self.go = gr.Button(t("Compare"), variant="primary", elem_id="ll-compare-go", scale=0, min_width=72)
                self.stop = gr.Button(t("Stop"), visible=False, elem_id="ll-compare-stop", scale=0, min_width=72)
            self.lanes = fragment("ll-compare-lanes", fragments.empty())

    def wire(self, page: gr.Blocks, state: PageState) -> None:
        shown = [self.lanes, self.comparison_id, self.go, self.stop]
        asked = [self.question, self.models, self.more, state.chosen]
        started = gr.on(
            [self.question.submit, self.go.click], self.start, asked, [self.lanes, self.comparison_id], **HIDDEN
        )
        started.then(self.follow, [self.comparison_id], shown, concurrency_limit=None, **HIDDEN)
        page.load(self._comparisons.latest, None, [self.comparison_id], **HIDDEN).then(
            self.follow, [self.comparison_id], shown, concurrency_limit=None, **HIDDEN
        )
        self.stop.click(self._comparisons.stop, [self.comparison_id], None, queue=False, **HIDDEN)
        self.lanes.select(self.open_evidence, [self.comparison_id], [state.view], **HIDDEN)

    def start(self, question: str, ticked: Sequence[str], more: str, chosen: tuple[str, ...] | None) -> tuple[Any, ...]:
        try:
            models = self._named(ticked or (), more or "")
            return "", self._comparisons.start(chosen or (), (question or "")[:MAX_QUESTION], models)
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            return f'<p class="ll-error" role="alert">{escape(sentence(error))}</p>', None

    def _named(self, ticked: Sequence[str], more: str) -> list[str | None]:
        """What this page's own model is called stands for it as it is loaded already."""
        typed = [line.strip() for line in more[:MAX_NAMED].splitlines()] if self._services.paths_allowed else []
        names = dict.fromkeys([*(name for name in self._offered() if name in ticked), *filter(None, typed)])
        return [self._own if name == (self._own or PACKAGED) else name for name in names]

    def _offered(self) -> list[str]:
        return list(self._names)

    def follow(self, comparison_id: str | None) -> Iterator[tuple[Any, ...]]:
        """Shows the answers as they come."""
        if comparison_id is None:
            yield (gr.skip(),) * 4
            return
        page_of = self._services.longleaf.page_of
        try:
            for comparison in self._comparisons.follow(comparison_id):
                buttons = gr.Button(visible=comparison.over), gr.Button(visible=not comparison.over)
                yield fragments.lanes(comparison, self._own or PACKAGED, page_of), comparison_id, *buttons
        except LongleafAppError as error:
            ended = f'<p class="ll-meta">{escape(str(error))}</p>'
            yield ended, None, gr.Button(visible=True), gr.Button(visible=False)

    def open_evidence(self, event: gr.EventData, comparison_id: str | None) -> Any:
        """A citation of one of the answers, in the viewer, with the others of that answer to step through."""
        at = position(event, fragments.LANE * fragments.LANE)
        if comparison_id is None or at is None or act_of(event) != "cell":
            return gr.skip()
        lane, index = divmod(at, fragments.LANE)
        lanes = self._comparisons.comparison(comparison_id).lanes
        answer = lanes[lane].answer if lane < len(lanes) else None
        if answer is None or index >= len(answer.citations):
            return gr.skip()
        return View.of(answer.citations, index, answer.looked_at)
