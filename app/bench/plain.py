"""Plain retrieval-augmented generation, to measure the engine against: the best five contexts, one prompt, one answer.

Two rankings: cosine of all-MiniLM-L6-v2, and BM25 over stemmed words. A context is a chunk: contexts have about 180
tokens, as the chunks of common stacks do, and no border cuts an answer. That serves these rivals best: the right one is
among five of a 64k haystack for .70 of the questions with MiniLM and .80 with BM25, against .62 and .74 for chunks of
200 tokens that overlap by 50 (300 questions, 2026-11-22). Their prompt is the engine's own, of `compose`:
document order, each context below its page's label.
"""

from collections.abc import Sequence

import bm25s  # type: ignore[import-untyped]
import torch

from ingest.document import Document
from llm.close_reading import Excerpt, compose
from llm.evidence.embedding import WIDTH, Embedder
from llm.evidence.lexical import question_terms, terms
from llm.prompt import Prompt

TOP = 5


class Vectors:
    """Embedded texts, each once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, torch.Tensor] = {}

    def of(self, texts: Sequence[str]) -> torch.Tensor:
        """(N, WIDTH), unit length."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            vectors = self._embedder.embed(missing)
            assert vectors is not None, "embedding is not cancelled"
            self._known.update(zip(missing, vectors, strict=True))
        return torch.stack([self._known[text] for text in texts]) if texts else torch.empty(0, WIDTH)


class Dense:
    """Pages of a document by the cosine of their text with the question."""

    def __init__(self, document: Document, vectors: Vectors) -> None:
        self._pages = vectors.of([page.text for page in document.pages])
        self._vectors = vectors

    def best(self, question: str) -> list[int]:
        """Indexes of the TOP best pages, best first."""
        cosines = self._pages @ self._vectors.of([question])[0]
        return [int(index) for index in cosines.argsort(descending=True, stable=True)[:TOP]]


class Lexical:
    """Pages of a document by BM25."""

    def __init__(self, document: Document) -> None:
        self._num_pages = len(document.pages)
        self._bm25 = bm25s.BM25()
        self._bm25.index([terms(page.text) or [""] for page in document.pages], show_progress=False)

    def best(self, question: str) -> list[int]:
        """Indexes of the TOP best pages, best first."""
        known = [term for term in question_terms(question) if term in self._bm25.vocab_dict]
        if not known:
            return list(range(min(TOP, self._num_pages)))
        scores = torch.from_numpy(self._bm25.get_scores(known))
        return [int(index) for index in scores.argsort(descending=True, stable=True)[:TOP]]


def shown(document: Document, page_indexes: Sequence[int], prompt: Prompt) -> Sequence[int]:
    """Token ids of a short document of these pages, whole, in document order."""
    excerpts = [Excerpt(document, 0, index, 0, len(document.pages[index].text)) for index in page_indexes]
    return compose(
        excerpts, prompt, budget_tokens=sum(len(prompt.encode(each.text)) + 64 for each in excerpts)
    ).token_ids
