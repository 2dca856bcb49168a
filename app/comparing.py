"""Comparing: one question put to several models over the same documents, and what each of them does.

Owns the order: models of this machine take turns, so that a timing is a model's own; servers write beside them. Every
model's answer is checked and kept like any other. A model that fails stops none of the others.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from app.errors import BadRequest, sentence_of
from app.service import Longleaf
from llm.answer import AskOptions, Event
from llm.errors import BadQuestion
from llm.remote.address import is_remote, parse

MAX_MODELS = 8  # each stays loaded
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failed:
    """A model gave no answer; why, in one sentence."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Step:
    """The next thing that one of the models does; its last one is Answered or Failed."""

    number: int  # which model, from 0 in the order given
    model: str | None  # as it was named; None: the packaged one
    event: Event | Failed


_Numbered = Sequence[tuple[int, str | None]]


def compare(
    longleaf: Longleaf,
    models: Sequence[str | None],
    ids: Sequence[str],
    question: str,
    options: AskOptions = AskOptions(),  # noqa: B008  frozen
    cancel: threading.Event | None = None,
) -> Iterator[Step]:
    """Asks every model; their steps come as they happen, mixed. `cancel` stops all, those whose turn has not come too.

    Local models stay loaded, all of them at once. Raises BadRequest, BadQuestion, NotInLibrary, and ModelNotFound for
    what is no address of a server.
    """
    check_models(longleaf, models)
    if not question.strip():
        raise BadQuestion("the question is empty; write what you want to know")
    for document_id in ids:
        longleaf.document(document_id)
    turns = list(enumerate(models))
    lanes: list[_Numbered] = [[turn for turn in turns if not is_remote(turn[1])]]
    lanes += [[turn] for turn in turns if is_remote(turn[1])]
    asking = _Asking(longleaf, ids, question, options, cancel or threading.Event())
    return asking.steps([lane for lane in lanes if lane])


def check_models(longleaf: Longleaf, models: Sequence[str | None]) -> None:
    """Raises BadRequest for models that cannot be compared, ModelNotFound for what is no address of a server."""
    if len(models) < 2 or len(models) > MAX_MODELS:
        raise BadRequest(f"{len(models)} models were named to compare; name between 2 and {MAX_MODELS}")
    if len(set(models)) < len(models):
        raise BadRequest(f"of the {len(models)} models that were named only {len(set(models))} differ; name each once")
    servers = {parse(model).root_url for model in models if model is not None and is_remote(model)}
    if longleaf.settings.api_key is not None and len(servers) > 1:
        raise BadRequest(
            f"LONGLEAF_API_KEY would go to {len(servers)} servers ({', '.join(sorted(servers))}) and belongs to one; "
            "compare models of one server, or unset it"
        )


class _Asking:
    """One question on its way through the models."""

    def __init__(
        self, longleaf: Longleaf, ids: Sequence[str], question: str, options: AskOptions, cancel: threading.Event
    ) -> None:
        self._longleaf, self._ids, self._question, self._options = longleaf, ids, question, options
        self._cancel = cancel
        self._steps: SimpleQueue[Step | None] = SimpleQueue()

    def steps(self, lanes: Sequence[_Numbered]) -> Iterator[Step]:
        with ThreadPoolExecutor(len(lanes), "longleaf-compare") as pool:
            num_running = len(lanes)
            try:
                for lane in lanes:
                    pool.submit(self._run, lane)
                while num_running:
                    step = self._steps.get()
                    if step is None:
                        num_running -= 1
                    else:
                        yield step
            finally:
                if num_running:  # nobody looks any more
                    self._cancel.set()

    def _run(self, lane: _Numbered) -> None:
        """One model after the other, in a thread of its own."""
        try:
            for number, model in lane:
                if self._cancel.is_set():
                    return
                for event in self._events(model):
                    self._steps.put(Step(number, model, event))
        finally:
            self._steps.put(None)

    def _events(self, model: str | None) -> Iterator[Event | Failed]:
        try:
            answering = self._longleaf.with_model(model)
            yield from answering.ask(self._ids, self._question, self._options, self._cancel)
        except Exception as error:  # noqa: BLE001  what nobody can be blamed for is logged
            sentence = sentence_of(error)
            if sentence is None:
                _log.exception("a model that was compared failed")
            yield Failed(sentence or "Longleaf failed at this; its log says more")
