"""Documents laid out for a remote engine: indexed here, counted in the server's tokens. One caller at a time."""

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ingest.document import Document
from llm.answer import ReadingProgress
from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceStore
from llm.evidence.ranking import Ranked, Searcher
from llm.remote.client import RemoteClient
from llm.remote.pictures import RemotePictures
from llm.remote.prompt import leaf_text, messages_of
from llm.storage import index_folder

_SPARE_TOKENS = 128  # of the context, for the chat template and for counting otherwise than the server
ASSUMED_TOKENS = 8192  # where neither the server nor the person says how long a prompt may be


class RemoteDesk:
    """The index is that of every other engine, so what a local model indexed is not indexed again."""

    def __init__(
        self, client: RemoteClient, state_dir: Path, limit_tokens: int | None, embedder: Embedder | None = None
    ) -> None:
        """`limit_tokens`: what the person says of the server's context; None: what the server says."""
        self._client = client
        self.limit_tokens = limit_tokens or client.limit_tokens or ASSUMED_TOKENS
        self.embedder = embedder or Embedder()
        self._evidence = EvidenceStore(index_folder(state_dir), self.embedder)
        self._counts: dict[tuple[str, int, int], int] = {}
        self.pictures: RemotePictures | None = None  # which pages are sent as pictures
        self._searcher: tuple[tuple[str, ...], Searcher] | None = None

    def is_indexed(self, documents: Sequence[Document]) -> bool:
        return all(self._evidence.is_built(leaf) for leaf in leaves_of(documents))

    def index(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Embeds what is not embedded yet, document by document."""
        missing = [leaf for leaf in leaves_of(documents) if not self._evidence.is_built(leaf)]
        total, done, started = sum(map(_chars, missing)), 0, time.perf_counter()
        for leaf in missing:
            if not self._evidence.build(leaf, cancel=cancel):
                return
            done += _chars(leaf)
            rate = done / max(time.perf_counter() - started, 1e-6)
            yield ReadingProgress("index", done, total, "characters", rate, (total - done) / rate)

    def searcher(self, documents: Sequence[Document]) -> Searcher:
        """All documents as one index."""
        leaves = leaves_of(documents)
        key = tuple(f"{leaf.id} {len(leaf.pages)} {_chars(leaf)}" for leaf in leaves)
        if self._searcher is None or self._searcher[0] != key:
            self._searcher = key, Searcher([self._evidence.load(leaf) for leaf in leaves], self.embedder)
        return self._searcher[1]

    def rank(self, documents: Sequence[Document], query: str, limit: int) -> list[Ranked]:
        """The passages that fit a query best. Does not change which documents `searcher` has at hand."""
        kept = self._searcher
        try:
            return self.searcher(documents).rank(query, limit)
        finally:
            self._searcher = kept or self._searcher

    def num_tokens(self, documents: Sequence[Document]) -> int:
        """Of the documents' texts, as the server counts, and of their pictures, about."""
        leaves = leaves_of(documents)
        return sum(map(self._count, leaves)) + (self.pictures.num_tokens(leaves) if self.pictures else 0)

    def room(self, question: str, max_new_tokens: int) -> int:
        """Tokens that are left for documents."""
        around = sum(self._client.count_tokens(message["content"]) for message in messages_of("", question))
        return self.limit_tokens - max_new_tokens - _SPARE_TOKENS - around

    def why_not_whole(self, documents: Sequence[Document]) -> str:
        """For people: why a question does not see all of these documents at once."""
        return (
            f"{self.num_tokens(documents):,} tokens are more than fit into one prompt of the server, which takes "
            f"{self.limit_tokens:,} with question and answer"
        )

    def forget(self, document_ids: Collection[str]) -> int:
        self._searcher = None
        return self._evidence.forget(document_ids)

    def bytes_of(self, document_ids: Collection[str]) -> int:
        return self._evidence.bytes_of(document_ids)

    def _count(self, leaf: Document) -> int:
        key = (leaf.id, len(leaf.pages), _chars(leaf))
        if key not in self._counts:
            self._counts[key] = self._client.count_tokens(leaf_text(leaf))
        return self._counts[key]


def leaves_of(documents: Sequence[Document]) -> list[Document]:
    return [leaf for document in documents for leaf in document.leaves()]


def _chars(leaf: Document) -> int:
    return sum(len(page.text) for page in leaf.pages) + 1
