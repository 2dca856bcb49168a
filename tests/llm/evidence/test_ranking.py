"""Ranking: the right passage first, across documents, with numbers that say why."""

import hashlib

import pytest
import torch

from ingest.document import Definition, Document, Kind, Page
from llm.evidence.embedding import Embedder
from llm.evidence.examples import embed_all
from llm.evidence.ranking import Searcher

TEXTS = {
    "lease.txt": "The tenant shall pay the rent on the first day of each month. Pets are not allowed in the flat.",
    "boat.txt": "The harbour master keeps a register of vessels. A vessel longer than 12 metres needs a pilot.",
    "bread.txt": "Knead the dough for ten minutes. Let it rest overnight in a cool place, then bake it at 230 degrees.",
    "café.txt": "Das Café öffnet um neun Uhr. Am Sonntag bleibt es geschlossen.",
}


def leaf(name: str, text: str, kind: Kind = Kind.TEXT, **rest: object) -> Document:
    return Document(hashlib.sha256(name.encode()).hexdigest(), name, kind, pages=(Page(1, text),), **rest)


def searcher(embedder: object, *documents: Document) -> Searcher:
    return Searcher(list(embed_all(documents, embedder).values()), embedder)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("When is the rent due?", "lease.txt"),
        ("Which ships must take a pilot?", "boat.txt"),
        ("How hot should the oven be?", "bread.txt"),  # no word in common
        ("Wann hat das Cafe auf?", "café.txt"),
    ],
)
def test_the_right_document_comes_first(embedder: Embedder, question: str, name: str) -> None:
    ranked = searcher(embedder, *(leaf(*item) for item in TEXTS.items())).rank(question, 4)
    assert ranked[0].document.name == name
    assert [item.score for item in ranked] == sorted((item.score for item in ranked), reverse=True)
    assert ranked[0].num_passages == 4


def test_numbers_of_a_ranked_passage(words) -> None:
    ranked = searcher(words, *(leaf(*item) for item in TEXTS.items())).rank("must tenant pay the rent", 2)
    best = ranked[0]
    assert len(ranked) == 2
    assert best.text == TEXTS["lease.txt"]
    assert set(best.term_weights) == {"must", "tenant", "pay", "rent"}
    assert (
        best.covered == best.covered_by_passage == pytest.approx(0.611, abs=1e-3)
    )  # idf: 3 x 1.204 of 3 x 1.204 + 2.303
    assert best.pairs == pytest.approx(2 / 3)  # stop words do not part "tenant (shall) pay"
    assert [best.text[piece.start : piece.end] for piece in best.pieces] == [
        "The tenant shall pay the rent on the first day of each month.",
        "Pets are not allowed in the flat.",
    ]
    assert best.pieces[0].covered == best.covered
    assert best.pieces[1].covered == 0
    assert best.cosine == max(piece.cosine for piece in best.pieces)
    assert ranked[1].covered == 0


def test_a_defined_name_is_found_where_it_is_defined(words) -> None:
    code = "import os\n\n\ndef load_settings(path):\n    return parse(path)\n"
    use = "from settings import load_settings\n\nprint(load_settings(1), load_settings(2), load_settings(3))\n"
    documents = (
        leaf("app/main.py", use, Kind.CODE),
        leaf("app/settings.py", code, Kind.CODE, definitions=(Definition("load_settings", "function", 4),)),
    )
    assert searcher(words, *documents).rank("Where is load_settings defined?", 2)[0].document.name == "app/settings.py"


def test_no_text_gives_no_evidence_and_odd_questions_give_some(words) -> None:
    assert searcher(words, leaf("empty.txt", "")).rank("anything?", 3) == []
    assert Searcher([], words).rank("anything?", 3) == []
    found = searcher(words, leaf("a.txt", "One page of words."), leaf("empty.txt", ""))
    assert [item.document.name for item in found.rank("???", 3)] == ["a.txt"]
    assert len(found.rank("who is it?", 3)) == 1


def test_every_document_is_in_reach_whatever_the_order(words) -> None:
    documents = [leaf(f"{number}.txt", f"The secret of house {number} is colour{number}.") for number in range(100)]
    ranked = searcher(words, *documents).rank("colour73", 100)
    assert ranked[0].document.name == "73.txt"
    assert len({item.document.id for item in ranked}) == 100
    assert torch.tensor([item.num_passages for item in ranked]).eq(100).all()
