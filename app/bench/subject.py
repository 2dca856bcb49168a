"""The engine under measurement: it reads and answers as it would for a person, and a stopwatch runs.

Owns the one place where measurements touch the engine. Nothing of what is measured is changed here.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.settings import Settings
from ingest.document import Document
from llm import Engine
from llm.answer import (
    Answer,
    Answered,
    AskOptions,
    Citation,
    EvidenceFound,
    Look,
    ModelName,
    ReadingProgress,
    TextDelta,
)
from llm.backbone import Backbone, device_of, load_backbone
from llm.evidence.embedding import Embedder
from llm.generation import Generated, generate
from llm.kv.codec import KVDtype
from llm.prompt import NEXT_QUESTION, Prompt
from llm.reading import Readings
from llm.storage import kv_folder, streams_folder
from llm.stream import TokenStream
from llm.stream_store import StreamStore
from llm.tokens import Tokens
from llm.training.decode import answer_all_seen
from vision import Seen

_ROOT = Path(__file__).resolve().parents[2]

OnReading = Callable[[ReadingProgress], None]
OnText = Callable[[str], None]


class Stretch(NamedTuple):
    """Characters [start, end) of a page."""

    page_index: int
    start: int
    end: int

    def touches(self, other: "Stretch") -> bool:
        """Whether both have a character in common."""
        return self.page_index == other.page_index and self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer and what it took, by the clock outside the engine."""

    answer: Answer
    evidence: tuple[Stretch, ...]  # the sentences that the engine showed before it wrote
    looked_at: tuple[Stretch, ...]  # the text of the KV blocks that layers selected; none where nothing was selected
    first_token_s: float | None  # None: no text came


class Subject:
    """A loaded model that reads into `state_dir`."""

    def __init__(
        self,
        backbone: Backbone,
        state_dir: Path,
        on_reading: OnReading = lambda _: None,
        *,
        kv_dtype: KVDtype = KVDtype.INT8,
        embedder: Embedder | None = None,
    ) -> None:
        self._backbone = backbone
        self._on_reading = on_reading
        self._state_dir = state_dir
        self.kv_dtype = kv_dtype
        self.engine = Engine(backbone, state_dir, kv_dtype=kv_dtype, embedder=embedder)

    @classmethod
    def load(
        cls,
        settings: Settings,
        state_dir: Path,
        *,
        on_text: OnText = lambda _: None,
        on_reading: OnReading = lambda _: None,
    ) -> "Subject":
        """As `Engine.load`. Raises ModelNotFound."""
        embedder = Embedder(str(device_of(settings.device)))
        embedder.warm()
        backbone = load_backbone(
            settings.model, cache_dir=settings.cache_dir, device=settings.device, dtype=settings.dtype,
            threads=settings.threads, on_progress=on_text,
        )  # fmt: skip
        kv_dtype = KVDtype(settings.kv_dtype or KVDtype.INT8)
        return cls(backbone, state_dir, on_reading, kv_dtype=kv_dtype, embedder=embedder)

    @property
    def model(self) -> ModelName:
        return self._backbone.name

    @property
    def identity(self) -> str:
        """Names weights, tokenizer, prompt and dtype: what results depend on."""
        return self._backbone.snapshot_identity()

    @property
    def prompt(self) -> Prompt:
        return self._backbone.prompt

    def count_tokens(self, text: str) -> int:
        return self.engine.count_tokens(text)

    def token_ids(self, document: Document) -> Sequence[int]:
        """The document's token stream."""
        return TokenStream.of([document], self._backbone.prompt).token_ids

    def read(self, document: Document, on_reading: OnReading | None = None) -> None:
        """Reads what is not read yet."""
        for progress in self.engine.read([document]):
            self._show(progress)
            if on_reading:
                on_reading(progress)

    def ask(self, document: Document, question: str, options: AskOptions) -> Asked:
        """Asks one question of the document, which is read first if it was not."""
        evidence: tuple[Citation, ...] = ()
        began, first_token_s = time.perf_counter(), None
        for event in self.engine.ask([document], question, options):
            if isinstance(event, ReadingProgress):
                self._show(event)
            elif isinstance(event, EvidenceFound):
                evidence = event.citations
            elif isinstance(event, TextDelta) and first_token_s is None:
                first_token_s = time.perf_counter() - began
            elif isinstance(event, Answered):
                return Asked(event.answer, _stretches(evidence), _stretches(event.answer.looked_at), first_token_s)
        raise AssertionError("the engine ended without an answer, and nobody stopped it")

    def decoder(self, document: Document, question: str) -> Iterator[float]:
        """Seconds of one token after another, decoded over the KV of a document that was read; it never ends.

        The first counts from opening what was read.
        """
        runner, prompt = self._backbone.runner, self._backbone.prompt
        began = time.perf_counter()
        streams = StreamStore(streams_folder(self._state_dir), prompt, self._backbone.snapshot_identity())
        readings = Readings(self._backbone, kv_folder(self._state_dir), kv_dtype=self.kv_dtype)
        kv = readings.session([streams.stream(document)]).turn()
        token = int(runner.forward(prompt.suffix(question), kv).argmax())
        while True:
            yield time.perf_counter() - began
            began = time.perf_counter()
            token = int(runner.forward([token], kv).argmax())

    def _show(self, progress: ReadingProgress) -> None:
        """What was read before is nothing to watch."""
        if progress.done > progress.reused:
            self._on_reading(progress)

    def answers(self, tokens: Tokens, seen: Seen, questions: Sequence[str], max_new_tokens: int) -> list[str]:
        """What it says of a short document that is the right one, weighed as the product does (`llm.weighing`)."""
        return answer_all_seen(self._backbone, [tokens], seen, questions, max_new_tokens)

    def write(self, document_ids: Sequence[int], question: str, max_new_tokens: int) -> str:
        """The model's own greedy words on a short document: no ranking, no threshold, no citations."""
        prompt = self._backbone.prompt
        ids = Tokens.joined((prompt.prefix, document_ids, prompt.suffix(question)))
        written = Generated()
        for _ in generate(
            self._backbone, self._backbone.empty_kv(), ids, written, max_new_tokens=max_new_tokens,
            stop_text=NEXT_QUESTION,
        ):  # fmt: skip
            pass
        return written.text.strip()


def _stretches(spans: Sequence[Citation | Look]) -> tuple[Stretch, ...]:
    return tuple(Stretch(span.page_index, span.start, span.end) for span in spans)


@cache
def code_digest() -> str:
    """Names the code that answers, as it is when first asked: results of other code are not mixed with its own."""
    digest = hashlib.sha256()
    for package in ("ingest", "llm"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            if "training" not in path.parts:  # it answers nobody
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
