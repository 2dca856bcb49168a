"""A visit: a new process loads the model, opens what was read, and asks. What a person meets the next morning."""

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.bench.memory import Memory, MemoryWatch
from app.bench.subject import Subject
from app.settings import Settings
from ingest.document import Document
from llm.answer import AskOptions

Question = tuple[int, str]  # which of the documents, and what is asked of it


@dataclass(frozen=True, slots=True)
class Timed:
    """One question of a visit."""

    document: int
    first_token_s: float | None  # None: no text came
    token_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    load_s: float  # of the model, imports left out
    asked: tuple[Timed, ...]
    peak: Memory


def visit(
    settings: Settings,
    state_dir: Path,
    documents: Sequence[Document],
    questions: Sequence[Question],
    max_new_tokens: int,
) -> Visit:
    """Runs in a new process, which ends with it. The first question pays for opening what was read."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_visit, settings, state_dir, documents, questions, max_new_tokens).result()


def _visit(
    settings: Settings,
    state_dir: Path,
    documents: Sequence[Document],
    questions: Sequence[Question],
    max_new_tokens: int,
) -> Visit:
    options = AskOptions(max_new_tokens=max_new_tokens)
    with MemoryWatch() as watch:
        started = time.perf_counter()
        subject = Subject.load(settings, state_dir)
        load_s = time.perf_counter() - started
        asked = []
        for at, question in questions:
            answered = subject.ask(documents[at], question, options)
            asked.append(Timed(at, answered.first_token_s, answered.token_s))
    return Visit(load_s, tuple(asked), watch.peak)
