"""The ask panel: the question, the answer as it streams, its citations, and what was asked before.

Owns its components and their events. One consumer shows answers: whatever wants a question put, a running one followed
or a kept answer shown sets the page's `ask` state. Answers come from `Questions`, whose threads go on when the tab is
closed; the address of the page names the question or answer, so that a reload finds it again.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from app.errors import BadRequest, LongleafAppError, sentence_of
from app.service import Entry, KeptAnswer
from app.web.asking import FAULT, Progress
from app.web.events import act_of, arg_of, position, sentence, text_of
from app.web.render import answer as fragments
from app.web.render.library import job_facts
from app.web.samples import questions_for
from app.web.services import Services
from app.web.state import Ask, PageState, View
from app.web.texts import t, tn
from app.web.theme import HIDDEN, fragment
from llm.answer import Answer

log = logging.getLogger(__name__)
MAX_QUESTION = 4000  # characters
MAX_NUMBER = 1_000_000_000
MAX_PAGE_PX = 4096


class AskPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._longleaf, self._jobs, self._samples = services.longleaf, services.jobs, services.samples
        self._services, self._questions = services, services.questions
        self.running = gr.State(None)  # id of the question that is being answered
        self.scope = fragment("ll-scope")
        with gr.Row(elem_id="ll-composer"):
            self.question = gr.Textbox(
                show_label=False, label=t("Question"), placeholder=t("Ask a question"),
                lines=1, max_lines=8, max_length=MAX_QUESTION, autofocus=True, container=False, elem_id="ll-question",
                html_attributes=gr.InputHTMLAttributes(autocapitalize="sentences", spellcheck=True),
            )  # fmt: skip
            self.send = gr.Button(t("Ask"), variant="primary", elem_id="ll-send", min_width=72, scale=0)
            self.stop = gr.Button(t("Stop"), visible=False, elem_id="ll-stop", min_width=72, scale=0)
        self.chips = fragment("ll-chips")
        self.welcome = fragment("ll-welcome")
        self.answer = fragment("ll-answer")
        self.earlier = fragment("ll-earlier")

    def wire(self, page: gr.Blocks, state: PageState, documents: gr.HTML) -> None:
        """Whenever the list of documents changes it says anew how the chosen ones fit: readings go on meanwhile."""
        about = [self.scope, self.chips, self.welcome, self.answer, self.earlier, state.shown]
        seen = [state.chosen, state.shown, state.conversation]
        page.load(self.arrive, [state.ask], [state.ask], **HIDDEN)
        page.load(self.describe, seen, about, **HIDDEN)
        state.chosen.change(self.describe, seen, about, **HIDDEN)
        left = [self.scope, self.answer, self.earlier, state.shown]
        documents.change(self.fit, seen, left, **HIDDEN)
        state.shown.change(self.fit_shown, [state.chosen, state.shown], [self.scope], **HIDDEN)  # not what it changes
        self.scope.select(self.act_scope, [state.chosen, state.shown], [self.scope], **HIDDEN)
        put = [state.ask, self.running]
        gr.on([self.question.submit, self.send.click], self.put, [self.question, *put], [state.ask], **HIDDEN)
        self.chips.select(self.put_suggested, put, [state.ask], **HIDDEN)
        streamed = [
            self.answer, state.view, self.running, state.shown, self.question, self.send, self.stop, self.earlier,
            self.chips, self.welcome, state.chosen, state.conversation,
        ]  # fmt: skip
        state.ask.change(
            self.answer_it, [state.ask, state.chosen, state.conversation], streamed, concurrency_limit=None, **HIDDEN
        )
        self.stop.click(self.stop_it, [self.running], None, queue=False, **HIDDEN)
        self.answer.select(
            self.act,
            [state.shown, state.view, state.ask, self.running],
            [state.view, state.ask, self.question, self.answer, state.shown],
            **HIDDEN,
        )
        self.earlier.select(
            self.act_earlier,
            [state.ask, self.running, state.chosen],
            [state.ask, state.conversation, state.shown, self.answer, self.earlier],
            **HIDDEN,
        )

    def arrive(self, request: gr.Request, ask: Ask) -> Any:
        """What the address names: a question that is still being answered, or a kept answer."""
        run, number = (str(request.query_params.get(key) or "") for key in ("run", "answer"))
        progress = self._questions.progress(run)
        if progress is not None and progress.kept is not None:
            return Ask(kept=progress.kept.number, nonce=ask.nonce + 1)
        if progress is not None:
            return Ask(run=run, nonce=ask.nonce + 1)
        if number.isdecimal() and len(number) < 10:
            return Ask(kept=int(number), nonce=ask.nonce + 1)
        latest = self._questions.latest()
        return gr.skip() if latest is None else Ask(run=latest, nonce=ask.nonce + 1)

    def describe(
        self, chosen: tuple[str, ...] | None, shown: KeptAnswer | None, conversation: str | None
    ) -> tuple[Any, ...]:
        """What the question goes to, ready questions, and what was asked before about the same documents."""
        entries = self._longleaf.entries()
        gone = shown is not None and not self._is_current(shown)
        return (
            self._scope(entries, chosen, None if gone else shown),
            "" if _is_about(shown, chosen) and not gone else fragments.suggestions(self._suggested(chosen)),
            "" if entries else fragments.welcome([(s.path.name, s.kind, s.questions[0]) for s in self._samples]),
            "" if gone else gr.skip(),
            self._earlier(chosen, None if gone else shown, conversation),
            None if gone else gr.skip(),
        )

    def fit(
        self, chosen: tuple[str, ...] | None, shown: KeptAnswer | None, conversation: str | None
    ) -> tuple[Any, ...]:
        """What the question goes to, and whether the model can take it in at once; an answer that is deleted goes."""
        scope = self._scope(self._longleaf.entries(), chosen, shown)
        if shown is None or self._is_current(shown):
            return scope, gr.skip(), gr.skip(), gr.skip()
        return scope, "", self._earlier(chosen, None, conversation), None

    def fit_shown(self, chosen: tuple[str, ...] | None, shown: KeptAnswer | None) -> str:
        return self._scope(self._longleaf.entries(), chosen, shown)

    def act_scope(self, event: gr.EventData, chosen: tuple[str, ...] | None, shown: KeptAnswer | None) -> Any:
        """Pictures of pages are of another size from now on; not while something is read or answered."""
        page_px = position(event, MAX_PAGE_PX + 1)
        if act_of(event) != "pictures" or page_px is None:
            return gr.skip()
        refused = ""
        try:
            if self._services.is_busy:
                raise BadRequest(t("something is still being read or answered; wait for it, or stop it"))
            self._longleaf.show_pictures(page_px, chosen or ())
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            refused = sentence(error)
        return self._scope(self._longleaf.entries(), chosen, shown, refused)

    def _scope(
        self, entries: Sequence[Entry], chosen: tuple[str, ...] | None, shown: KeptAnswer | None, refused: str = ""
    ) -> str:
        """Nothing until it is known what is chosen."""
        if not entries or chosen is None:
            return ""
        named = [entry for entry in entries if entry.id in chosen]
        others = [] if shown is None or _is_about(shown, chosen) else [e for e in entries if e.id in shown.documents]
        return fragments.scope(named, self._longleaf.room(named), refused, others)

    def put(self, question: str, ask: Ask, running: str | None) -> Any:
        """Ignored while another question is being answered."""
        return gr.skip() if running else Ask((question or "")[:MAX_QUESTION], ask.nonce + 1)

    def put_suggested(self, event: gr.EventData, ask: Ask, running: str | None) -> Any:
        return self.put(arg_of(event), ask, running)

    def answer_it(
        self, ask: Ask, chosen: tuple[str, ...] | None, conversation: str | None
    ) -> Iterator[tuple[Any, ...]]:
        """Shows a kept answer, or streams what a question comes to, until it is over."""
        try:
            if ask.kept is not None:
                yield self._opened(self._longleaf.history.answer(ask.kept))
                return
            run_id = ask.run or self._questions.start(chosen or (), ask.question, conversation)
        except LongleafAppError as error:
            yield _update(answer=fragments.failed(ask.question, str(error)))
            return
        try:
            viewed = False
            is_written = ask.run is None  # in the field still: what is written there from then on is the next question
            for progress in self._questions.follow(run_id):
                view = View.of(progress.citations) if progress.citations and not viewed else None
                viewed = viewed or view is not None
                field = "" if is_written else _KEEP
                is_written = False
                yield (
                    self._streamed(progress, run_id, view, field) if not progress.over else self._over(progress, field)
                )
        except Exception:
            log.exception("showing an answer failed")
            yield _update(answer=fragments.failed(ask.question, t(FAULT)), running=None, asking=False)

    def _opened(self, kept: KeptAnswer) -> tuple[Any, ...]:
        """A kept answer, its documents chosen again."""
        there = {entry.id for entry in self._longleaf.entries()}
        chosen = tuple(doc_id for doc_id in kept.documents if doc_id in there)
        return _update(
            answer=self._answered(kept.answer, kept), view=_view_of(kept), shown=kept,
            earlier=self._earlier(kept.documents, kept, kept.conversation), chips="", welcome="",
            chosen=chosen or _KEEP, conversation=kept.conversation,
        )  # fmt: skip

    def _streamed(self, progress: Progress, run_id: str, view: View | None, field: Any) -> tuple[Any, ...]:
        return _update(
            answer=fragments.in_progress(
                progress.question, self._waits_for(progress) or _status(progress), progress.reading, progress.text,
                len(progress.citations), run_id, stopping=progress.stopping,
            ),
            view=view, running=run_id, question=field, asking=True, chips="", welcome="",
            chosen=progress.ids, conversation=progress.conversation,
        )  # fmt: skip

    def _waits_for(self, progress: Progress) -> str | None:
        """What goes on with its documents before the question can be put to them."""
        if progress.citations:
            return None
        working = (job for job in self._jobs.jobs() if job.entry_id in progress.ids and job.stage in ("parse", "index"))
        job = next(working, None)
        if job is None:
            return None
        return f"{t('{document} is made ready first.', document=job.name)} {job_facts(job)}"

    def _over(self, progress: Progress, field: Any) -> tuple[Any, ...]:
        if progress.answer is None or progress.error is not None:
            failed = fragments.failed(progress.question, t(progress.error or FAULT), progress.text)
            return _update(answer=failed, running=None, question=progress.question, asking=False)
        answer = progress.answer
        if not answer.found and not answer.citations:  # then the nearest passages are shown
            answer = replace(answer, citations=progress.citations)
        kept = replace(progress.kept, answer=answer) if progress.kept else None
        return _update(
            answer=self._answered(answer, kept), view=View.of(answer.citations, 0, answer.looked_at),
            running=None, shown=kept, question=field, asking=False, chosen=progress.ids,
            conversation=progress.conversation, earlier=self._earlier(progress.ids, kept, progress.conversation),
        )  # fmt: skip

    def stop_it(self, running: str | None) -> None:
        self._questions.stop(running)

    def act(
        self, event: gr.EventData, shown: KeptAnswer | None, view: View, ask: Ask, running: str | None
    ) -> tuple[Any, ...]:
        """A click in the answer: a citation, ask again, edit, a verdict, a note, delete. Ignored without an answer."""
        keep = (gr.skip(),) * 5
        if shown is None:
            return keep
        try:
            match act_of(event), arg_of(event):
                case "cite", _:
                    at = position(event, len(shown.answer.citations))
                    return keep if at is None else (_view_of(shown, at), *keep[1:])
                case "again", _:
                    return gr.skip(), self.put(shown.answer.question, ask, running), *keep[2:]
                case "edit", _:
                    return gr.skip(), gr.skip(), shown.answer.question, *keep[3:]
                case "judge", verdict:
                    return (*keep[:3], *self._judged(shown, verdict, shown.note))
                case "note", _ if shown.verdict:
                    return (*keep[:3], *self._judged(shown, shown.verdict, text_of(event)))
                case "delete-answer", _:
                    self._longleaf.history.delete_answer(shown.number)
                    return View(), gr.skip(), gr.skip(), "", None
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            return (*keep[:3], fragments.failed(shown.answer.question, sentence(error)), gr.skip())
        return keep

    def _judged(self, shown: KeptAnswer, verdict: str, note: str) -> tuple[str, KeptAnswer]:
        self._longleaf.history.judge(shown.number, verdict, note)
        judged = replace(shown, verdict=verdict, note=note)
        return self._answered(judged.answer, judged), judged

    def act_earlier(
        self, event: gr.EventData, ask: Ask, running: str | None, chosen: tuple[str, ...] | None
    ) -> tuple[Any, ...]:
        """An earlier answer, or a new conversation. Ignored while a question is being answered."""
        number = position(event, MAX_NUMBER)
        if running is None and act_of(event) == "new":
            return gr.skip(), None, None, "", self._earlier(chosen, None, None)
        if running is None and act_of(event) == "earlier" and number is not None:
            return Ask(kept=number, nonce=ask.nonce + 1), *(gr.skip(),) * 4
        return (gr.skip(),) * 5

    def _earlier(self, chosen: Sequence[str] | None, shown: KeptAnswer | None, conversation: str | None) -> str:
        history = self._longleaf.history
        answers = history.answers(conversation) if conversation else []
        if conversation and answers:
            return fragments.earlier(answers, shown, history.conversation(conversation))
        return fragments.earlier(history.about(chosen), shown, None) if chosen else ""

    def _suggested(self, chosen: tuple[str, ...] | None) -> list[str]:
        """The ready questions of a sample; of another document, from its headings or names. Of several, none."""
        if chosen is None or len(chosen) != 1:
            return []
        try:
            ready = questions_for(self._samples, [self._longleaf.entry(chosen[0]).name])
            return ready or self._longleaf.suggestions(chosen[0])
        except LongleafAppError as error:
            log.info("no questions are suggested: %s", error)
            return []

    def _answered(self, answer: Answer, kept: KeptAnswer | None) -> str:
        permalink = self._longleaf.history.permalink(kept.number) if kept else ""
        return fragments.answered(answer, kept, permalink, [self._longleaf.page_of(cite) for cite in answer.citations])

    def _is_current(self, kept: KeptAnswer) -> bool:
        """Whether the documents that it is about are still in the library."""
        try:
            for document in {*kept.documents, *(cite.document for cite in kept.answer.citations)}:
                self._longleaf.document(document)
        except LongleafAppError as error:
            log.info("an answer is not shown any more: %s", sentence_of(error))
            return False
        return True


def _is_about(shown: KeptAnswer | None, chosen: Sequence[str] | None) -> bool:
    """Whether what is shown was asked of the documents that are chosen."""
    return shown is not None and set(shown.documents) == set(chosen or ())


def _status(progress: Progress) -> str:
    """What is being done for a question before its first word."""
    if progress.ahead and not progress.citations:
        return tn("{n} question is answered before yours", "{n} questions are answered before yours", progress.ahead)
    return t(progress.status)


def _view_of(kept: KeptAnswer, at: int = 0) -> View:
    return View.of(kept.answer.citations, at, kept.answer.looked_at)


_KEEP: Any = object()


def _update(
    *,
    answer: Any = _KEEP, view: View | None = None, running: Any = _KEEP, shown: Any = _KEEP, question: Any = _KEEP,
    asking: bool | None = None, earlier: Any = _KEEP, chips: Any = _KEEP, welcome: Any = _KEEP, chosen: Any = _KEEP,
    conversation: Any = _KEEP,
) -> tuple[Any, ...]:  # fmt: skip
    """The outputs of `answer_it` in their order; what is not given stays as it is."""
    send = gr.skip() if asking is None else gr.Button(visible=not asking)
    stop = gr.skip() if asking is None else gr.Button(visible=asking)
    values = (
        answer, _KEEP if view is None else view, running, shown, question, send, stop, earlier, chips, welcome, chosen,
        conversation,
    )  # fmt: skip
    return tuple(gr.skip() if value is _KEEP else value for value in values)
