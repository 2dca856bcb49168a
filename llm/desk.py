"""The desk: documents laid out for questions. It knows what is read, what is indexed, and which of both a set needs.

Owns the rule of this version: a set of documents that fits the model's context, with room for a question and its
answer, is read whole; a longer one is indexed, and its best passages are read for each question.
"""

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from ingest.document import Document
from llm.answer import ReadingProgress
from llm.backbone import Backbone
from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceStore
from llm.evidence.ranking import Searcher
from llm.reading import Readings
from llm.storage import index_folder, kv_folder
from llm.stream import TokenStream

_Key = tuple[tuple[str, int, int], ...]  # of a set of documents, see `_key`
RESERVED_TOKENS = 640  # behind a document read whole: the question and its answer


class Desk:
    """What one backbone has read and indexed below `state_dir`. One caller at a time."""

    def __init__(self, backbone: Backbone, state_dir: Path) -> None:
        self._prompt = backbone.prompt
        self.readings = Readings(backbone, kv_folder(state_dir))
        self._embedder = Embedder(str(backbone.device))
        self._evidence = EvidenceStore(index_folder(state_dir), self._embedder)
        self._streams: dict[_Key, TokenStream] = {}  # the last one only
        self._token_counts: dict[_Key, int] = {}  # of single leaves
        self._searchers: dict[_Key, Searcher] = {}  # the last one only

    def stream(self, documents: Sequence[Document]) -> TokenStream:
        """The documents as one token stream; the last one is kept."""
        key = _key(documents)
        if key not in self._streams:
            self._streams = {key: TokenStream.of(documents, self._prompt)}
        return self._streams[key]

    def num_tokens(self, documents: Sequence[Document]) -> int:
        """Tokens of the documents' stream."""
        total = 0
        for leaf in _leaves(documents):
            key = _key([leaf])
            if key not in self._token_counts:
                self._token_counts[key] = len(TokenStream.of([leaf], self._prompt))
            total += self._token_counts[key]
        return total

    def fits(self, documents: Sequence[Document]) -> bool:
        """Whether the documents can be read whole, with room for a question."""
        needed = len(self._prompt.prefix) + self.num_tokens(documents) + RESERVED_TOKENS
        return needed <= self.readings.max_tokens()

    def why_shortened(self, documents: Sequence[Document]) -> str:
        """For people: why these documents are not read whole."""
        return (
            f"{self.num_tokens(documents):,} tokens are more than the {self.readings.max_tokens():,} that this model "
            "can read at once here, so each question sees only the passages that fit it best"
        )

    def is_read(self, documents: Sequence[Document]) -> bool:
        if not all(self._evidence.is_built(leaf) for leaf in _leaves(documents)):
            return False
        return not self.fits(documents) or self.readings.is_read(self.stream(documents))

    def read(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Indexes, then reads whole where that fits. Yields progress; stops early when `cancel` is set."""
        yield from self.index(documents, cancel)
        if not (cancel and cancel.is_set()) and self.fits(documents):
            yield from self.readings.read(self.stream(documents), cancel)

    def index(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Embeds what is not embedded yet; nothing is yielded where all is done."""
        missing = [leaf for leaf in _leaves(documents) if not self._evidence.is_built(leaf)]
        total_chars, done_chars = sum(_chars(leaf) for leaf in missing), 0
        started = time.perf_counter()
        for leaf in missing:
            for share in self._build(leaf, cancel):
                done = done_chars + round(share * _chars(leaf))
                rate = done / max(time.perf_counter() - started, 1e-6)
                eta_s = (total_chars - done) / rate if rate else 0.0
                yield ReadingProgress("index", done, total_chars, "characters", rate, eta_s)
            done_chars += _chars(leaf)
            if cancel and cancel.is_set():
                return

    def searcher(self, documents: Sequence[Document]) -> Searcher:
        """All documents as one index. Raises SnapshotRefused where `index` was not run."""
        key = _key(documents)
        if key not in self._searchers:
            self._searchers = {
                key: Searcher([self._evidence.load(leaf) for leaf in _leaves(documents)], self._embedder)
            }
        return self._searchers[key]

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes KV and index of the documents from memory and disk; bytes removed."""
        self._streams, self._searchers, self._token_counts = {}, {}, {}
        return self.readings.forget(document_ids) + self._evidence.forget(document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        return self.readings.bytes_of(document_ids) + self._evidence.bytes_of(document_ids)

    def _build(self, leaf: Document, cancel: threading.Event | None) -> Iterator[float]:
        """Builds one index in a thread, so that its progress can be yielded: shares from 0 to 1."""
        shares: SimpleQueue[float | None] = SimpleQueue()
        with ThreadPoolExecutor(1, "longleaf-index") as pool:
            building = pool.submit(
                self._evidence.build, leaf, lambda done, total: shares.put(done / max(total, 1)), cancel
            )
            building.add_done_callback(lambda _: shares.put(None))
            while (share := shares.get()) is not None:
                yield share
            building.result()


def _leaves(documents: Sequence[Document]) -> list[Document]:
    return [leaf for document in documents for leaf in document.leaves()]


def _key(documents: Sequence[Document]) -> _Key:
    """Names a set of documents as they were read: the same file with another page range is another text."""
    return tuple((leaf.id, len(leaf.pages), _chars(leaf)) for leaf in _leaves(documents))


def _chars(leaf: Document) -> int:
    return sum(len(page.text) for page in leaf.pages) + 1
