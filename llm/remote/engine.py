"""The remote engine: the methods of `llm.Engine`, with a server in the model's place.

Documents are indexed here and never read into KV of our own; the server's prefix cache is what makes a second question
cheap, and what it reports as reused is what an answer's timing shows.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.document import Document
from llm.answer import Answer, AskOptions, Citation, Coverage, Event, ExpertUse, ModelName, ReadingProgress
from llm.citing import cited
from llm.coverage import coverage_of
from llm.errors import BadQuestion
from llm.evidence.embedding import Embedder
from llm.fitting import Memory, Pictures
from llm.pages import PageSource
from llm.remote.address import parse
from llm.remote.asking import RemoteAsking
from llm.remote.client import RemoteClient
from llm.remote.desk import RemoteDesk, leaves_of
from llm.remote.pictures import RemotePictures

if TYPE_CHECKING:
    from llm.attribution import Influence


class RemoteEngine:
    """Several threads may ask at once; documents are indexed by one at a time."""

    def __init__(
        self,
        client: RemoteClient,
        state_dir: Path,
        *,
        limit_tokens: int | None = None,
        embedder: Embedder | None = None,
        page_px: int = 1024,
        has_tools: bool = False,
    ) -> None:
        """`page_px`: the longer side of page images, if pages are shown. `has_tools`: the model may search."""
        self._page_px, self._has_tools = page_px, has_tools
        self._client, self._limit_tokens = client, limit_tokens
        self._desk = RemoteDesk(client, state_dir, limit_tokens, embedder)
        self._busy = threading.Lock()
        self.model = ModelName(f"openai:{client.url}#{client.model}", client.url + (" with tools" if has_tools else ""))

    @classmethod
    def connect(
        cls,
        name: str,
        *,
        state_dir: Path,
        api_key: str | None,
        timeout_s: float,
        limit_tokens: int | None,
        page_px: int = 1024,
        has_tools: bool = False,
    ) -> "RemoteEngine":
        """Raises ModelNotFound when no server answers at the address, or it serves no such model."""
        client = RemoteClient(parse(name), api_key=api_key, timeout_s=timeout_s)
        return cls(client, state_dir, limit_tokens=limit_tokens, page_px=page_px, has_tools=has_tools)

    def beside(self, state_dir: Path) -> "RemoteEngine":
        """The same server for another folder; of what either has indexed, the other sees nothing."""
        return RemoteEngine(
            self._client, state_dir, limit_tokens=self._limit_tokens, embedder=self._desk.embedder,
            page_px=self._page_px, has_tools=self._has_tools,
        )  # fmt: skip

    def show_pages(self, source: PageSource, *, all_pages: bool, page_px: int | None = None) -> None:
        """Sends pages as pictures, too, made by `source`: all that have one, or those without exact text."""
        self._desk.pictures = RemotePictures(source, all_pages, page_px or self._page_px)

    def pictures(self, documents: Sequence[Document], sizes_px: Sequence[int]) -> Pictures | None:
        """None: only the server knows how many tokens it makes of a picture."""
        return None

    def memory(self, num_tokens: int) -> Memory | None:
        """None: it is the server's."""
        return None

    @property
    def expert_use(self) -> ExpertUse | None:
        """None: the server knows."""
        return None

    @property
    def context_tokens(self) -> int:
        return self._desk.limit_tokens

    @property
    def exact_tokens(self) -> int:
        """How many tokens of documents one prompt can hold."""
        return max(0, self._desk.room("", AskOptions().max_new_tokens))

    def count_tokens(self, text: str) -> int:
        return self._client.count_tokens(text)

    def read(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        """Indexes the documents; there is nothing else to read ahead for a server."""
        with self._busy:
            yield from self._desk.index(documents, cancel)

    def prepare(
        self, documents: Sequence[Document], cancel: threading.Event | None = None
    ) -> Iterator[ReadingProgress]:
        """The same as `read`."""
        yield from self.read(documents, cancel)

    def is_ready(self, documents: Sequence[Document]) -> bool:
        return self._desk.is_indexed(documents)

    def is_read(self, documents: Sequence[Document]) -> bool:
        return self._desk.is_indexed(documents)

    def tokens_read(self, documents: Sequence[Document]) -> int:
        """All of them or none: a server keeps what it likes."""
        return self._desk.num_tokens(documents) if self.is_read(documents) else 0

    def search(self, documents: Sequence[Document], query: str, limit: int) -> tuple[Citation, ...]:
        """The passages that fit the query best, best first; of documents that are indexed already."""
        indexed = [leaf for leaf in leaves_of(documents) if self._desk.is_indexed([leaf])]
        if not indexed:
            return ()
        with self._busy:
            return cited(self._desk.searcher(indexed).rank(query, limit), None, limit=limit)

    def ask(
        self,
        documents: Sequence[Document],
        question: str,
        options: AskOptions | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Answers from the documents. Raises BadQuestion, ContextOverflow, RemoteEngineFailed."""
        if not question.strip():
            raise BadQuestion("the question is empty; write what you want to know")
        if not documents:
            raise BadQuestion("no document was given to ask about; name at least one")
        asking = RemoteAsking(
            self._client, self._desk, self.model, documents, question, options or AskOptions(), cancel,
            has_tools=self._has_tools,
        )  # fmt: skip
        yield from asking.events()

    def influences(self, documents: Sequence[Document], answer: Answer) -> "tuple[Influence, ...]":
        """Raises BadQuestion always: there is no looking into a server's model."""
        raise BadQuestion(
            f"the influence of a text on an answer of {self.model.name} cannot be weighed, as a server wrote it; ask a "
            "model of this machine"
        )

    def coverage(self, documents: Sequence[Document]) -> Coverage:
        """What a question about the documents would see, without asking."""
        total = self._desk.num_tokens(documents)
        whole = total <= self.exact_tokens
        return coverage_of(
            documents,
            tokens_total=total,
            tokens_read=total if whole else 0,
            pages_seen=None if whole else (),
            shortened=None if whole else self._desk.why_not_whole(documents),
        )

    def forget(self, document_ids: Collection[str]) -> int:
        """Removes the index of the documents; bytes removed. What a server keeps in its cache is not ours to remove."""
        with self._busy:
            return self._desk.forget(document_ids)

    def stored_bytes(self, *document_ids: str) -> int:
        return self._desk.bytes_of(document_ids)
