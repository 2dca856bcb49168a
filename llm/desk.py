"""The desk: documents laid out for questions. It knows what is read, what is indexed, and what is missing of either.

Every leaf document is indexed for evidence and read as a stream of its own; what was read opens together.
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
from llm.eyes import ShownPages
from llm.kv.codec import KVDtype
from llm.reading import Readings
from llm.recent import MOST_TOKENS, RecentReadings
from llm.runtime.session import SessionKV
from llm.storage import index_folder, kv_folder, streams_folder
from llm.stream import TokenStream
from llm.stream_store import StreamStore

_LeafKey = tuple[str, int, int]  # see `_leaf_key`
_Key = tuple[_LeafKey, ...]


class Desk:
    """What one backbone has read and indexed below `state_dir`. One caller at a time."""

    def __init__(
        self,
        backbone: Backbone,
        state_dir: Path,
        *,
        kv_dtype: KVDtype = KVDtype.INT8,
        disk_budget_bytes: int | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self._prompt = backbone.prompt
        self._stream_store = StreamStore(streams_folder(state_dir), backbone.prompt, backbone.snapshot_identity())
        self.readings = Readings(backbone, kv_folder(state_dir), kv_dtype=kv_dtype, disk_budget_bytes=disk_budget_bytes)
        self._recent = RecentReadings(backbone)
        self._embedder = embedder or Embedder(str(backbone.device))
        self._evidence = EvidenceStore(index_folder(state_dir), self._embedder)
        self._streams: dict[_LeafKey, TokenStream] = {}  # of the last set only
        self._token_counts: dict[_LeafKey, int] = {}
        self._searchers: dict[_Key, Searcher] = {}  # the last one only

    def show_pages(self, shown: ShownPages) -> None:
        """From now on these pages are read as pictures, too."""
        self._stream_store.shown = shown
        self._streams, self._token_counts = {}, {}

    def streams(self, documents: Sequence[Document]) -> list[TokenStream]:
        """One token stream a leaf, in order; those of the last set are kept."""
        leaves = _leaves(documents)
        known, streams = self._streams, dict[_LeafKey, TokenStream]()
        for leaf in leaves:
            key = _leaf_key(leaf)
            streams[key] = streams.get(key) or known.get(key) or self._stream_store.stream(leaf)
            self._token_counts[key] = len(streams[key])
        self._streams = streams
        return [streams[_leaf_key(leaf)] for leaf in leaves]

    def num_tokens(self, documents: Sequence[Document]) -> int:
        """Tokens of the documents' streams."""
        total = 0
        for leaf in _leaves(documents):
            key = _leaf_key(leaf)
            if key not in self._token_counts:
                self._token_counts[key] = len(self._stream_store.stream(leaf))
            total += self._token_counts[key]
        return total

    def tokens_read(self, documents: Sequence[Document]) -> int:
        """Tokens of the documents' streams whose KV is on disk."""
        return sum(map(self.readings.tokens_read, self.streams(documents)))

    def is_exact(self, documents: Sequence[Document]) -> bool:
        """Whether a question can attend to every token of the documents at once, in the trained context."""
        prompts = len(self._prompt.prefix) * len(_leaves(documents))
        return prompts + self.num_tokens(documents) <= self.readings.exact_tokens

    def can_read(self, documents: Sequence[Document]) -> bool:
        """Whether the documents can be read whole, however long that takes."""
        return self.readings.is_position_free or (len(_leaves(documents)) == 1 and self.is_exact(documents))

    def why_not_whole(self, documents: Sequence[Document]) -> str:
        """For people: why a question does not see all of these documents at once."""
        total, exact = self.num_tokens(documents), self.readings.exact_tokens
        return f"{total:,} tokens are more than the {exact:,} that this model can look at in one piece"

    def is_read_whole(self, documents: Sequence[Document]) -> bool:
        """Whether the KV of every token is on disk."""
        return all(self.readings.is_read(stream) for stream in self.streams(documents))

    def is_read(self, documents: Sequence[Document]) -> bool:
        """Whether nothing is left that `read` would do."""
        if not all(self._evidence.is_built(leaf) for leaf in _leaves(documents)):
            return False
        return not self.can_read(documents) or self.is_read_whole(documents)

    def is_indexed(self, leaf: Document) -> bool:
        return self._evidence.is_built(leaf)

    def is_ready(self, documents: Sequence[Document]) -> bool:
        """Whether nothing is left that `prepare` would do."""
        if not all(self._evidence.is_built(leaf) for leaf in _leaves(documents)):
            return False
        return not self.reads_before_answering(documents) or self.is_read_whole(documents)

    def reads_before_answering(self, documents: Sequence[Document]) -> bool:
        """Whether a question waits until the documents are read whole: if one pass of attention can hold them."""
        return self.can_read(documents) and self.is_exact(documents)

    def prepare(
        self, documents: Sequence[Document], cancel: threading.Event | None = None
    ) -> Iterator[ReadingProgress]:
        """What a question needs: the index, and the KV where `reads_before_answering`."""
        yield from self.index(documents, cancel)
        if not (cancel and cancel.is_set()) and self.reads_before_answering(documents):
            yield from self.read_whole(documents, cancel)

    def read(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Indexes, then reads whole where the model can. Yields progress; stops early when `cancel` is set."""
        yield from self.index(documents, cancel)
        if not (cancel and cancel.is_set()) and self.can_read(documents):
            yield from self.read_whole(documents, cancel)

    def read_whole(
        self, documents: Sequence[Document], cancel: threading.Event | None = None
    ) -> Iterator[ReadingProgress]:
        """Reads every leaf that is not read yet; progress is of all together."""
        streams = self.streams(documents)
        prefix = len(self._prompt.prefix)
        total = sum(prefix + len(stream) for stream in streams)
        done = reused = 0
        for stream in streams:
            for step in self.readings.read(stream, cancel):
                reused_here, done_here, rate = step.reused, step.done, step.rate_per_s
                eta_s = step.eta_s + ((total - done - step.total) / rate if rate else 0.0)
                if step.done > step.reused or len(streams) == 1:
                    yield ReadingProgress("read", done + step.done, total, "tokens", rate, eta_s, reused + step.reused)
            done, reused = done + done_here, reused + reused_here
            if cancel and cancel.is_set():
                return
        if len(streams) > 1:
            yield ReadingProgress("read", done, total, "tokens", 0.0, 0.0, reused)

    def session(self, documents: Sequence[Document]) -> SessionKV:
        """The KV of documents that were read whole, opened together. Raises SnapshotRefused."""
        return self.readings.session(self.streams(documents))

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

    def recent(self, documents: Sequence[Document]) -> RecentReadings | None:
        """Where passages of these documents are kept in memory; None: they are too long for that to pay."""
        return self._recent if self.num_tokens(documents) <= MOST_TOKENS else None

    def put_away(self) -> None:
        """Lets go of what it opened last: it is opened again from the disk when it is wanted."""
        self._streams, self._searchers = {}, {}
        self._recent.clear()
        self.readings.put_away()

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes KV and index of the documents from memory and disk; bytes removed."""
        self._streams, self._searchers, self._token_counts = {}, {}, {}
        self._recent.clear()
        removed = self.readings.forget(document_ids) + self._evidence.forget(document_ids)
        return removed + self._stream_store.forget(document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        stored = self.readings.bytes_of(document_ids) + self._evidence.bytes_of(document_ids)
        return stored + self._stream_store.bytes_of(document_ids)

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
    return tuple(map(_leaf_key, _leaves(documents)))


def _leaf_key(leaf: Document) -> _LeafKey:
    return (leaf.id, len(leaf.pages), _chars(leaf))


def _chars(leaf: Document) -> int:
    return sum(len(page.text) for page in leaf.pages) + 1
