"""Questions in a haystack: how answers hold up while the document around the right context grows.

Four ways answer the same questions with the same model: this engine over the whole haystack, retrieval-augmented
generation with MiniLM or with BM25 (`app.bench.plain`), and the right context alone as ceiling. Scores are SQuAD's
(`llm.training.scores`); refusing an answered question scores 0.
"""

import hashlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.bench.corpus import contexts, document
from app.bench.journal import Journal
from app.bench.plain import Dense, Lexical, Vectors, shown
from app.bench.pools import Haystack, PoolQuestion, Pools, draw_questions
from app.bench.report import Report
from app.bench.subject import OnText, Stretch, Subject, code_digest
from ingest.document import Document
from llm.answer import AskOptions, Citation
from llm.evidence.embedding import Embedder
from llm.prompt import NOT_FOUND
from llm.training.scores import exact, f1, is_refusal

WAYS = ("engine", "rag", "bm25", "gold")
MAX_NEW_TOKENS = 48  # the longest answers of SQuADShifts have about 30
_NOTE = (
    "F1 / exact match on SQuADShifts questions about contexts that no training saw, against the length of the document "
    "around the right context. rag: the five contexts nearest by MiniLM; bm25: the five best by BM25; gold: the right "
    "context alone; all with the same model and prompt. ahead: mean difference of F1 and its standard error. in view: "
    "share of questions whose right context gave one of the engine's three evidence sentences / was among the contexts "
    "of rag / of bm25. selected: a KV block of the right context was selected by some layer. evidence: share of the "
    "engine's right answers (F1 of at least 0.5) whose first citation / any citation is a sentence with the answer in "
    "the right context."
)

_RIGHT = 0.5  # F1 from which an answer counts as right

_Row = dict[str, Any]


class HaystackBench:
    """One run. What an earlier run in the same folder has found is not computed again.

    The engine's answers are kept for one state of the code, those of its rivals for one model.
    """

    def __init__(self, subject: Subject, data: Path, work_dir: Path, *, questions: int, seed: int) -> None:
        """Raises BadRequest where the data has not so many questions."""
        self._subject = subject
        passages = contexts(data)
        asked = draw_questions(passages, questions, seed)
        self.pools = Pools(passages, asked, seed, subject.count_tokens)
        self._vectors = Vectors(Embedder())
        self._said = Journal(work_dir, "haystack-rivals", {"model": subject.identity})
        depends_on = {"model": subject.identity, "kv": subject.kv_dtype, "code": code_digest()}
        self._rows = Journal(work_dir, "haystack-engine", depends_on)

    def run(self, sizes: Sequence[int], on_text: OnText) -> Report:
        """Every size in turn."""
        by_size: dict[int, list[_Row]] = {}
        for size in sizes:
            found = [row for haystack in self.pools.of_size(size) for row in self._ask_all(haystack, size, on_text)]
            by_size[size] = found
            on_text(f"{size:,} tokens: F1 " + ", ".join(f"{way} {scores(found)[way]['f1']}" for way in WAYS))
        return Report(
            "Questions in a haystack",
            self._subject.model,
            [line(size, found) for size, found in by_size.items()],
            _NOTE,
            {
                "all_contexts_tokens": self.pools.num_tokens,
                "scores": {size: scores(found) for size, found in by_size.items()},
                "answers": by_size,
            },
        )

    def _ask_all(self, haystack: Haystack, size: int, on_text: OnText) -> Iterator[_Row]:
        keys = {question: f"{haystack.document.id} {question.key}" for question in haystack.questions}
        missing = [question for question, key in keys.items() if self._rows.get(key) is None]
        if missing:
            on_text(f"{size:,} tokens: {len(missing)} questions about {len(haystack.document.pages):,} contexts")
            self._subject.read(haystack.document)
            rivals = self._rivals(haystack.document)
            for question in missing:
                self._rows.put(keys[question], self._row(haystack, question, rivals))
        for key in keys.values():
            yield self._rows.get(key)

    def _rivals(self, document: Document) -> dict[str, Dense | Lexical]:
        return {"rag": Dense(document, self._vectors), "bm25": Lexical(document)}

    def _row(self, haystack: Haystack, question: PoolQuestion, rivals: Mapping[str, Dense | Lexical]) -> _Row:
        gold = haystack.gold_page(question)
        right = Stretch(gold, 0, len(question.context))
        asked = self._subject.ask(haystack.document, question.text, AskOptions(max_new_tokens=MAX_NEW_TOKENS))
        said = asked.answer.answer if asked.answer.found else NOT_FOUND
        row: _Row = {
            "question": question.text,
            "answers": question.answers,
            "tokens": asked.answer.coverage.tokens_total,
            "first_token_s": asked.first_token_s,
            "looked_at": any(right.touches(other) for other in asked.looked_at) if asked.looked_at else None,
            "cited": _cited(asked.answer.citations, haystack.document, gold, question.answers),
            "engine": judged(said, question.answers, read=any(right.touches(other) for other in asked.evidence)),
        }
        for way, rival in rivals.items():
            best = rival.best(question.text)
            row[way] = judged(self._write(haystack.document, best, question), question.answers, read=gold in best)
        alone = document("context.txt", [question.context])
        row["gold"] = judged(self._write(alone, [0], question), question.answers, read=True)
        return row

    def _write(self, of: Document, pages: Sequence[int], question: PoolQuestion) -> str:
        """The model's words on some pages; one prompt is computed once."""
        document_ids = shown(of, pages, self._subject.prompt)
        key = hashlib.sha256(f"{document_ids} {question.text}".encode()).hexdigest()
        said = self._said.get(key)
        if said is None:
            said = self._said.put(key, self._subject.write(document_ids, question.text, MAX_NEW_TOKENS))
        return str(said)


