import gzip
import json
import random
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from llm.prompt import NOT_FOUND, Prompt
from llm.training.code import code_passages
from llm.training.examples import Asked, Example, answer_text, load_passages, num_unanswered
from llm.training.forms import form_passage
from llm.training.mixture import Mixture
from llm.training.packing import join, pack_example
from llm.training.sources import Passage, Question, part_of, read_set, read_sets, target


@pytest.fixture(scope="module")
def passages(data_folder: Path) -> dict[str, list[Passage]]:
    return load_passages(data_folder, "train")


def mixture(passages: dict[str, list[Passage]], seed: int = 0) -> Mixture:
    return Mixture(passages, lambda text: len(text.split()), seed=seed, max_tokens=300)


def test_no_context_is_in_two_parts(data_folder: Path) -> None:
    parts = [
        {passage.context for found in read_sets(data_folder, part).values() for passage in found}
        for part in ("train", "dev", "test")
    ]
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert sum(map(len, parts)) == 30 * 11


def test_a_fifth_of_squadshifts_is_held_out_by_the_text_alone() -> None:
    texts = [f"context {number}" for number in range(4_000)]
    held = [text for text in texts if part_of("squadshifts-reddit", text) != "train"]
    assert 0.18 < len(held) / len(texts) < 0.22
    assert 0.08 < sum(part_of("wtq", text) != "train" for text in texts) / len(texts) < 0.12
    assert all(part_of("squadshifts-reddit", f"  {text}\n") != "train" for text in held)


def test_the_target_stands_in_the_context_and_most_writers_gave_it() -> None:
    question = Question("Who?", ("the tall man", "man", "man", "a woman", "a woman", "a woman"))
    assert target(question, "I saw the tall man.") == "man"
    assert target(Question("Who?", ("nobody",)), "I saw him.") == "nobody"
    assert target(Question("Who?", ()), "I saw him.") is None


def test_of_loosely_marked_answers_the_longest_that_can_be_read_alone_is_taught() -> None:
    context = "We may also give your postal address to our partners, and they may write to you."
    question = Question(
        "Do you share my data?", ("may", "partners", "to our partners", "your postal address to our partners")
    )
    assert answer_text(question, Passage("policyqa", context, (question,))) == "your postal address to our partners"
    assert answer_text(question, Passage("friendsqa", context, (question,))) == "may"
    assert answer_text(Question("Do you share?", ("may",)), Passage("policyqa", context, ())) is None


@pytest.mark.parametrize(("kind", "share"), [("qamr", 0.33), ("policyqa", 0.1)])
def test_what_texts_answer_alike_is_seldom_taught_as_unanswered(kind: str, share: float) -> None:
    rng = random.Random(7)
    asked = [Asked(f"question {number}?", "yes", kind) for number in range(4)]
    unanswered = sum(num_unanswered(asked, rng) for _ in range(2_000))
    assert unanswered / (unanswered + 4 * 2_000) == pytest.approx(share, abs=0.02)


def is_written(answer: str, document: str) -> bool:
    """Whether every line, and both of two parties, stand there; commas may stand for line ends."""
    flat = " ".join(document.replace(",", " ").split())
    parts = answer.split(" and ") if " and " in answer and answer not in document else [answer]
    return all(" ".join(part.replace(",", " ").split()) in flat for part in parts)


def test_answers_stand_in_the_document_and_refusals_do_not(passages: dict[str, list[Passage]]) -> None:
    drawn = mixture(passages)
    examples = [drawn.draw() for _ in range(150)]
    asked = [(example, item) for example in examples for item in example.asked]
    for example, item in asked:
        assert (item.answer == NOT_FOUND) != is_written(item.answer, example.document)
        assert (item.answer == NOT_FOUND) == (not item.references)
    refused = sum(item.answer == NOT_FOUND for _, item in asked) / len(asked)
    assert 0.2 < refused < 0.4
    for example in examples:
        questions = [item.question for item in example.asked]
        assert len(questions) == len(set(questions))


def test_documents_come_with_and_without_labels(passages: dict[str, list[Passage]]) -> None:
    drawn = mixture(passages)
    labelled = [drawn.draw().document.startswith("[") for _ in range(60)]
    assert any(labelled)
    assert not all(labelled)


