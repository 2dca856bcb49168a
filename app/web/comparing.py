"""Comparisons: one question put to several models, each comparison run by a thread that outlives the browser tab.

Owns the threads and what they have produced so far, in memory only; knows nothing of Gradio. Who asks whom, and in
which order, is `app.comparing`'s business. What was compared of a document that has been deleted is not shown any more.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.comparing import Failed, Step, check_models, compare
from app.errors import BadRequest, sentence_of
from app.service import Longleaf
from app.web.texts import noted, t
from llm.answer import Answer, Answered, AskOptions, EvidenceFound, ReadingProgress, TextDelta

log = logging.getLogger(__name__)
KEPT = 8
LOOK_EVERY_S = 0.25
FAULT = noted("Longleaf failed at this comparison; its log says more.")


@dataclass(frozen=True, slots=True)
class Lane:
    """How far one model is."""

    model: str | None  # as it was named; None: the packaged one
    status: str = noted("Waits for its turn")
    reading: ReadingProgress | None = None
    text: str = ""
    answer: Answer | None = None
    error: str | None = None  # one sentence

    def after(self, step: Step) -> "Lane":
        event = step.event
        if isinstance(event, ReadingProgress):
            return replace(self, reading=event, status=noted("Reading"))
        if isinstance(event, EvidenceFound):
            return replace(self, reading=None, status=noted("Writing the answer"))
        if isinstance(event, TextDelta):
            return replace(self, reading=None, text=self.text + event.text)
        if isinstance(event, Answered):
            return replace(self, reading=None, answer=event.answer)
        return replace(self, reading=None, error=event.sentence) if isinstance(event, Failed) else self


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one question has come to with each model."""

    question: str
    ids: tuple[str, ...]  # of the documents that it is put to
    lanes: tuple[Lane, ...]
    error: str | None = None  # one sentence: nothing was compared
    stopping: bool = False  # a person wants no more of it
    over: bool = False


class _Running:
    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.cancel = threading.Event()


class Comparisons:
    """Starts, follows and stops comparisons. Safe to call from several threads."""

    def __init__(self, longleaf: Longleaf) -> None:
        self._longleaf = longleaf
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def start(self, ids: Sequence[str], question: str, models: Sequence[str | None]) -> str:
        """Its id, which cannot be guessed. Raises BadRequest, ModelNotFound."""
        if not question.strip():
            raise BadRequest(t("the question is empty; write one"))
        if not ids:
            raise BadRequest(t("no document is chosen; tick at least one in the list"))
        check_models(self._longleaf, models)
        running = _Running(Comparison(question.strip(), tuple(ids), tuple(Lane(model) for model in models)))
        comparison_id = secrets.token_hex(8)
        with self._lock:
            self._forget_oldest()
            self._running[comparison_id] = running
        threading.Thread(target=self._compare, args=(running,), daemon=True).start()
        return comparison_id

    @property
    def are_running(self) -> bool:
        with self._lock:
            return any(not running.comparison.over for running in self._running.values())

    def latest(self) -> str | None:
        with self._lock:
            return next(reversed(self._running), None)

    def comparison(self, comparison_id: str) -> Comparison:
        """Raises BadRequest."""
        with self._lock:
            running = self._running.get(comparison_id)
        there = {entry.id for entry in self._longleaf.entries()}
        if running is None or not set(running.comparison.ids) <= there:
            raise BadRequest(t("this comparison is not there any more; compare again"))
        compared = running.comparison
        return replace(compared, stopping=running.cancel.is_set() and not compared.over)

    def follow(self, comparison_id: str) -> Iterator[Comparison]:
        """It now and whenever it has changed, until it is over. Raises BadRequest."""
        shown: Comparison | None = None
        while shown is None or not shown.over:
            now = self.comparison(comparison_id)
            if now != shown:
                yield now
            shown = now
            if not shown.over:
                time.sleep(LOOK_EVERY_S)

    def stop(self, comparison_id: str | None) -> None:
        """What came so far stays. Ids that are not known are ignored."""
        with self._lock:
            running = self._running.get(comparison_id or "")
        if running is not None:
            running.cancel.set()

    def _compare(self, running: _Running) -> None:
        asked = running.comparison
        models = [lane.model for lane in asked.lanes]
        try:
            for step in compare(self._longleaf, models, asked.ids, asked.question, AskOptions(), running.cancel):
                lanes = list(running.comparison.lanes)
                lanes[step.number] = lanes[step.number].after(step)
                running.comparison = replace(running.comparison, lanes=tuple(lanes))
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                log.exception("a comparison failed")
            running.comparison = replace(running.comparison, error=sentence or FAULT)
        ended = tuple(
            lane
            if lane.answer or lane.error
            else replace(lane, reading=None, error=noted("Stopped before an answer came."))
            for lane in running.comparison.lanes
        )
        running.comparison = replace(running.comparison, lanes=ended, over=True)

    def _forget_oldest(self) -> None:
        over = [each for each, running in self._running.items() if running.comparison.over]
        for comparison_id in over[: max(0, len(self._running) - KEPT)]:
            del self._running[comparison_id]
