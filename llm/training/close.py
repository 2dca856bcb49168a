"""Close readings to learn from: a passage that answers, among passages that a search finds for the same questions.

The document looks as `llm.close_reading` writes it: pieces as `llm.evidence.passages` cuts them, those of one page
behind its label. The other pieces are what BM25 ranks best for the questions asked, from other contexts of the same
kind that the caller handed over, so never of another part of the data. Unanswered questions belong to a context that
the search finds too, and that is left out.

Guarantees: the text of an unanswered question's answers stands nowhere in the document, and no piece holds all the
words it asks for. The answer of an answered question may stand in another piece as well: it is right wherever it is
read. No piece comes from a context of which one of the questions is asked as well.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import bm25s  # type: ignore[import-untyped]
import numpy as np

from ingest.document import Document, Kind, Page
from llm.evidence.lexical import question_terms, terms
from llm.evidence.passages import cut
from llm.prompt import NOT_FOUND, label
from llm.training.examples import FILE_NAMES, Asked, Example, is_unanswered, num_unanswered
from llm.training.sources import AskedTogether, Passage, Question

_MOST_OTHERS = 8
_MOST_RANKED = 60
_NEIGHBOURS = 8  # the context that is left out is one of the nearest
_SKIPPED_SHARE = 0.2  # of the pieces found, so that a question does not always meet the same ones
_LARGEST_SHARE = 0.7  # of the document that its answering pieces may take
_MOST_TOKENS = 2_000
_LABEL_TOKENS = 12
_TABLE_KINDS = ("wtq", "tatqa", "fetaqa")  # a part of a table without its head answers little


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a context. `number` counts the pieces of that context from 0."""

    source: Passage
    number: int
    text: str

    @property
    def says(self) -> str:
        """All that the model reads of it: the file it stands in answers questions, too."""
        return f"{self.source.name}\n{self.text}" if self.source.name else self.text


class _Index:
    """The pieces of all contexts of one kind, searched by BM25."""

    def __init__(self, contexts: Sequence[Passage]) -> None:
        self.together = AskedTogether(contexts)
        self._pieces: list[Piece] = []
        self._of: dict[str, list[Piece]] = {}  # by the text of the context
        search_terms: list[list[str]] = []
        for context in contexts:
            kind = Kind.CODE if context.kind == "code" else Kind.TEXT
            page = Page(1, context.context)
            passages = list(cut(Document(id="", name=context.name or "", kind=kind, pages=(page,))))
            pieces = [Piece(context, n, page.text[p.start : p.end].strip()) for n, p in enumerate(passages)]
            self._of[context.context] = pieces
            self._pieces += pieces
            search_terms += [terms(passage.search_text(page)) or [""] for passage in passages]
        self._bm25 = bm25s.BM25(k1=1.2, b=0.75)  # as llm.evidence.ranking
        self._bm25.index(search_terms, show_progress=False)

    def of(self, context: Passage) -> list[Piece]:
        return self._of[context.context]

    def rank(self, questions: Iterable[str]) -> Iterator[Piece]:
        """The pieces nearest to any of the questions, nearest first."""
        best = np.zeros(len(self._pieces), dtype=np.float32)
        for question in questions:
            known = [term for term in question_terms(question) if term in self._bm25.vocab_dict]
            if known:
                scores = self._bm25.get_scores(known)
                best = np.maximum(best, scores / max(float(scores.max()), 1e-6))
        for place in np.argsort(-best, kind="stable")[:_MOST_RANKED]:
            if best[place] > 0:
                yield self._pieces[place]


