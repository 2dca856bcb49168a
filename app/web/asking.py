"""Questions that are being answered, each in a thread of its own, so that a closed tab loses no answer.

Owns the threads and what they have produced so far; knows nothing of Gradio. The answer itself is stored by the
service when it is complete, whether anybody still watches or not.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from app.errors import BadRequest, sentence_of
from app.service import KeptAnswer, Longleaf
from app.web.texts import noted, t
from llm.answer import Answer, AskOptions, Citation, Event, EvidenceFound, ReadingProgress, TextDelta, ThinkingDelta

log = logging.getLogger(__name__)
KEPT = 64  # finished questions that a page can still look up
LOOK_EVERY_S = 0.1  # how often a page is told of new words
STILL_EVERY_S = 1.0  # how often a page is told that nothing is new
FAULT = noted("Longleaf failed at this question; its log says more.")


@dataclass(frozen=True, slots=True)
class Progress:
    """What one question has come to."""

    question: str
    ids: tuple[str, ...] = ()  # of the documents that it is put to
    conversation: str = ""
    status: str = noted("Opening the documents and the model")
    ahead: int = 0  # questions of others that are answered before
    reading: ReadingProgress | None = None
    citations: tuple[Citation, ...] = ()
    text: str = ""
    thinking: str = ""  # of a reasoning model, before its answer
    answer: Answer | None = None
    kept: KeptAnswer | None = None  # as the library keeps it; None also where a document was deleted meanwhile
    error: str | None = None  # one sentence
    stopping: bool = False  # a person wants it to end; it does after the step that it is at
    over: bool = False

    def after(self, event: Event) -> "Progress":
        if isinstance(event, ReadingProgress):
            return replace(self, reading=event)
        if isinstance(event, EvidenceFound):
            return replace(self, citations=event.citations, reading=None, status=noted("Writing the answer"))
        if isinstance(event, TextDelta):
            return replace(self, text=self.text + event.text, reading=None)
        if isinstance(event, ThinkingDelta):
            return replace(self, thinking=self.thinking + event.text, reading=None)
        return replace(self, answer=event.answer)


def _ended(progress: Progress) -> Progress:
    if progress.answer is None and progress.error is None:
        said = noted("Stopped before an answer came. What was read so far is kept.")
        progress = replace(progress, error=said)
    return replace(progress, stopping=False, over=True)


class _Running:
    """One question's thread and its latest progress."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.cancel = threading.Event()
        self.changed = threading.Condition()

    def put(self, change: Callable[[Progress], Progress]) -> None:
        """Changes the progress; who stops it does so from another thread than who answers."""
        with self.changed:
            self.progress = change(self.progress)
            self.changed.notify_all()

    def waits(self, ahead: int) -> None:
        """Others asked before."""
        self.put(lambda before: replace(before, ahead=ahead, reading=None))


class Questions:
    """Starts, follows and stops questions. Safe to call from several threads."""

    def __init__(self, longleaf: Longleaf) -> None:
        self._longleaf = longleaf
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def start(self, ids: Sequence[str], question: str, conversation: str | None = None) -> str:
        """The id to follow and stop it by, which cannot be guessed. Without a conversation it begins a new one.

        Raises BadRequest without question or document.
        """
        if not question.strip():
            raise BadRequest(t("the question is empty; write one"))
        if not ids:
            raise BadRequest(t("no document is chosen; tick at least one in the list"))
        run_id = secrets.token_hex(8)
        running = _Running(Progress(question.strip(), tuple(ids), conversation or secrets.token_hex(8)))
        with self._lock:
            self._forget_oldest()
            self._running[run_id] = running
        threading.Thread(target=self._answer, args=(running,), daemon=True).start()
        return run_id

    def progress(self, run_id: str) -> Progress | None:
        """None for an id that is not known (any more)."""
        with self._lock:
            running = self._running.get(run_id)
        return running.progress if running else None

    def latest(self) -> str | None:
        """The id of the question that was put last and is still being answered."""
        with self._lock:
            return next((run_id for run_id, run in reversed(self._running.items()) if not run.progress.over), None)

    def follow(self, run_id: str) -> Iterator[Progress]:
        """Its progress whenever that changes, at most once in LOOK_EVERY_S, and now and then while it does not.

        The last one has `over` set.
        """
        with self._lock:
            running = self._running[run_id]
        shown: Progress | None = None
        while shown is None or not shown.over:
            with running.changed:
                running.changed.wait_for(lambda: running.progress is not shown, STILL_EVERY_S)  # noqa: B023  at once
                shown = running.progress
            yield shown
            if not shown.over:
                time.sleep(LOOK_EVERY_S)

    def stop(self, run_id: str | None) -> None:
        """Asks it to stop; what had come so far becomes the answer. Unknown and finished ids are ignored."""
        with self._lock:
            running = self._running.get(run_id or "")
        if running is not None:
            running.cancel.set()
            running.put(lambda before: replace(before, stopping=not before.over))

    def _answer(self, running: _Running) -> None:
        asked = running.progress
        try:
            for event in self._longleaf.ask(
                asked.ids, asked.question, AskOptions(), running.cancel, asked.conversation, running.waits
            ):
                running.put(partial(Progress.after, event=event))
            *_, last = (None, *self._longleaf.history.answers(asked.conversation))
            running.put(lambda before: replace(before, kept=last))
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                log.exception("a question failed")
            running.put(lambda before: replace(before, error=sentence or FAULT))
        running.put(_ended)

    def _forget_oldest(self) -> None:
        finished = [run_id for run_id, running in self._running.items() if running.progress.over]
        for run_id in finished[: max(0, len(self._running) - KEPT)]:
            del self._running[run_id]
