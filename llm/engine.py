"""The engine: one loaded model with what it has read, and the three things it can do: read, ask, forget.

`read` reads documents of any length whole, once; their KV is kept on disk. `ask` reads by itself what one pass of
attention can hold; of longer documents that were not read yet it sees the best passages, and coverage says so. One
step of a reading or one answer at a time.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from weakref import WeakKeyDictionary

import psutil
import torch

from ingest.document import Document
from ingest.memory import give_back
from llm.answer import Answer, AskOptions, Citation, Coverage, Event, ExpertUse, ModelName, ReadingProgress
from llm.asking import Asking
from llm.attribution import Influence, around_citations, influences
from llm.backbone import Backbone, device_of, load_backbone
from llm.citing import cited
from llm.coverage import coverage_of
from llm.desk import Desk
from llm.errors import BadQuestion
from llm.evidence.embedding import Embedder
from llm.eyes import ShownPages
from llm.fitting import Memory, Pictures
from llm.kv.codec import KVDtype
from llm.loading.experts import use_of_experts
from llm.pages import PageSource
from llm.tools.asking import AskingWithTools, named_with_tools

_YIELD_S = 0.005
# Desks of one model that keep what they opened last: up to 23 KB of bfloat16 a token for the packaged one,
# and 100 MB of passages (llm/recent.py).
_KEPT_OPEN = 3


class _Queue:
    """Who computes: one caller at a time, and questions before readings."""

    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.num_asking = 0  # questions that wait, are prepared for or are being answered
        self._counting = threading.Lock()
        self._desks: WeakKeyDictionary[Desk, None] = WeakKeyDictionary()  # who computed last comes last

    @contextmanager
    def computing(self, desk: Desk) -> Iterator[None]:
        """One desk at a time; those that computed longest ago let go of what they hold open, and open it again."""
        with self.busy:
            self._desks.pop(desk, None)
            self._desks[desk] = None
            for other in list(self._desks)[:-_KEPT_OPEN]:
                other.put_away()
                del self._desks[other]
            yield

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Readings wait while this lasts."""
        with self._counting:
            self.num_asking += 1
        try:
            yield
        finally:
            with self._counting:
                self.num_asking -= 1


