"""The ask panel: the question, the answer as it streams, its citations, and what was asked before.

Owns its components and their events. One consumer puts questions: whatever wants something asked sets the page's
`ask` state. Answers come from `Questions`, whose threads go on when the tab is closed.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from app.errors import LongleafAppError, sentence_of
from app.service import Longleaf
from app.web.asking import FAULT, Progress, Questions
from app.web.events import act_of, arg_of, position
from app.web.render import answer as fragments
from app.web.samples import Sample, questions_for
from app.web.state import Ask, PageState, View
from app.web.theme import fragment
from llm.answer import Answer

log = logging.getLogger(__name__)
MAX_QUESTION = 4000  # characters


class AskPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, longleaf: Longleaf, questions: Questions, samples: Sequence[Sample]) -> None:
        self._longleaf, self._questions, self._samples = longleaf, questions, samples
        self.running = gr.State(None)  # id of the question that is being answered
        self.shown = gr.State(None)  # the Answer that is shown
        self.scope = fragment("ll-scope")
        with gr.Row(elem_id="ll-composer"):
            self.question = gr.Textbox(
                show_label=False, label="Question", placeholder="Ask a question",
                lines=1, max_lines=8, max_length=MAX_QUESTION, autofocus=True, container=False, elem_id="ll-question",
                html_attributes=gr.InputHTMLAttributes(autocapitalize="sentences", spellcheck=True),
            )  # fmt: skip
            self.send = gr.Button("Ask", variant="primary", elem_id="ll-send", min_width=72, scale=0)
            self.stop = gr.Button("Stop", visible=False, elem_id="ll-stop", min_width=72, scale=0)
        self.chips = fragment("ll-chips")
        self.welcome = fragment("ll-welcome")
        self.answer = fragment("ll-answer")
        self.earlier = fragment("ll-earlier")

    def wire(self, page: gr.Blocks, state: PageState) -> None:
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        about = [self.scope, self.chips, self.welcome, self.answer, self.earlier, self.shown]
        page.load(self.describe, [state.chosen, self.shown], about, **hidden)
        state.chosen.change(self.describe, [state.chosen, self.shown], about, **hidden)
        gr.on(
            [self.question.submit, self.send.click], self.put,
            [self.question, state.ask, self.running], [state.ask], **hidden,
        )  # fmt: skip
        self.chips.select(self.put_suggested, [state.ask, self.running], [state.ask], **hidden)
        streamed = [
            self.answer, state.view, self.running, self.shown, self.question,
            self.send, self.stop, self.earlier, self.chips, self.welcome,
        ]  # fmt: skip
        state.ask.change(self.answer_it, [state.ask, state.chosen], streamed, concurrency_limit=None, **hidden)
        self.stop.click(self.stop_it, [self.running], None, queue=False, **hidden)
        self.answer.select(self.show_citation, [self.shown, state.view], [state.view], **hidden)
        self.earlier.select(
            self.show_earlier,
            [state.chosen, self.running],
            [self.answer, self.shown, state.view, self.earlier],
            **hidden,
        )

    def describe(self, chosen: tuple[str, ...] | None, shown: Answer | None) -> tuple[Any, ...]:
        """What the question goes to, ready questions, and what was asked before about the same documents."""
        entries = self._longleaf.entries()
        names = [entry.name for entry in entries if entry.id in (chosen or ())]
        gone = shown is not None and not self._is_current(shown)
        return (
            fragments.scope(names) if entries else "",
            fragments.suggestions(questions_for(self._samples, names)) if shown is None or gone else "",
            "" if entries else fragments.welcome([(s.path.name, s.kind, s.questions[0]) for s in self._samples]),
            "" if gone else gr.skip(),
            self._earlier(chosen, None if gone else shown),
            None if gone else gr.skip(),
        )

    def put(self, question: str, ask: Ask, running: str | None) -> Any:
        """Ignored while another question is being answered."""
        return gr.skip() if running else Ask((question or "")[:MAX_QUESTION], ask.nonce + 1)

    def put_suggested(self, event: gr.EventData, ask: Ask, running: str | None) -> Any:
        return self.put(arg_of(event), ask, running)

    def answer_it(self, ask: Ask, chosen: tuple[str, ...] | None) -> Iterator[tuple[Any, ...]]:
        """Streams what the question comes to, until it is over."""
        try:
            run_id = self._questions.start(chosen or (), ask.question)
        except LongleafAppError as error:
            yield _update(answer=fragments.failed(ask.question, str(error)))
            return
        try:
            viewed = False
            for progress in self._questions.follow(run_id):
                view = View.of(progress.citations) if progress.citations and not viewed else None
                viewed = viewed or view is not None
                yield self._streamed(progress, run_id, view) if not progress.over else self._over(progress, chosen)
        except Exception:
            log.exception("showing an answer failed")
            yield _update(answer=fragments.failed(ask.question, FAULT), running=None, asking=False)

    def _streamed(self, progress: Progress, run_id: str, view: View | None) -> tuple[Any, ...]:
        return _update(
            answer=fragments.in_progress(
                progress.question, progress.status, progress.reading, progress.text, len(progress.citations)
            ),
            view=view, running=run_id, question="", asking=True, chips="", welcome="",
        )  # fmt: skip

    def _over(self, progress: Progress, chosen: tuple[str, ...] | None) -> tuple[Any, ...]:
        if progress.answer is None or progress.error is not None:
            sentence = progress.error or FAULT
            failed = fragments.failed(progress.question, sentence, progress.text)
            return _update(answer=failed, running=None, question=progress.question, asking=False)
        answer = _with_what_was_looked_at(progress.answer, progress)
        return _update(
            answer=fragments.answered(answer), view=View.of(answer.citations), running=None, shown=answer,
            asking=False, earlier=self._earlier(chosen, answer),
        )  # fmt: skip

    def stop_it(self, running: str | None) -> None:
        self._questions.stop(running)

    def show_citation(self, event: gr.EventData, shown: Answer | None, view: View) -> Any:
        """A click on [2] or on the second citation."""
        citations = shown.citations if shown is not None else ()
        at = position(event, len(citations))
        return gr.skip() if at is None or act_of(event) != "cite" else View.of(citations, at)

    def show_earlier(self, event: gr.EventData, chosen: tuple[str, ...] | None, running: str | None) -> tuple[Any, ...]:
        answers = self._longleaf.answers(chosen or ()) if not running else []
        at = position(event, len(answers))
        if at is None:
            return (gr.skip(),) * 4
        shown = answers[at]
        return fragments.answered(shown), shown, View.of(shown.citations), fragments.earlier(answers, shown)

    def _earlier(self, chosen: tuple[str, ...] | None, shown: Answer | None) -> str:
        return fragments.earlier(self._longleaf.answers(chosen), shown) if chosen else ""

    def _is_current(self, answer: Answer) -> bool:
        """Whether the documents that it cites are still in the library."""
        try:
            for cite in answer.citations:
                self._longleaf.document(cite.document)
        except LongleafAppError as error:
            log.info("an answer is not shown any more: %s", sentence_of(error))
            return False
        return True


def _with_what_was_looked_at(answer: Answer, progress: Progress) -> Answer:
    """A question without an answer shows the nearest passages instead of citations."""
    return answer if answer.found or answer.citations else replace(answer, citations=progress.citations)


_KEEP: Any = object()


def _update(
    *,
    answer: Any = _KEEP, view: View | None = None, running: Any = _KEEP, shown: Any = _KEEP, question: Any = _KEEP,
    asking: bool | None = None, earlier: Any = _KEEP, chips: Any = _KEEP, welcome: Any = _KEEP,
) -> tuple[Any, ...]:  # fmt: skip
    """The outputs of `answer_it` in their order; what is not given stays as it is."""
    send = gr.skip() if asking is None else gr.Button(visible=not asking)
    stop = gr.skip() if asking is None else gr.Button(visible=asking)
    values = (answer, _KEEP if view is None else view, running, shown, question, send, stop, earlier, chips, welcome)
    return tuple(gr.skip() if value is _KEEP else value for value in values)
