"""Ranking: which passages of a set of documents a question is about, best first.

Two stages. All passages: BM25 (as a share of the best) plus the cosine of the best piece; a code passage that defines
a name asked about gets a bonus. The best 60 of those: two more numbers, the share of the question's idf weight that
one piece covers, and the share of its neighbouring word pairs that stand side by side in one. The mix was fitted by a
softmax over the candidates of 600 SQuADShifts questions and measured on 600 others (docs/BENCHMARKS.md;
`python -m tests.bench.evidence_quality`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ingest.document import Document
from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceIndex
from llm.evidence.lexical import question_terms, terms
from llm.evidence.passages import Passage, flowing
from llm.evidence.words import Scores, WordSearch

_CANDIDATES = 60
_WEIGHT_LEXICAL, _WEIGHT_COVERED, _WEIGHT_PAIRS = 0.4, 0.37, 0.23  # beside 1.0 for the cosine
_WEIGHT_DEFINES = 0.8  # where the passage defines a name asked about: recall@1 over 697 passages 0.44 -> 0.99
_ASKS_WHERE_DEFINED = re.compile(r"\b(?:defin|declar|implement)\w*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ScoredPiece:
    """Characters [start, end) of a passage's page; its cosine with the question, and the idf weight it covers."""

    start: int
    end: int
    cosine: float
    covered: float  # share of the question's idf weight


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with the numbers that ranked it. Shares are of the question's idf weight, 0 to 1."""

    passage: Passage
    document: Document
    score: float
    lexical: float  # BM25 over the most that the question's terms could give
    cosine: float  # of the best piece
    covered: float  # share covered by the best piece
    covered_by_passage: float
    pairs: float  # share of the question's neighbouring word pairs that stand side by side in one piece
    pieces: tuple[ScoredPiece, ...]
    term_weights: dict[str, float]  # idf of each term of the question
    num_passages: int  # among which it was ranked

    @property
    def text(self) -> str:
        return self.document.pages[self.passage.page_index].text[self.passage.start : self.passage.end]


@dataclass(frozen=True, slots=True)
class _Question:
    vector: torch.Tensor  # (WIDTH,) float16
    weights: dict[str, float]  # idf of each term
    pairs: frozenset[tuple[str, str]]
    num_passages: int

    def share(self, found: set[str]) -> float:
        total = sum(self.weights.values())
        return sum(weight for term, weight in self.weights.items() if term in found) / total if total else 0.0


class Searcher:
    """Several indexes searched as one."""

    def __init__(self, indexes: Sequence[EvidenceIndex], embedder: Embedder) -> None:
        self._embedder = embedder
        self._indexes = [index for index in indexes if len(index.cut)]
        self._places = [(index, at) for index in self._indexes for at in range(len(index.cut))]
        self._words = WordSearch([index.cut.words for index in self._indexes])
        self._definitions: dict[str, list[int]] = {}
        for place, (index, at) in enumerate(self._places):
            for name in index.cut.defines[at]:
                self._definitions.setdefault(name, []).append(place)

    def rank(self, question: str, top_k: int) -> list[Ranked]:
        """At most `top_k` passages, best first; none only where the documents have no text."""
        if not self._places:
            return []
        asked = self._asked(question)
        lexical = self._words.scores(asked.weights)
        cosines = [(index.vectors @ asked.vector).float().numpy() for index in self._indexes]  # each (N,)
        best_cosines = np.concatenate([_best_of_passage(*pair) for pair in zip(self._indexes, cosines, strict=True)])
        relative = lexical / max(float(lexical.max()), 1e-6)
        rough = _WEIGHT_LEXICAL * relative + best_cosines
        rough[self._defining(question)] += _WEIGHT_DEFINES
        chosen = np.argsort(-rough, kind="stable")[: max(_CANDIDATES, top_k)]
        by_index = {id(index): values for index, values in zip(self._indexes, cosines, strict=True)}
        weight = sum(asked.weights.values()) or 1.0
        ranked = []
        for place in chosen:
            index, at = self._places[place]
            ranked.append(
                _ranked(index, at, asked, float(rough[place]), float(lexical[place]) / weight, by_index[id(index)])
            )
        return sorted(ranked, key=lambda item: -item.score)[:top_k]

    def _defining(self, question: str) -> list[int]:
        """Where names of the question are defined: any name if it asks for that, else names that are no plain word."""
        asks = _ASKS_WHERE_DEFINED.search(question)
        names = {name for name in re.findall(r"\w+", question) if asks or len(terms(name)) > 1}
        return [place for name in names for place in self._definitions.get(name, ())]

    def _asked(self, question: str) -> _Question:
        vectors = self._embedder.embed([question])
        assert vectors is not None, "embedding one question is not cancelled"
        words = question_terms(question)
        pairs = frozenset(pairwise(terms(question)))
        return _Question(vectors[0].half(), {word: self._words.idf(word) for word in words}, pairs, len(self._places))


def _best_of_passage(index: EvidenceIndex, cosines: Scores) -> Scores:
    best: Scores = np.maximum.reduceat(cosines, index.cut.piece_starts)
    return best


def _ranked(index: EvidenceIndex, at: int, asked: _Question, rough: float, lexical: float, cosines: Scores) -> Ranked:
    passage = index.cut.passage(at)
    page = index.document.pages[passage.page_index]
    pieces, pairs = [], 0
    for number in index.cut.pieces_of(at):
        start, end = index.cut.pieces[number].tolist()
        words = terms(flowing(page.text[start:end]))
        pairs = max(pairs, len(asked.pairs.intersection(pairwise(words))))
        pieces.append(ScoredPiece(start, end, float(cosines[number]), asked.share(set(words))))
    covered = max(piece.covered for piece in pieces)
    pair_share = pairs / len(asked.pairs) if asked.pairs else 0.0
    return Ranked(
        passage,
        index.document,
        score=rough + _WEIGHT_COVERED * covered + _WEIGHT_PAIRS * pair_share,
        lexical=lexical,
        cosine=max(piece.cosine for piece in pieces),
        covered=covered,
        covered_by_passage=asked.share(set(terms(passage.search_text(page)))),
        pairs=pair_share,
        pieces=tuple(pieces),
        term_weights=asked.weights,
        num_passages=asked.num_passages,
    )