def test_some_documents_of_several_contexts_are_read_apart_at_their_labels(passages: dict[str, list[Passage]]) -> None:
    source = mixture(passages)
    drawn = [source.draw() for _ in range(400)]
    apart = [example for example in drawn if example.apart]
    assert 60 < len(apart) < 200
    for example in apart:
        assert example.apart[0] == 0
        assert len(example.apart) > 1
        assert all(example.document[start] == "[" for start in example.apart)


def test_a_restored_mixture_goes_on_exactly(passages: dict[str, list[Passage]]) -> None:
    first = mixture(passages)
    for _ in range(5):
        first.draw()
    state = json.loads(json.dumps(first.state()))
    expected: list[Example] = [first.draw() for _ in range(5)]
    second = mixture(passages, seed=99)
    second.restore(state)
    assert [second.draw() for _ in range(5)] == expected


def test_forms_hold_their_answers() -> None:
    for seed in range(200):
        passage = form_passage(random.Random(seed))
        assert form_passage(random.Random(seed)) == passage
        for question in passage.questions:
            assert all(is_written(answer, passage.context) for answer in question.answers), (question, passage.context)


def test_code_answers_stand_in_the_source_or_are_its_file() -> None:
    found = code_passages("dev")
    assert len(found) > 20
    for passage in found:
        for question in passage.questions:
            answer = question.answers[0]
            assert answer == passage.name or answer in passage.context, question
    assert not {passage.name for passage in found} & {passage.name for passage in code_passages("test")}


def test_what_two_writers_asked_in_the_same_words_is_one_question(tmp_path: Path) -> None:
    asked = [("What was seen?", ["a fox"]), ("Where?", ["in Oslo"]), ("What was seen? ", ["a red fox", "a fox"])]
    record = {
        "context": "In Oslo a red fox was seen.",
        "questions": [{"question": question, "answers": answers} for question, answers in asked],
    }
    with gzip.open(tmp_path / "qamr-dev.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")
    (passage,) = read_set(tmp_path, "qamr-dev")
    assert [question.text for question in passage.questions] == ["What was seen?", "Where?"]
    assert passage.questions[0].answers == ("a fox", "a red fox", "a fox")


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"wtq-training\.jsonl\.gz is missing: --data must name the folder"):
        read_set(tmp_path, "wtq-training")


def test_some_examples_are_plain_text_of_which_no_token_is_an_answer(
    passages: dict[str, list[Passage]], base_folder: Path
) -> None:
    drawn = Mixture(passages, lambda text: len(text.split()), seed=3, max_tokens=300, prose=True)
    plain = [example for example in (drawn.draw() for _ in range(200)) if not example.asked]
    assert 8 <= len(plain) <= 40
    packed = pack_example(Prompt(AutoTokenizer.from_pretrained(base_folder)), 2, plain[0], 500)
    assert len(packed.ids) == len(packed.learned) <= 500
    assert not any(packed.learned)
    assert join([packed]).num_questions == 0


def test_prose_is_often_in_lines_as_on_paper_and_rows_never_are(passages: dict[str, list[Passage]]) -> None:
    texts = [" ".join(f"word{number}of{text}" for number in range(50)) for text in range(6)]
    kind = "squadshifts-new_wiki"
    long = {kind: [Passage(kind, text, (Question(f"Which is {text[:7]}?", (text.split()[30],)),)) for text in texts]}
    source = Mixture(long, lambda text: len(text.split()), seed=3, max_tokens=300)
    drawn = [source.draw().document for _ in range(200)]
    prose = [document for document in drawn if "word30of" in document]
    wrapped = [document for document in prose if max(map(len, document.split("\n"))) <= 110]
    assert 0.2 < len(wrapped) / len(prose) < 0.5
    assert all(any(text in document.replace("\n", " ") for text in texts) for document in wrapped)
    tables = mixture({"wtq": passages["wtq"]})
    rows = {line for passage in passages["wtq"] for line in passage.context.split("\n")}
    for example in (tables.draw() for _ in range(20)):
        assert all(line in rows for line in example.document.split("\n") if " | " in line)
