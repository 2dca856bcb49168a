"""`python -m llm.training.evaluate`: scores on contexts that no training saw, set by set, beside the bare base.

Every question of a set counts, also those that training leaves out. The right context is given: alone, with unanswered
questions from other contexts that share words with it; among passages that a search finds as well (`--given close`), as
`llm.training.close` puts them together, with unanswered questions whose context was left out; or between two other
contexts of the set, each of the three read without the others (`--given apart`), beside the same document read as one.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from llm.backbone import Backbone
from llm.prompt import NOT_FOUND, Prompt, label
from llm.training.close import CloseReadings
from llm.training.decode import ask_examples, trained
from llm.training.examples import FILE_NAMES, Asked, Example, load_passages
from llm.training.forms import form_passage
from llm.training.mixture import Mixture
from llm.training.scores import Said, score
from llm.training.sources import Part, Passage

_ANSWERED_PER_CONTEXT, _UNANSWERED_PER_CONTEXT = 5, 2
_MAX_CONTEXT_TOKENS = 1_500
_CLOSE_TOKENS = 800
_OTHERS_APART = 2
_QUESTION = "{question}"
# What a model that was not trained here is asked: of five wordings the one with which the bare base answers best
# (docs/LOG.md).
WORDING_OF_OTHERS = f"{_QUESTION}\nAnswer with a few words copied from the document."
Given = Literal["alone", "close", "apart"]
_FORM_SEED = 20_000  # apart from any seed that a training run is likely to get


def evaluation_examples(
    passages: Mapping[str, list[Passage]], prompt: Prompt, num_questions: int, seed: int = 0, *, given: Given = "alone"
) -> tuple[dict[str, list[Example]], dict[str, int]]:
    """About `num_questions` answered questions of each kind, with unanswered ones; and contexts too long.

    `given`: "alone"; "close", among other passages in documents of about 800 tokens; "apart", between two other
    contexts, each read without the others. Forms, which all ask the same, are only given alone.
    """
    rng = random.Random(seed)
    count = partial(_count, prompt)
    if given == "close":
        make = _close_maker(passages, count, rng)
    else:
        make = _context_maker(passages, count, seed, rng, num_others=_OTHERS_APART if given == "apart" else 0)
    every = dict(passages)
    if given == "alone":
        every["form"] = [form_passage(random.Random(_FORM_SEED + number)) for number in range(num_questions)]
    examples: dict[str, list[Example]] = {}
    too_long: dict[str, int] = {}
    for kind, found in every.items():
        left = num_questions
        for passage in rng.sample(found, len(found)):
            if left <= 0:
                break
            example = make(passage)
            if example is None:
                too_long[kind] = too_long.get(kind, 0) + 1
                continue
            left -= sum(asked.answer != NOT_FOUND for asked in example.asked)
            examples.setdefault(kind, []).append(example)
    return examples, too_long


def _count(prompt: Prompt, text: str) -> int:
    return len(prompt.encode(text))


def _context_maker(
    passages: Mapping[str, list[Passage]], count: Callable[[str], int], seed: int, rng: random.Random, num_others: int
) -> Callable[[Passage], Example | None]:
    mixture = Mixture(passages, count, seed=seed, max_tokens=_MAX_CONTEXT_TOKENS)

    def make(passage: Passage) -> Example | None:
        shown = [passage]
        if num_others:
            others = [other for other in passages[passage.kind] if not _asks_the_same(other, passage)]
            shown += rng.sample(others, min(num_others, len(others)))
            rng.shuffle(shown)
        if count("".join(one.context for one in shown)) > _MAX_CONTEXT_TOKENS:
            return None
        unanswered = [Asked(q.text, NOT_FOUND, passage.kind) for q in passage.questions if not q.answers]
        asked = _answered(passage, rng)
        swapped = (mixture.foreign_question(passage, shown) for _ in range(_UNANSWERED_PER_CONTEXT))
        unanswered += [question for question in swapped if question]
        asked += unanswered[:_UNANSWERED_PER_CONTEXT]
        if not num_others:
            return Example(passage.context, tuple(asked))
        names = rng.sample(FILE_NAMES, len(shown))
        parts = [label(one.name or name) + one.context + "\n\n" for one, name in zip(shown, names, strict=True)]
        return Example.of_parts(parts, asked, apart=True)

    return make


def _asks_the_same(other: Passage, passage: Passage) -> bool:
    asked = {question.text for question in passage.questions}
    return other.context == passage.context or any(question.text in asked for question in other.questions)


def _close_maker(
    passages: Mapping[str, list[Passage]], count: Callable[[str], int], rng: random.Random
) -> Callable[[Passage], Example | None]:
    readings = CloseReadings(passages, count)
    return lambda passage: readings.example([(passage, _answered(passage, rng))], _CLOSE_TOKENS, rng)


def _answered(passage: Passage, rng: random.Random) -> list[Asked]:
    answered = [question for question in passage.questions if question.answers]
    chosen = rng.sample(answered, min(_ANSWERED_PER_CONTEXT, len(answered)))
    return [Asked(q.text, q.answers[0], passage.kind, q.answers) for q in chosen]


def evaluate(
    models: Mapping[str, Backbone],
    examples: Mapping[str, list[Example]],
    *,
    weigh: bool = True,
    wordings: Mapping[str, str] | None = None,
) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by kind and model; "all" holds every question together.

    `wordings`: by model, what it is asked instead of the question, which stands for "{question}" in it.
    """
    table: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in (*examples, "all")}
    for name, model in models.items():
        together: list[Said] = []
        wording = (wordings or {}).get(name, _QUESTION)
        for kind, found in examples.items():
            said = ask_examples(model, [_reworded(example, wording) for example in found], weigh=weigh)
            together += said
            table[kind][name] = asdict(score(said))
            print(f"{kind} {name}: {table[kind][name]}", file=sys.stderr, flush=True)
        table["all"][name] = asdict(score(together))
    return table


