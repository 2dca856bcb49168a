"""What the model writes in answer to one question, over passages that it is shown or over everything that was read."""

import threading
import time
from collections.abc import Iterator, Sequence
from functools import cached_property

from ingest.document import Document, Page
from llm.answer import AskOptions
from llm.backbone import Backbone
from llm.close_reading import CloseReading, seen_by_model, texts_shown
from llm.cost import Cost
from llm.desk import Desk
from llm.generation import Generated, generate
from llm.looking import Looked
from llm.prompt import NEXT_QUESTION, NOT_FOUND
from llm.recent import RecentReadings
from llm.runtime.working import WorkingKV
from llm.structured.constraint import Constraint, SchemaConstraint
from llm.thinking import Thought
from llm.tokens import Tokens
from llm.weighing import weighed

_SHORT_CHARS = 4_000  # of documents that are answered over their stored KV, for their words to be looked through


class Writer:
    """Writes one question's answers, and adds to `cost` what they cost."""

    def __init__(
        self,
        backbone: Backbone,
        desk: Desk,
        documents: Sequence[Document],
        question: str,
        options: AskOptions,
        cost: Cost,
        cancel: threading.Event,
    ) -> None:
        self._backbone, self._desk, self._documents, self._question = backbone, desk, documents, question
        self._options, self._cost, self._cancel = options, cost, cancel
        self._behind: tuple[WorkingKV, int] | None = None  # the last prompt but for its last token, and that

    def write(self, close: CloseReading | None, looked: Looked | None, written: Generated) -> Iterator[Thought | str]:
        """Writes an answer over a close reading, or over the whole reading where `close` is None."""
        started = time.perf_counter()
        kv, ids, num_read = self._prompted(close, looked)
        self._cost.new_tokens += num_read + len(ids)
        if self._may_copy(close):
            if len(ids) > 1:
                self._backbone.runner.forward(ids[:-1], kv)
                ids = ids[-1:]
            self._behind = kv.fork(), ids[0]
        pieces = generate(
            self._backbone,
            kv,
            ids,
            written,
            max_new_tokens=self._options.max_new_tokens,
            temperature=self._options.temperature,
            seed=self._options.seed,
            stop_text=NEXT_QUESTION,  # small models go on asking themselves
            constraint=self._constraint(close),
            cancel=self._cancel,
        )
        decoding_since: float | None = None
        try:
            for piece in pieces:
                if decoding_since is None:
                    decoding_since = time.perf_counter()
                    self._cost.question_s += decoding_since - started
                yield piece
        finally:  # also where the rest of a refusal is not waited for
            self._cost.decode_s += time.perf_counter() - (decoding_since or started)
            self._cost.decoded_tokens += len(written.token_ids)

    def _prompted(self, close: CloseReading | None, looked: Looked | None) -> tuple[WorkingKV, Sequence[int], int]:
        """What to go on from, the tokens that are still to be read, and how many were read for it now."""
        if close is None:
            assert looked is not None, "only what was read whole is asked over its KV"
            return looked.turn, [looked.last_token], 0
        prompt = self._backbone.prompt
        asked = prompt.suffix(self._question)
        if self._recent is not None:
            kv, num_read = self._recent.read(close.token_ids)
            return kv, asked, num_read
        return self._backbone.empty_kv(), Tokens.joined((prompt.prefix, close.token_ids, asked)), 0

    def weighed(self, close: CloseReading | None, written: Generated) -> Generated:
        """What `write` wrote last, or words of what was shown that say it better (`llm.weighing`)."""
        if self._behind is None:
            return written
        (kv, last_token), self._behind = self._behind, None
        started = time.perf_counter()
        best = weighed(
            self._backbone,
            kv,
            last_token,
            written,
            self._question,
            seen_by_model(close, self._documents, self._backbone.prompt),
            max_new_tokens=self._options.max_new_tokens,
            cancel=self._cancel,
        )
        self._cost.decode_s += time.perf_counter() - started
        kv.release()
        return best

    @cached_property
    def _recent(self) -> RecentReadings | None:
        """Where the passages that are read one by one are kept, if they are."""
        return self._desk.recent(self._documents) if self._backbone.reads_one_by_one else None

    def _may_copy(self, close: CloseReading | None) -> bool:
        """Whether the model answers word for word, and what it was shown is short."""
        if not self._backbone.reads_one_by_one or self._options.form is not None or self._options.temperature > 0:
            return False
        return close is not None or sum(len(page.text) for page in self._pages()) <= _SHORT_CHARS

    def _pages(self) -> Iterator[Page]:
        for document in self._documents:
            for leaf in document.leaves():
                yield from leaf.pages

    def _constraint(self, close: CloseReading | None) -> Constraint | None:
        """To the form that was asked for, or of choices and patterns a refusal; None: any text."""
        if self._options.form is None:
            return None
        if self._options.form.schema is not None:
            return SchemaConstraint(self._options.form.schema, self._backbone)
        return Constraint([*self._options.form.strings(texts_shown(close, self._documents)), NOT_FOUND], self._backbone)
