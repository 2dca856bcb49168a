"""A leaf document as it is searched: its passages, the pieces that are embedded, and its words, in flat arrays.

Owns how units are put together to pieces, and the arrays; where passages begin and end is `passages.py`'s. A piece is a
sentence, or neighbouring short units of one passage; pieces are what is embedded, because a passage is found better by
its best sentence than by its own vector (docs/BENCHMARKS.md). Flat, so that a file holds it as it is and opening one
makes no objects: a million tokens are 7,000 passages of 39,000 units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from ingest.document import Document
from llm.evidence.lexical import terms
from llm.evidence.passages import Passage, cut, flowing
from llm.evidence.words import Ints, WordIndex

FORMAT = 2  # raise it whenever passages or pieces are made in another way
_PIECE_CHARS = 60  # shorter units are put together; at 120, recall@5 over 5,664 contexts falls from 0.70 to 0.68


@dataclass(frozen=True, slots=True)
class CutLeaf:
    """N passages of U units in M pieces. Ranges are of a page's characters."""

    places: Ints  # (N, 3): page index, start, end
    contexts: Sequence[str]  # (N,)
    defines: Sequence[Sequence[str]]  # (N,) names, sorted
    units: Ints  # (U, 2): start, end
    unit_ends: Ints  # (N,): how many units this passage and those before it have
    pieces: Ints  # (M, 2): start, end
    piece_ends: Ints  # (N,): how many pieces this passage and those before it have
    words: WordIndex

    @classmethod
    def of(cls, document: Document) -> "CutLeaf":
        """Cuts the document: 2 s for a million tokens."""
        passages = list(cut(document))
        pieces = [_pieces(passage) for passage in passages]
        pages = document.pages
        return cls(
            places=_rows([(passage.page_index, passage.start, passage.end) for passage in passages], 3),
            contexts=[passage.context for passage in passages],
            defines=[sorted(passage.defines) for passage in passages],
            units=_rows([unit for passage in passages for unit in passage.units], 2),
            unit_ends=_ends([passage.units for passage in passages]),
            pieces=_rows([piece for group in pieces for piece in group], 2),
            piece_ends=_ends(pieces),
            words=WordIndex.of(terms(passage.search_text(pages[passage.page_index])) for passage in passages),
        )

    def __len__(self) -> int:
        return len(self.places)

    def passage(self, at: int) -> Passage:
        """Passage `at`, as `cut` gave it."""
        page_index, start, end = self.places[at].tolist()
        units = self.units[_range(self.unit_ends, at)].tolist()
        return Passage(page_index, start, end, self.contexts[at], tuple(map(tuple, units)), frozenset(self.defines[at]))

    def pieces_of(self, at: int) -> range:
        """The pieces of passage `at`, never none."""
        piece = _range(self.piece_ends, at)
        return range(piece.start, piece.stop)

    @property
    def piece_starts(self) -> Ints:
        """(N,): the first piece of each passage."""
        return np.concatenate((np.zeros(min(1, len(self)), np.int32), self.piece_ends[:-1]))

    def piece_texts(self, document: Document) -> list[str]:
        """What is embedded, in the order of the pieces."""
        pages = np.repeat(self.places[:, 0], np.diff(self.piece_ends, prepend=0))  # (M,)
        return [
            flowing(document.pages[page].text[start:end])
            for page, (start, end) in zip(pages.tolist(), self.pieces.tolist(), strict=True)
        ]


def _pieces(passage: Passage) -> list[tuple[int, int]]:
    pieces: list[tuple[int, int]] = []
    start = None
    for low, high in passage.units:
        start = low if start is None else start
        if high - start >= _PIECE_CHARS or high == passage.end:
            pieces.append((start, high))
            start = None
    return pieces


def _rows(rows: Sequence[Sequence[int]], width: int) -> Ints:
    return np.array(rows, np.int32).reshape(-1, width)


def _ends(groups: Sequence[Sequence[object]]) -> Ints:
    return np.array(list(accumulate(map(len, groups))), np.int32)


def _range(ends: Ints, at: int) -> slice:
    return slice(int(ends[at - 1]) if at else 0, int(ends[at]))
