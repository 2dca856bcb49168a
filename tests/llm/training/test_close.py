"""Close readings for training: their format is the runtime's, and what is unanswered cannot be answered."""

import random
import re
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from ingest.document import Document, Kind, Page
from llm.close_reading import Excerpt, compose
from llm.prompt import NOT_FOUND, Prompt
from llm.training.close import CloseReadings, Piece, labelled
from llm.training.examples import Example, is_unanswered, taught
from llm.training.mixture import Mixture
from llm.training.sources import Passage, Question, read_sets

TOWNS = [first + last for first in ("Ar", "Bel", "Cor", "Dun", "Els") for last in ("den", "wick", "more")]

_LABEL = re.compile(r"^\[([^,\]]+)(?:, page (\d+))?\]\n", re.MULTILINE)


def tower(number: int, more: str = "") -> Passage:
    town = TOWNS[number]
    return Passage(
        "squadshifts-new_wiki",
        f"The famous tower of {town} was built in {1300 + number}. A mason called John made it.{more}",
        (
            Question(f"When was the tower of {town} built?", (str(1300 + number),)),
            Question(f"Who made the tower of {town}?", ("John",)),
        ),
    )


def readings(passages: list[Passage]) -> CloseReadings:
    return CloseReadings({passages[0].kind: passages}, lambda text: len(text.split()))


def close(passages: list[Passage], gold: Passage, budget: int = 150, seed: int = 0) -> Example:
    example = readings(passages).example([(gold, taught(gold))], budget, random.Random(seed))
    assert example is not None
    return example


def as_the_runtime_writes_it(text: str, prompt: Prompt) -> list[int]:
    """The same pages and passages through `llm.close_reading.compose`."""
    found = list(_LABEL.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    bodies = [text[match.end() : end] for match, end in zip(found, ends, strict=True)]
    leaves: dict[str, Document] = {}
    excerpts = []
    for match, body in zip(found, bodies, strict=True):
        name, number = match.group(1), match.group(2)
        pieces = [piece for piece in body.split("\n\n") if piece]
        page = Page(int(number or 1), "\n".join(pieces), width_pt=None if number is None else 9.0, height_pt=9.0)
        before = leaves.get(name)
        leaves[name] = Document(name, name, Kind.TEXT, (*(before.pages if before else ()), page))
        start = 0
        for piece in pieces:
            excerpts.append((name, len(leaves[name].pages) - 1, start, start + len(piece)))
            start += len(piece) + 1
    order = list(leaves)
    ranked = [Excerpt(leaves[name], order.index(name), page, start, end) for name, page, start, end in excerpts]
    random.Random(0).shuffle(ranked)
    return compose(ranked, prompt, 10_000).token_ids


def test_documents_look_as_the_runtime_writes_them(base_folder: Path) -> None:
    prompt = Prompt(AutoTokenizer.from_pretrained(base_folder))
    shown = [Piece(tower(number), 0, tower(number).context) for number in range(4)]
    shown.append(Piece(tower(2), 1, "A second piece of the same context."))
    seen = set()
    for seed in range(30):
        text = "".join(labelled(shown, random.Random(seed)))
        assert prompt.encode(text) == as_the_runtime_writes_it(text, prompt)
        assert text.index(shown[2].text) < text.index(shown[4].text)
        labels = _LABEL.findall(text)
        seen.add("file" if len(labels) == 1 else "pages" if len({name for name, _ in labels}) == 1 else "files")
    assert seen == {"file", "pages", "files"}


def test_unanswered_questions_have_no_answer_in_the_document() -> None:
    towers = [tower(number, f" It burnt in {1300 + (number + 1) % 15}.") for number in range(15)]  # a year of another
    years = {question.text: question.answers[0] for passage in towers for question in passage.questions}
    num_unanswered = 0
    for seed in range(40):
        gold = towers[seed % 15]
        example = close(towers, gold, seed=seed)
        assert gold.context in example.document
        assert example.document.count("tower") > 2, "the others are hard: they are about towers, too"
        for item in example.asked:
            if item.answer == NOT_FOUND:
                num_unanswered += 1
                assert years[item.question] not in example.document
                assert item.question.startswith("When"), "John is in every context"
            else:
                assert item.answer in example.document
    assert num_unanswered > 20


def test_a_context_that_is_asked_the_same_never_stands_beside() -> None:
    same = [
        Passage("policyqa", f"We use data of class {word} here.", (Question("Do you use my data?", (word,)),))
        for word in ("alpha of it", "beta of it", "gamma of it", "delta of it")
    ]
    for seed in range(10):
        example = close(same, same[0], seed=seed)
        assert not any(passage.context in example.document for passage in same[1:])


def test_what_is_asked_together_elsewhere_is_never_taught_as_unanswered() -> None:
    """Policies: the same questions of many, marked in some; of "why" and "for what" only one was asked of each."""
    why, purpose, children = "Why do you use my data?", "For what is my data used?", "What about children?"
    asked = [(why, purpose), (why,), (purpose,), (children,)] * 4
    policies = [
        Passage(
            "policyqa",
            f"We use clickstream records number {number} for the improvement of service {number} alone.",
            tuple(Question(text, (f"for the improvement of service {number}",)) for text in texts),
        )
        for number, texts in enumerate(asked)
    ]
    taught_as_unanswered = set()
    for seed in range(40):
        example = readings(policies).example([(policies[1], taught(policies[1]))], 60, random.Random(seed))
        assert example is not None
        taught_as_unanswered |= {item.question for item in example.asked if item.answer == NOT_FOUND}
        drawn = Mixture({"policyqa": policies}, lambda text: len(text.split()), seed=seed, max_tokens=300)
        foreign = drawn.foreign_question(policies[1], [policies[1]])
        taught_as_unanswered |= {foreign.question} if foreign else set()
    assert taught_as_unanswered == {children}


def test_the_budget_bounds_the_document_and_large_contexts_make_it_longer() -> None:
    towers = [tower(number) for number in range(15)]
    assert all(len(close(towers, towers[0], 60, seed).document.split()) <= 60 for seed in range(20))
    long = tower(0, more=" Stones were carried up." * 250)  # a thousand words
    table = Passage("wtq", long.context, long.questions)
    assert 1_000 < len(close([table], table, 300).document.split()) <= 1_100
    larger = Passage("wtq", long.context + long.context, long.questions)
    assert readings([larger]).example([(larger, taught(larger))], 300, random.Random(0)) is None


def test_no_held_out_context_stands_beside_another(data_folder: Path) -> None:
    training = read_sets(data_folder, "train")
    held_out = [p.context for part in ("dev", "test") for found in read_sets(data_folder, part).values() for p in found]
    drawn = Mixture(training, lambda text: len(text.split()), seed=0, max_tokens=300)
    examples = [drawn.draw() for _ in range(80)]
    assert sum(example.document.count(" grams") > 3 for example in examples) > 30, "most have several passages"
    assert not [context for context in held_out for example in examples if context in example.document]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["The bridge of Corfe is old."], True),
        (["The tower of Corfe is old."], False),  # all the words asked for
        (["The bridge of Corfe is old.", "It dates from ABOUT 1302."], False),  # the answer's text
        (["The tower is old.", "Corfe is old."], True),  # the words, but in no single text
    ],
)
def test_what_counts_as_unanswered(texts: list[str], expected: bool) -> None:
    question = Question("How old is the tower of Corfe?", ("about 1302",))
    assert is_unanswered(question, "squadshifts-new_wiki", texts) is expected