def _cited(citations: Sequence[Citation], document: Document, gold: int, answers: Sequence[str]) -> _Row:
    """Of the sentences that an answer rests on: do they stand there, and do the first, or any, say the answer?"""
    right = [
        citation.page_index == gold and any(answer.casefold() in citation.quote.casefold() for answer in answers)
        for citation in citations
    ]
    stand = [
        each.quote.split() == document.pages[each.page_index].text[each.start : each.end].split() for each in citations
    ]
    return {"quotes": len(stand), "stand": sum(stand), "first": right[:1] == [True], "any": any(right)}


def judged(said: str, answers: Sequence[str], *, read: bool) -> _Row:
    """One answer with its scores. `read`: the right context was among what it was written from."""
    refused = is_refusal(said)
    return {
        "said": said,
        "f1": 0.0 if refused else round(f1(said, answers), 4),
        "exact": not refused and exact(said, answers),
        "refused": refused,
        "read": read,
    }


def scores(rows: Sequence[_Row]) -> dict[str, dict[str, float]]:
    """Averages over the questions, by way."""
    kinds = ("f1", "exact", "refused", "read")
    return {way: {kind: round(statistics.fmean(row[way][kind] for row in rows), 3) for kind in kinds} for way in WAYS}


def ahead(rows: Sequence[_Row], rival: str) -> str:
    """Mean difference of F1 to a rival, question by question, and its standard error."""
    differences = [row["engine"]["f1"] - row[rival]["f1"] for row in rows]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return f"{statistics.fmean(differences):+.3f} ± {error:.3f}"


def _share(cited: Sequence[_Row], key: str) -> str:
    return f"{statistics.fmean(each[key] for each in cited):.3f}" if cited else "-"


def line(size: int, rows: Sequence[_Row]) -> _Row:
    """One line of the table."""
    found = scores(rows)
    right = [row["cited"] for row in rows if row["engine"]["f1"] >= _RIGHT]
    quotes = sum(row["cited"]["quotes"] for row in rows)
    selected = [row["looked_at"] for row in rows if row["looked_at"] is not None]
    return {
        "tokens": size,
        "questions": len(rows),
        **{way: f"{found[way]['f1']:.3f} / {found[way]['exact']:.3f}" for way in WAYS},
        **{f"ahead of {rival}": ahead(rows, rival) for rival in ("rag", "bm25")},
        "in view": " / ".join(f"{found[way]['read']:.3f}" for way in WAYS[:3]),
        "selected": round(statistics.fmean(selected), 3) if selected else None,
        "quotes that stand": f"{sum(row['cited']['stand'] for row in rows)} of {quotes}",
        "evidence": f"{_share(right, 'first')} / {_share(right, 'any')}",
        "refused": " / ".join(f"{found[way]['refused']:.3f}" for way in WAYS),
        "first token s": round(statistics.median(row["first_token_s"] or 0.0 for row in rows), 2),
    }
