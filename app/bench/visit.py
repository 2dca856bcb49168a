"""New processes that load the model and open what was read: to ask, as a person does the next morning, or to decode."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from app.bench.memory import Memory, MemoryWatch
from app.bench.subject import Subject
from app.settings import Settings
from ingest.document import Document
from llm.answer import AskOptions

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Visit:
    load_s: float  # of the model, imports left out
    first_token_s: tuple[float | None, ...]  # of each question; None: no text came
    peak: Memory


@dataclass(frozen=True, slots=True)
class Decoding:
    """Seconds a token over the stored KV, for each document."""

    token_s: tuple[tuple[float, ...], ...]
    first_token_s: tuple[float, ...]  # opening included
    peak: Memory


def visit(
    settings: Settings, state_dir: Path, document: Document, questions: Sequence[str], max_new_tokens: int
) -> Visit:
    """Runs in a new process, which ends with it. The first question pays for opening what was read."""
    return _alone(_visit, settings, state_dir, document, questions, max_new_tokens)


def decode_in_turn(
    settings: Settings, state_dir: Path, documents: Sequence[Document], question: str, *, rounds: int, tokens: int
) -> Decoding:
    """Some tokens over one document, then over the next, round and round: what else runs here meets all alike."""
    return _alone(_decode, settings, state_dir, documents, question, rounds, tokens)


def _alone(work: Callable[..., Result], *args: object) -> Result:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def _visit(
    settings: Settings, state_dir: Path, document: Document, questions: Sequence[str], max_new_tokens: int
) -> Visit:
    options = AskOptions(max_new_tokens=max_new_tokens)
    with MemoryWatch() as watch:
        started = time.perf_counter()
        subject = Subject.load(settings, state_dir)
        load_s = time.perf_counter() - started
        asked = tuple(subject.ask(document, question, options).first_token_s for question in questions)
    return Visit(load_s, asked, watch.peak)


def _decode(
    settings: Settings, state_dir: Path, documents: Sequence[Document], question: str, rounds: int, tokens: int
) -> Decoding:
    with MemoryWatch() as watch:
        subject = Subject.load(settings, state_dir)
        decoders = [subject.decoder(document, question) for document in documents]
        first = tuple(next(decoder) for decoder in reversed(decoders))[::-1]  # the last pays for what is done once
        seconds: list[list[float]] = [[] for _ in documents]
        for _ in range(rounds):
            for found, decoder in zip(seconds, decoders, strict=True):
                found.extend(islice(decoder, tokens))
    return Decoding(tuple(map(tuple, seconds)), first, watch.peak)
