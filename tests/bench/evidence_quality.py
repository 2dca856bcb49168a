"""How well evidence is found, quoted and judged: `python -m tests.bench.evidence_quality`.

Prints one JSON object. Recall and quotes are measured on the SQuADShifts contexts that the ranking's weights were not
fitted on (odd places); the calibration on the test runs of every file (`llm.evidence.fit`). One thread.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ingest.document import Document
from llm.evidence.calibration import shipped
from llm.evidence.embedding import Embedder
from llm.evidence.examples import Context, embed_all, read_contexts
from llm.evidence.fit import report
from llm.evidence.index import EvidenceIndex
from llm.evidence.locating import find, normal_answer
from llm.evidence.observing import observe
from llm.evidence.quoting import quotes
from llm.evidence.ranking import Ranked, Searcher

QA_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "qa"
FILES = ("squadshifts-new_wiki", "squadshifts-reddit", "squadshifts-amazon_reviews")
SIZES = (40, 340, 2700, 5664)
_POOL_QUESTIONS = 25  # questions asked of one random haystack

Asked = tuple[str, tuple[str, ...], str]  # question, answers, id of the context that answers it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qa", type=Path, default=QA_FOLDER, help="folder of question files")
    parser.add_argument("--contexts", type=int, default=700, help="SQuADShifts contexts; 5664 are all")
    parser.add_argument("--questions", type=int, default=200, help="questions for each haystack size")
    parser.add_argument("--calibration-questions", type=int, default=0, help="for each file; 0: leave it out")
    options = parser.parse_args()
    if not options.qa.is_dir():
        sys.exit(f"no folder of question files at {options.qa}; give one with --qa")
    torch.set_num_threads(1)
    embedder = Embedder()
    contexts = _contexts(options.qa, options.contexts)
    indexes, embedding = _embed(contexts, embedder)
    sizes = [size for size in SIZES if size < len(contexts)] + [len(contexts)]
    measured = {
        "embedding": embedding,
        "haystacks": [_haystack(contexts, indexes, embedder, size, options.questions) for size in sizes],
        "quotes": _quotes(contexts, indexes, embedder, options.questions),
    }
    if options.calibration_questions:
        seen = list(observe(options.qa, options.calibration_questions, embedder))
        measured["calibration"] = report(shipped("evidence"), seen)
    print(json.dumps(measured, indent=1))


def _contexts(folder: Path, number: int) -> list[Context]:
    found = [context for name in FILES for context in read_contexts(folder / f"{name}.jsonl.gz")]
    return random.Random(3).sample(found, min(number, len(found)))


def _embed(contexts: Sequence[Context], embedder: Embedder) -> tuple[dict[str, EvidenceIndex], dict[str, float]]:
    embedder.embed(["load the model first"])
    started = time.process_time()
    indexes = embed_all([context.document for context in contexts], embedder)
    seconds = time.process_time() - started
    pieces = sum(len(index.cut.pieces) for index in indexes.values())
    chars = sum(len(text) for index in indexes.values() for text in index.cut.piece_texts(index.document))
    return indexes, {
        "pieces": pieces,
        "pieces_per_cpu_s": round(pieces / seconds, 1),
        "chars_per_cpu_s": round(chars / seconds),
    }


def _asked(contexts: Sequence[Context], number: int, seed: int) -> list[Asked]:
    held_out = [
        (question, answers, context.document.id)
        for context in contexts[1::2]
        for question, answers in context.questions
    ]
    return random.Random(seed).sample(held_out, min(number, len(held_out)))


def _haystack(
    contexts: Sequence[Context], indexes: dict[str, EvidenceIndex], embedder: Embedder, size: int, number: int
) -> dict[str, object]:
    """Recall of the gold context among the first 5 and 20, for the ranking and for both of its parts alone."""
    asked = _asked(contexts, number, size)
    ranks: dict[str, list[int]] = {"bm25": [], "minilm_best_sentence": [], "ranking": []}
    rank_s, make_s = [], []  # of processor time: other work on the machine does not count
    for start in range(0, len(asked), _POOL_QUESTIONS):
        group = asked[start : start + _POOL_QUESTIONS]
        started = time.process_time()
        searcher = Searcher([indexes[name] for name in _pool(contexts, group, size)], embedder)
        make_s.append(time.process_time() - started)
        for question, _, gold in group:
            started = time.process_time()
            searcher.rank(question, 20)
            rank_s.append(time.process_time() - started)
            everything = searcher.rank(question, size * 100)
            ranks["bm25"].append(_rank_of(gold, sorted(everything, key=lambda item: -item.lexical)))
            ranks["minilm_best_sentence"].append(_rank_of(gold, sorted(everything, key=lambda item: -item.cosine)))
            ranks["ranking"].append(_rank_of(gold, searcher.rank(question, 40)))
    recall = {
        name: {f"recall@{top}": round(sum(rank < top for rank in found) / len(found), 3) for top in (1, 5, 20)}
        for name, found in ranks.items()
    }
    rank_s.sort()
    return {
        "contexts": size,
        "questions": len(asked),
        **recall,
        "rank_cpu_s_median": round(rank_s[len(rank_s) // 2], 4),
        "rank_cpu_s_worst": round(rank_s[-1], 4),
        "searcher_cpu_s": round(min(make_s), 3),
    }


def _pool(contexts: Sequence[Context], group: Sequence[Asked], size: int) -> list[str]:
    """Ids of `size` contexts, those that answer the group among them."""
    gold = list(dict.fromkeys(name for _, _, name in group))
    others = [context.document.id for context in contexts if context.document.id not in set(gold)]
    chosen = gold + random.Random(gold[0]).sample(others, max(0, min(size - len(gold), len(others))))
    return random.Random(gold[0]).sample(chosen, len(chosen))


def _rank_of(gold: str, ranked: Sequence[Ranked]) -> int:
    """The place of the gold context among the contexts of the passages; behind them all where it has none."""
    order = [*dict.fromkeys(item.document.id for item in ranked), gold]
    return order.index(gold)


def _quotes(
    contexts: Sequence[Context], indexes: dict[str, EvidenceIndex], embedder: Embedder, number: int
) -> dict[str, object]:
    """How often the first, or one of three quotes holds a right answer in the right context, of 340 contexts."""
    asked = _asked(contexts, number, 7)
    hits: dict[str, list[tuple[bool, bool]]] = {"without_answer": [], "with_right_answer": [], "with_wrong_answer": []}
    for start in range(0, len(asked), _POOL_QUESTIONS):
        group = asked[start : start + _POOL_QUESTIONS]
        pool = _pool(contexts, group, min(340, len(contexts)))
        searcher = Searcher([indexes[name] for name in pool], embedder)
        for at, (question, answers, gold) in enumerate(group):
            ranked = searcher.rank(question, 8)
            wrong = group[at - 1][1][0]
            for name, answer in zip(hits, (None, answers[0], wrong), strict=True):
                right = [_holds(quote.document, quote.text, gold, answers) for quote in quotes(ranked, answer)]
                hits[name].append((any(right[:1]), any(right)))
    return {
        "questions": len(asked),
        **{
            name: {
                "hit@1": round(sum(a for a, _ in seen) / len(seen), 3),
                "hit@3": round(sum(b for _, b in seen) / len(seen), 3),
            }
            for name, seen in hits.items()
        },
    }


def _holds(document: Document, text: str, gold: str, answers: Sequence[str]) -> bool:
    return document.id == gold and any(next(find(normal_answer(answer), text), None) for answer in answers)


if __name__ == "__main__":
    main()