class CloseReadings:
    """Makes examples from the contexts of one part of the data. Forms cannot be used: each asks the same."""

    def __init__(self, passages: Mapping[str, Sequence[Passage]], count_tokens: Callable[[str], int]) -> None:
        self._passages, self._count_tokens = passages, count_tokens
        self._indexes: dict[str, _Index] = {}

    def example(
        self,
        asked_of: Sequence[tuple[Passage, Sequence[Asked]]],
        budget_tokens: int,
        rng: random.Random,
        *,
        apart: bool = False,
    ) -> Example | None:
        """Contexts of one kind and what is asked of each, among others in a document of about that many tokens.

        Large contexts make a longer document, up to 2,000 tokens. None: they are larger than that, or nothing can be
        asked of their pieces. Unanswered questions are added. `apart`: what has a label of its own was read alone.
        """
        index = self._index(asked_of[0][0].kind)
        golds, shown, asked = [gold for gold, _ in asked_of], [], []
        for gold, wanted in asked_of:
            pieces = index.of(gold)
            survivors = [item for item in wanted if _survives_cutting(item, gold, pieces)]
            shown += self._answering(pieces, survivors, budget_tokens, rng) if survivors else []
            asked += survivors
        budget = max(budget_tokens, round(self._cost(shown) / _LARGEST_SHARE))
        if not asked or budget > _MOST_TOKENS:
            return None
        left_out = _left_out(index, golds, shown, asked, rng)
        shown += self._others(index, golds, asked, left_out, budget - self._cost(shown), rng)
        everything = [*asked, *(Asked(question.text, NOT_FOUND, source.kind) for source, question in left_out)]
        rng.shuffle(everything)
        return Example.of_parts(labelled(shown, rng), everything, apart=apart)

    def near(self, gold: Passage, asked: Sequence[Asked]) -> list[Passage]:
        """The contexts that a search for the questions finds beside their own, nearest first; none asks the same."""
        return _near(self._index(gold.kind), [gold], {item.question for item in asked})

    def _index(self, kind: str) -> _Index:
        if kind not in self._indexes:
            self._indexes[kind] = _Index(self._passages[kind])
        return self._indexes[kind]

    def _cost(self, pieces: Iterable[Piece]) -> int:
        return sum(self._count_tokens(piece.text) + _LABEL_TOKENS for piece in pieces)

    def _answering(
        self, pieces: list[Piece], asked: Sequence[Asked], budget_tokens: int, rng: random.Random
    ) -> list[Piece]:
        """The pieces of a context that hold an answer, or all of them: always of a table, half the time of a text."""
        answers = [item.answer for item in asked]
        holding = [piece for piece in pieces if any(answer in piece.text for answer in answers)]
        written = all(any(answer in piece.says for piece in pieces) for answer in answers)
        if pieces[0].source.kind in _TABLE_KINDS or not holding or not written:
            return list(pieces)
        fits = self._cost(pieces) <= _LARGEST_SHARE * budget_tokens
        return list(pieces) if fits and rng.random() < 0.5 else holding

    def _others(
        self,
        index: _Index,
        golds: Sequence[Passage],
        asked: Sequence[Asked],
        left_out: Sequence[tuple[Passage, Question]],
        free_tokens: int,
        rng: random.Random,
    ) -> list[Piece]:
        """The best found pieces of other contexts that fit, none of which answers what shall stay unanswered."""
        questions = {*(item.question for item in asked), *(question.text for _, question in left_out)}
        hidden = {*(gold.context for gold in golds), *(source.context for source, _ in left_out)}
        others: list[Piece] = []
        for piece in index.rank(sorted(questions)):
            if len(others) == _MOST_OTHERS:
                break
            if piece.source.context in hidden or _asks_one(piece.source, questions) or rng.random() < _SKIPPED_SHARE:
                continue
            cost = self._cost([piece])
            clear = all(
                is_unanswered(question, source.kind, [piece.says])
                and not index.together.may_answer(question.text, piece.source)
                for source, question in left_out
            )
            if clear and cost <= free_tokens:
                others.append(piece)
                free_tokens -= cost
        return others


def _asks_one(source: Passage, questions: Set[str]) -> bool:
    return any(question.text in questions for question in source.questions)


def _near(index: _Index, golds: Sequence[Passage], questions: Set[str]) -> list[Passage]:
    own = {gold.context for gold in golds}
    near: dict[str, Passage] = {}
    for piece in index.rank(sorted(questions)):
        if piece.source.context not in own and not _asks_one(piece.source, questions):
            near.setdefault(piece.source.context, piece.source)
    return list(near.values())[:_NEIGHBOURS]


def _survives_cutting(item: Asked, gold: Passage, pieces: Sequence[Piece]) -> bool:
    """Whether an answer that stands in the context still stands in one of its pieces."""
    return item.answer not in gold.context or any(item.answer in piece.text for piece in pieces)


def _left_out(
    index: _Index, golds: Sequence[Passage], shown: Sequence[Piece], asked: Sequence[Asked], rng: random.Random
) -> list[tuple[Passage, Question]]:
    """Questions that `shown` does not answer, of contexts near to those asked; as many as shall stay unanswered."""
    wanted = num_unanswered(asked, rng)
    near = _near(index, golds, {item.question for item in asked})
    known = {question.text for gold in golds for question in gold.questions}
    found: list[tuple[Passage, Question]] = []
    for source in rng.sample(near, len(near)):
        for question in rng.sample(source.questions, len(source.questions)):
            if len(found) == wanted:
                return found
            is_new = question.answers and question.text not in known
            is_foreign = not any(index.together.may_answer(question.text, gold) for gold in golds)
            if is_new and is_foreign and is_unanswered(question, source.kind, [piece.says for piece in shown]):
                found.append((source, question))
                known.add(question.text)
    return found


def labelled(shown: Sequence[Piece], rng: random.Random) -> list[str]:
    """The pieces as a close reading shows them: contexts in any order, as pages or files, each piece in its place.

    One text of each page or file, which begins with its label.
    """
    sources = list({piece.source.context: piece.source for piece in shown}.values())
    rng.shuffle(sources)
    if sources[0].kind == "code":
        sources.sort(key=lambda source: source.name or "")  # what is of one file stands together
    parts: list[str] = []
    above = ""
    for source, its_label in zip(sources, _labels(sources, rng), strict=True):
        if its_label != above:
            parts.append(its_label)
            above = its_label
        of_source = [piece for piece in shown if piece.source.context == source.context]
        parts[-1] += "".join(piece.text + "\n\n" for piece in sorted(of_source, key=lambda piece: piece.number))
    return parts


def _labels(sources: Sequence[Passage], rng: random.Random) -> list[str]:
    """A label for each: pages of one file, one file without pages, or different files."""
    if sources[0].name is not None:
        return [label(source.name or "") for source in sources]
    name, style = rng.choice(FILE_NAMES), rng.random()
    if style < 0.55:
        first = rng.randint(1, 300)
        return [label(name, page_no) for page_no in sorted(rng.choices(range(first, first + 40), k=len(sources)))]
    if style < 0.8:
        return [label(name)] * len(sources)
    names = rng.sample(FILE_NAMES, len(sources))
    return [label(name, rng.choice((None, 1, rng.randint(2, 60)))) for name in names]
