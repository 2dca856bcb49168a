"""Which passages have which words, and how much that says: BM25 over any set of leaf documents.

A `WordIndex` belongs to one leaf and knows counts only, so it can stand on disk and be searched beside any others; what
depends on the set (how many passages have a term, how long passages are on average) is added up when it is searched.
Scores are Lucene's BM25, as bm25s computes it (a test compares them), which can search one set only, once indexed.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

_K1, _B = 1.2, 0.75  # flat around here: recall@5 within 0.006 for k1 0.6-2.0 and b 0.5-0.9

Ints = NDArray[np.int32]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WordIndex:
    """The terms of N passages of one leaf. Term i is in passages[starts[i]:starts[i + 1]], `counts` times in each."""

    vocabulary: Sequence[str]  # (V,) sorted
    starts: Ints  # (V + 1,)
    passages: Ints  # (P,)
    counts: Ints  # (P,)
    lengths: Ints  # (N,) terms of each passage; 1 where there are none

    @classmethod
    def of(cls, terms_of_passages: Iterable[Sequence[str]]) -> "WordIndex":
        """From the terms of each passage, repeated as they occur."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = []
        for passage, terms in enumerate(terms_of_passages):
            lengths.append(max(1, len(terms)))
            for term, count in Counter(terms).items():
                found[term].append((passage, count))
        vocabulary = sorted(found)
        rows = np.array([row for term in vocabulary for row in found[term]], np.int32).reshape(-1, 2)  # (P, 2)
        starts = np.array([0, *accumulate(len(found[term]) for term in vocabulary)], np.int32)
        return cls(vocabulary, starts, rows[:, 0].copy(), rows[:, 1].copy(), np.array(lengths, np.int32))

    def rows(self, term: str) -> slice:
        """Where `passages` and `counts` speak of a term; an empty slice for one that no passage has."""
        at = bisect_left(self.vocabulary, term)
        if at == len(self.vocabulary) or self.vocabulary[at] != term:
            return slice(0, 0)
        return slice(int(self.starts[at]), int(self.starts[at + 1]))


class WordSearch:
    """Several leaves searched as one; their passages are numbered through, in order."""

    def __init__(self, indexes: Sequence[WordIndex]) -> None:
        self._indexes = indexes
        self._firsts = [0, *accumulate(len(index.lengths) for index in indexes)]
        lengths = np.concatenate([index.lengths for index in indexes]) if indexes else np.empty(0, np.int32)
        mean = lengths.mean() if len(lengths) else 1.0
        self._damping = (_K1 * (1 - _B + _B * lengths / mean)).astype(np.float32)  # (N,)

    @property
    def num_passages(self) -> int:
        return self._firsts[-1]

    def idf(self, term: str) -> float:
        """What a term weighs, as in Lucene's BM25; one that no passage has weighs most."""
        found_in = sum(len(passages) for passages, _ in self._found(term))
        return math.log(1 + (self.num_passages - found_in + 0.5) / (found_in + 0.5))

    def scores(self, terms: Iterable[str]) -> Scores:
        """BM25 of every passage, (N,)."""
        total = np.zeros(self.num_passages, np.float32)
        for term in terms:
            idf = self.idf(term)
            for passages, counts in self._found(term):
                total[passages] += idf * counts / (counts + self._damping[passages])
        return total

    def _found(self, term: str) -> Iterator[tuple[Ints, Ints]]:
        """Of each leaf that has the term: the numbers of its passages, and how often they have it."""
        for first, index in zip(self._firsts, self._indexes, strict=False):
            rows = index.rows(term)
            if rows.stop:
                yield index.passages[rows] + first, index.counts[rows]
