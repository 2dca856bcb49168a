"""Is the right sentence quoted where several say the answer: `python -m tests.bench.right_sentence --data DATA`.

DATA is the folder with qa/qamr-test.jsonl.gz. Its questions were written for one sentence of an article; here they are
asked of all its sentences together. Counted are questions of four words and more whose answer, of four letters and
more, stands in another sentence as well: what is quoted first for that answer should be the sentence that the question
was written for. Prints, as JSON: how many questions, in how many sentences their answers stand, and the shares quoted
rightly, by the ranking and by chance. One thread.
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from app.bench.corpus import document
from llm.evidence.embedding import Embedder
from llm.evidence.examples import embed_all
from llm.evidence.locating import find, normal_answer
from llm.evidence.quoting import quotes
from llm.evidence.ranking import Searcher

_EACH = 6  # questions of an article
_NO_NAMES = frozenset(("this", "that", "they", "their", "there", "other", "them", "these"))


@dataclass(frozen=True, slots=True)
class _Asked:
    sentences: tuple[str, ...]  # of the article
    right: str
    holding: int  # sentences that say the answer
    question: str
    answer: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="qamr-test", help="file of question sets, without its ending")
    options = parser.parse_args()
    torch.set_num_threads(1)
    asked = list(_asked(options.data / "qa" / f"{options.set}.jsonl.gz"))
    embedder = Embedder()
    right = sum(_is_right(item, embedder) for item in asked)
    holding = sum(item.holding for item in asked) / len(asked)
    by_chance = sum(1 / item.holding for item in asked) / len(asked)
    shares = {"right": round(right / len(asked), 3), "by chance": round(by_chance, 3)}
    print(json.dumps({"questions": len(asked), "sentences that say it": round(holding, 2), **shares}))


def _is_right(item: _Asked, embedder: Embedder) -> bool:
    article = document("article.txt", ["\n".join(item.sentences)])
    searcher = Searcher(list(embed_all([article], embedder).values()), embedder)
    (best, *_) = quotes(searcher.rank(item.question, 8), item.answer)
    start = article.pages[0].text.index(item.right)
    return start <= best.start and best.end <= start + len(item.right)


def _asked(path: Path) -> Iterator[_Asked]:
    """Some questions of each article, the same in every run, an answer of a sentence once."""
    articles: dict[str, dict[str, list[tuple[str, str]]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            article, _, _ = record["questions"][0]["id"].rsplit(":", 2)
            pairs = [(each["question"], each["answers"][0]) for each in record["questions"]]
            articles.setdefault(article, {}).setdefault(record["context"].strip(), []).extend(pairs)
    for name, by_sentence in articles.items():
        found: dict[tuple[str, str], _Asked] = {}
        for right, pairs in by_sentence.items():
            for question, answer in pairs:
                holding = sum(_says(sentence, answer) for sentence in by_sentence)
                if holding > 1 and _is_plain(question, answer):
                    found[right, answer] = _Asked(tuple(by_sentence), right, holding, question, answer)
        yield from random.Random(name).sample(list(found.values()), min(_EACH, len(found)))


def _is_plain(question: str, answer: str) -> bool:
    return len(question.split()) >= 4 <= len(answer) and answer.lower() not in _NO_NAMES


def _says(sentence: str, answer: str) -> bool:
    return next(find(normal_answer(answer), sentence), None) is not None


if __name__ == "__main__":
    main()