class Engine:
    """Safe to call from several threads: callers wait for one another."""

    def __init__(
        self,
        backbone: Backbone,
        state_dir: Path,
        *,
        kv_dtype: KVDtype = KVDtype.INT8,
        disk_budget_bytes: int | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """`embedder`: one that is loaded or being loaded; None: it is loaded when a text is to be embedded."""
        self._backbone = backbone
        self._kv_dtype, self._disk_budget_bytes = kv_dtype, disk_budget_bytes
        self._embedder = embedder or Embedder(str(backbone.device))
        self._desk = Desk(
            backbone, state_dir, kv_dtype=kv_dtype, disk_budget_bytes=disk_budget_bytes, embedder=self._embedder
        )
        self._queue = _Queue()
        self._shown: ShownPages | None = None

    @classmethod
    def load(
        cls,
        model: str | None = None,
        *,
        state_dir: Path,
        cache_dir: Path,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        adapter: Path | None = None,
        experts_bytes: int | None = None,
        weights: str | None = None,
        mtp: bool = False,
        page_px: int | None = None,
        tools: bool = False,
        kv_dtype: KVDtype = KVDtype.INT8,
        disk_budget_bytes: int | None = None,
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> "Engine":
        """Loads a model by name (None: the packaged one), and the embedder beside it. Raises ModelNotFound."""
        embedder = Embedder(str(device_of(device)))
        embedder.warm()
        backbone = load_backbone(
            model, cache_dir=cache_dir, device=device, dtype=dtype, threads=threads, adapter=adapter,
            experts_bytes=experts_bytes, weights=weights, mtp=mtp, page_px=page_px, on_progress=on_progress,
        )  # fmt: skip
        backbone = backbone.with_tools() if tools else backbone
        return cls(backbone, state_dir, kv_dtype=kv_dtype, disk_budget_bytes=disk_budget_bytes, embedder=embedder)

    def beside(self, state_dir: Path) -> "Engine":
        """The same loaded model for another folder; of what either has read, the other sees nothing.

        Their steps and answers wait for one another. The limit on the disk is one for each folder.
        """
        other = Engine(
            self._backbone, state_dir, kv_dtype=self._kv_dtype, disk_budget_bytes=self._disk_budget_bytes,
            embedder=self._embedder,
        )  # fmt: skip
        other._queue = self._queue
        return other

    def show_pages(self, source: PageSource, *, all_pages: bool, page_px: int | None = None) -> None:
        """Lets the model see pages as pictures, made by `source`: all that have one, or those without exact text.

        `page_px`: their longer side; None: as it was loaded. What was read at another size stays on the disk, and is
        found again at that size.
        """
        eyes = self._backbone.eyes
        assert eyes is not None, "the model was loaded with eyes"
        with self._asking():
            self._shown = ShownPages(eyes.sized(page_px or eyes.max_side_px), source, all_pages)
            self._desk.show_pages(self._shown)

    def pictures(self, documents: Sequence[Document], sizes_px: Sequence[int]) -> Pictures | None:
        """How many tokens the documents' pages are as pictures of each size; None where the model sees none of them."""
        eyes = self._backbone.eyes
        if self._shown is None or eyes is None:
            return None
        leaves = [leaf for document in documents for leaf in document.leaves()]
        pages = [page for leaf in leaves for page in leaf.pages if self._shown.shows(page)]
        now_px = self._shown.eyes.max_side_px
        tokens = {px: sum(map(eyes.sized(px).num_tokens, pages)) for px in {now_px, *sizes_px}}
        return Pictures(len(pages), now_px, tokens) if pages else None

    def memory(self, num_tokens: int) -> Memory | None:
        """What a question over so many tokens that were read takes."""
        shown, device = min(num_tokens, self.exact_tokens), self._backbone.device
        values = sum(
            layout.values_per_token * min(shown, layout.reach or shown) for layout in self._backbone.runner.layouts
        )
        free = psutil.virtual_memory().available if device.type != "cuda" else torch.cuda.mem_get_info(device)[0]
        return Memory(values * self._backbone.dtype.itemsize, free)

    @property
    def model(self) -> ModelName:
        name = self._backbone.name
        return name if self._backbone.calls is None else named_with_tools(name)

    @property
    def expert_use(self) -> ExpertUse | None:
        """Of routed experts that are fetched, since the model was loaded; None where none are."""
        use = use_of_experts(self._backbone.model)
        return None if use is None else replace(use)

    @property
    def context_tokens(self) -> int:
        return self._backbone.context_tokens

    @property
    def exact_tokens(self) -> int:
        """How many tokens of documents a question can attend to at once."""
        return self._desk.readings.exact_tokens

    def count_tokens(self, text: str) -> int:
        return len(self._backbone.prompt.encode(text))

    def read(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Indexes the documents and reads them whole, whatever their length; what is done already is only reported.

        Between two steps, questions that wait are answered: a long reading stops nobody.
        """
        yield from self._between_questions(self._desk.read(documents, cancel))

    def prepare(
        self, documents: Sequence[Document], cancel: threading.Event | None = None
    ) -> Iterator[ReadingProgress]:
        """Does what a question needs: the index, and the KV of what one pass of attention can hold.

        Its steps go before those of `read`, so that a long reading does not keep a fresh document waiting.
        """
        with self._queue.counted():
            yield from self._steps(self._desk.prepare(documents, cancel))

    def is_ready(self, documents: Sequence[Document]) -> bool:
        """Whether a question would find everything that `prepare` makes."""
        return self._desk.is_ready(documents)

    def is_read(self, documents: Sequence[Document]) -> bool:
        """Whether a question would find everything read and indexed."""
        return self._desk.is_read(documents)

    def tokens_read(self, documents: Sequence[Document]) -> int:
        """Tokens of the documents whose KV is on disk; `coverage` has their number."""
        return self._desk.tokens_read(documents)

    def search(self, documents: Sequence[Document], query: str, limit: int) -> tuple[Citation, ...]:
        """The passages that fit the query best, best first, each once; of documents that are indexed already."""
        indexed = [leaf for document in documents for leaf in document.leaves() if self._desk.is_indexed(leaf)]
        if not indexed:
            return ()
        with self._asking():
            return cited(self._desk.searcher(indexed).rank(query, limit), None, limit=limit)

    def ask(
        self,
        documents: Sequence[Document],
        question: str,
        options: AskOptions | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Answers from the documents: see the events of `llm.answer`. Raises BadQuestion and ContextOverflow."""
        if not question.strip():
            raise BadQuestion("the question is empty; write what you want to know")
        if not documents:
            raise BadQuestion("no document was given to ask about; name at least one")
        kind = Asking if self._backbone.calls is None else AskingWithTools
        with self._asking():
            yield from kind(self._backbone, self._desk, documents, question, options or AskOptions(), cancel).events()

    def influences(self, documents: Sequence[Document], answer: Answer) -> tuple[Influence, ...]:
        """What of the passages around its citations weighed in an answer, token by token. Raises BadQuestion."""
        if not answer.citations:
            raise BadQuestion("the answer cites nothing, so there is no passage whose influence could be weighed")
        with self._asking():
            return influences(
                self._backbone, around_citations(answer, documents), answer.question, answer.answer
            )  # fmt: skip

    def _between_questions(self, steps: Iterator[ReadingProgress]) -> Iterator[ReadingProgress]:
        while True:
            while self._queue.num_asking:
                time.sleep(_YIELD_S)
            with self._queue.computing(self._desk):
                step = next(steps, None)
            if step is None:
                give_back()
                return
            yield step

    def _steps(self, steps: Iterator[ReadingProgress]) -> Iterator[ReadingProgress]:
        """One after the other; who waits gets a turn in between."""
        while True:
            with self._queue.computing(self._desk):
                step = next(steps, None)
            if step is None:
                return
            yield step
            time.sleep(_YIELD_S)  # a lock alone is not fair: the same thread would take it again at once

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with self._queue.counted(), self._queue.computing(self._desk):
                yield
        finally:
            give_back()

    def coverage(self, documents: Sequence[Document]) -> Coverage:
        """What a question about the documents would see, without asking."""
        whole = self._desk.is_read_whole(documents) or self._desk.reads_before_answering(documents)
        total = self._desk.num_tokens(documents)
        return coverage_of(
            documents,
            tokens_total=total,
            tokens_read=total if whole else 0,
            pages_seen=None if whole else (),
            shortened=None if whole else self._desk.why_not_whole(documents),
        )

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes KV and index of the documents; bytes removed."""
        with self._asking():  # a reading of other documents waits for this
            return self._desk.forget(document_ids)

    def stored_bytes(self, *document_ids: str) -> int:
        """Bytes of KV and index on disk; a snapshot that several of the documents share counts once."""
        return self._desk.bytes_of(document_ids)