def _reworded(example: Example, wording: str) -> Example:
    asked = (replace(one, question=wording.replace(_QUESTION, one.question)) for one in example.asked)
    return replace(example, asked=tuple(asked))


def main() -> int:
    """Print one JSON object on standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m llm.training.evaluate", description=__doc__)
    parser.add_argument("--adapter", type=Path, help="trained weights (*.safetensors); without: the bare base alone")
    parser.add_argument("--base", type=Path, required=True, help="folder with the base checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder with the question sets (*.jsonl.gz)")
    parser.add_argument("--n", type=int, default=40, help="answered questions of each set")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="these only, as the table names them (policyqa, form)")
    parser.add_argument("--part", choices=("dev", "test"), default="test")
    parser.add_argument(
        "--given",
        choices=get_args(Given),
        default="alone",
        help="the context alone; close, among other passages; or apart, between two contexts read without it",
    )
    parser.add_argument(
        "--no-base", action="store_true", help="leave the bare base out; it is slow, for it never stops"
    )
    parser.add_argument(
        "--base-asked",
        default=WORDING_OF_OTHERS,
        metavar="TEXT",
        help="what the bare base is asked, with {question} in it (default: what it answers best)",
    )
    parser.add_argument("--greedy", action="store_true", help="what the model writes, not weighed (llm.weighing)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if _QUESTION not in arguments.base_asked:
        parser.error("--base-asked: {question} does not stand in it")
    if arguments.no_base and not arguments.adapter:
        parser.error("--no-base without --adapter leaves nothing to ask")
    part: Part = arguments.part
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(arguments.base)
    examples, too_long = evaluation_examples(
        load_passages(arguments.data, part), Prompt(tokenizer), arguments.n, given=arguments.given
    )
    if unknown := set(arguments.sets or ()) - set(examples):
        parser.error(f"--sets: no set is called {', '.join(sorted(unknown))}; there are {', '.join(examples)}")
    examples = {kind: found for kind, found in examples.items() if not arguments.sets or kind in arguments.sets}
    models = {"leafmoe": trained(arguments.base, arguments.adapter, tokenizer)} if arguments.adapter else {}
    if not arguments.no_base:
        models["base"] = trained(arguments.base, None, tokenizer)
    scored = partial(evaluate, models, weigh=not arguments.greedy, wordings={"base": arguments.base_asked})
    report = {"part": part, "given": arguments.given, "n": arguments.n, "contexts_too_long": too_long}
    report["scores"] = scored(examples)
    if arguments.given == "apart":
        report["read_as_one"] = scored({kind: [replace(one, apart=()) for one in of] for kind, of in examples.items()})
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
