"""Amounts looked up in statements: `python -m tests.bench.statements --data DATA`.

DATA is the folder with qa/tatqa-dev.jsonl.gz: questions about financial reports, each with a table and the text beside
it. Every question is put to the statements of its own report and to those of another one. Prints, as JSON: how many
there are, for how many an amount was found, how many of those are right (it stands in the answer, or the answer in it),
and for how many questions another company's report gave an amount.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

from ingest.document import Page, Role, Span
from llm.tables.naming import Looked, look_up
from llm.tables.statements import Statement, statements
from llm.training.sources import Question, read_set

SET = "tatqa-dev"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    passages = read_set(parser.parse_args().data / "qa", SET)
    found: list[tuple[Question, Looked]] = []
    foreign = 0
    made = [(list(statements(_page(passage.context), 0)), passage.questions) for passage in passages]
    for (own, questions), (other, _) in pairwise([*made, made[0]]):
        found += [(question, looked) for question in questions if (looked := _best(question.text, own)) is not None]
        foreign += sum(_best(question.text, other) is not None for question in questions)
    right = sum(_is_right(looked.text, question.answers) for question, looked in found)
    num_questions = sum(len(questions) for _, questions in made)
    print(json.dumps({"questions": num_questions, "found": len(found), "right": right, "of another report": foreign}))


def _page(context: str) -> Page:
    """Rows are the lines with cells in them."""
    spans, start = [], 0
    for line in context.split("\n"):
        if line.strip():
            spans.append(Span(start, start + len(line), role=Role.TABLE if " | " in line else Role.TEXT))
        start += len(line) + 1
    return Page(1, context, tuple(spans))


def _best(question: str, made: list[Statement]) -> Looked | None:
    found = [looked for statement in made if (looked := look_up(question, statement)) is not None]
    return max(found, key=lambda looked: looked.like, default=None)


def _is_right(said: str, answers: tuple[str, ...]) -> bool:
    plain = said.strip("$ ()")
    return any(plain and (plain in answer or answer.strip("$ ()") == plain) for answer in answers)


if __name__ == "__main__":
    main()
