"""Questions in a haystack: what the rivals are shown, how answers are scored, and that a killed run goes on."""

from pathlib import Path
from typing import Any

import pytest

from app.bench.corpus import contexts, document
from app.bench.haystack import HaystackBench, ahead, judged, line, scores
from app.bench.plain import Dense, Lexical, Vectors, shown
from app.bench.subject import Subject
from llm.evidence.embedding import Embedder
from tests.app.bench.conftest import silent

ANIMALS = document(
    "animals.txt",
    ["The otter lives in rivers.", "The heron nests in tall trees.", "A badger digs its sett in woods.",
     "The lynx hunts at dusk.", "Curlews winter on the shore.", "A weasel fits through a ring."],
)  # fmt: skip


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return Vectors(Embedder())


def test_both_rivals_find_a_plain_page_first(vectors: Vectors) -> None:
    question = "Where does the heron build nests?"
    assert Dense(ANIMALS, vectors).best(question)[0] == Lexical(ANIMALS).best(question)[0] == 1
    assert len(Dense(ANIMALS, vectors).best(question)) == len(Lexical(ANIMALS).best(question)) == 5


def test_words_that_no_page_has_still_give_a_prompt() -> None:
    assert Lexical(ANIMALS).best("zzz?") == [0, 1, 2, 3, 4]


def test_rivals_are_shown_whole_pages_in_document_order_below_their_labels(subject: Subject) -> None:
    ids = shown(ANIMALS, [4, 1], subject.prompt)
    assert ids == subject.prompt.encode(
        "[animals.txt, page 2]\nThe heron nests in tall trees.\n\n"
        "[animals.txt, page 5]\nCurlews winter on the shore.\n\n"
    )


def test_a_refusal_scores_nothing_and_words_score_by_overlap() -> None:
    assert judged("Not found in the document.", ["the document"], read=True)["f1"] == 0.0
    right = judged("The red fox.", ["red fox", "a fox"], read=True)
    assert (right["f1"], right["exact"], right["refused"]) == (1.0, True, False)
    assert judged("a red fox ran", ["red fox"], read=True)["f1"] == 0.8


def row(engine: float, rag: float) -> dict[str, Any]:
    def one(f1: float) -> dict[str, Any]:
        return {"f1": f1, "exact": f1 == 1, "refused": False, "read": f1 > 0}

    return {
        "engine": one(engine), "rag": one(rag), "bm25": one(0.0), "gold": one(1.0), "looked_at": None,
        "first_token_s": 0.5, "cited": {"quotes": 2, "stand": 2, "first": engine == 1 and rag < 1, "any": True},
    }  # fmt: skip


def test_the_lead_over_a_rival_comes_with_its_error() -> None:
    rows = [row(1.0, 0.5), row(1.0, 1.0), row(0.0, 0.0), row(1.0, 0.0)]
    assert ahead(rows, "rag") == "+0.375 ± 0.239"
    assert scores(rows)["engine"] == {"f1": 0.75, "exact": 0.75, "refused": 0, "read": 0.75}
    assert line(8192, rows)["in view"] == "0.750 / 0.500 / 0.000"
    assert line(8192, rows)["selected"] is None
    assert line(8192, rows)["evidence"] == "0.667 / 1.000"
    assert line(8192, rows)["quotes that stand"] == "8 of 8"


def test_a_run_scores_four_ways_and_resumes_without_asking(
    data: Path, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = HaystackBench(subject, data, tmp_path, questions=3, seed=0).run([1000, 4000], silent)
    assert [(row["tokens"], row["questions"]) for row in first.rows] == [(1000, 3), (4000, 3)]
    gold = {passage.questions[0].text: passage.context for passage in contexts(data)}
    for size, rows in first.details["answers"].items():
        assert all(row["question"] in gold and 0.5 * size < row["tokens"] < 2 * size for row in rows)
        assert [row["bm25"]["read"] for row in rows] == [True, True, True]  # each question names its subject
    monkeypatch.setattr(Subject, "ask", None)
    monkeypatch.setattr(Subject, "write", None)
    again = HaystackBench(subject, data, tmp_path, questions=3, seed=0).run([1000, 4000], silent)
    assert again.rows == first.rows


def test_one_prompt_is_computed_once(
    data: Path, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = Subject.write

    def counted(self: Subject, ids: Any, question: str, limit: int) -> str:
        written.append(question)
        return write(self, ids, question, limit)

    monkeypatch.setattr(Subject, "write", counted)
    HaystackBench(subject, data, tmp_path, questions=2, seed=0).run([1000, 4000], silent)
    assert len(written) < 2 * 2 * 3  # the right context alone is one prompt at both sizes
    assert all(written.count(question) >= 3 for question in written)
