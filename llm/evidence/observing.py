"""Examples with their numbers, for fitting and measuring the calibration: what the ranking says, what the model writes.

Owns which files are used, how many contexts of each, and how the model is asked; `llm.evidence.fit` owns the fitting.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm.attempts import SHORT_TOKENS, attempts, excerpts_of, is_refusal, ways_to_answer
from llm.backbone import Backbone
from llm.close_reading import seen_by_model
from llm.evidence.calibration import Regression, answer_numbers, evidence_numbers
from llm.evidence.embedding import Embedder
from llm.evidence.examples import Context, Example, embed_all, examples, read_contexts
from llm.evidence.ranking import Ranked, Searcher
from llm.generation import Generated, generate
from llm.stream import TokenStream
from llm.tokens import Tokens
from llm.weighing import weighed

# False: questions that are asked of every policy alike; another context answers them too, so that leaving out their
# own context does not make them unanswerable.
SOURCES = {
    "squadshifts-new_wiki": True,
    "squadshifts-reddit": True,
    "squadshifts-amazon_reviews": True,
    "fairytaleqa-train": True,
    "friendsqa-dev": True,
    "wtq-training": True,
    "fetaqa-dev": True,
    "tatqa-dev": True,
    "policyqa-dev": False,
}
_CONTEXTS = 200  # of each file
_TOP_K = 8
_ANSWER_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Observed:
    """One example with its numbers."""

    example: Example
    split: str
    ranked: tuple[Ranked, ...]
    numbers: dict[str, float]

    @property
    def holds_answer(self) -> bool:
        return self.example.gold is not None


def observe(
    folder: Path, questions: int, embedder: Embedder, splits: Sequence[str] = ("train", "dev", "test")
) -> Iterator[Observed]:
    """`questions` train examples of each file in random order; for dev and test a third as many."""
    files = {name: read_contexts(folder / f"{name}.jsonl.gz", _CONTEXTS, held_out=True) for name in SOURCES}
    for name, contexts in files.items():
        print(f"{name}: {len(contexts)} contexts", file=sys.stderr, flush=True)
        foreign = [ask for other in files if other != name for context in files[other] for ask, _ in context.questions]
        yield from _observe_file(name, contexts, foreign, questions, embedder, splits)


def _observe_file(
    name: str,
    contexts: Sequence[Context],
    foreign: Sequence[str],
    questions: int,
    embedder: Embedder,
    splits: Sequence[str],
) -> Iterator[Observed]:
    indexes = embed_all([context.document for context in contexts], embedder)
    for split in splits:
        number = questions if split == "train" else questions // 3
        for example in examples(name, contexts, foreign, split, number, hard=SOURCES[name]):
            searcher = Searcher([indexes[document.id] for document in example.haystack], embedder)
            ranked = tuple(searcher.rank(example.question, _TOP_K))
            yield Observed(example, split, ranked, evidence_numbers(example.question, ranked))


def observe_answers(
    seen: Sequence[Observed], number: int, evidence: Regression, backbone: Backbone
) -> Iterator[Observed]:
    """The same with what the model answered, for `number` train and test examples, half as many of dev. Slow."""
    for split in ("train", "dev", "test"):
        inside = [item for item in seen if item.split == split]
        chosen = random.Random(split).sample(inside, min(number // 2 if split == "dev" else number, len(inside)))
        for at, item in enumerate(chosen):
            said = _answer(item.example, item.ranked, backbone)
            numbers = answer_numbers(
                item.example.question, item.ranked, said.text, said.place, is_doubted=said.is_doubted
            )
            yield Observed(item.example, split, item.ranked, {"evidence": evidence.log_odds(item.numbers), **numbers})
            if at % 20 == 0:
                print(f"{split}: {at} of {len(chosen)} answers", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class _Said:
    text: str = ""
    place: int = 0  # of the passage among those that were read
    is_doubted: bool = False


def _answer(example: Example, ranked: Sequence[Ranked], backbone: Backbone) -> _Said:
    """What the model answers, as `llm.asking` lets it: the first answer, else the first refusal that is in doubt."""
    prompt = backbone.prompt
    whole = TokenStream.of(example.haystack, prompt).token_ids
    ways = ways_to_answer(
        len(whole), is_read_whole=len(whole) <= SHORT_TOKENS, is_one_document=True, exact=False,
        one_by_one=backbone.reads_one_by_one,
    )  # fmt: skip
    refusals: list[_Said] = []
    excerpts = excerpts_of(ranked, example.haystack)
    for attempt in attempts(ways, ranked, excerpts, prompt, backbone.context_tokens):
        shown = whole if attempt.close is None else attempt.close.token_ids
        written = Generated()
        prompt_ids = Tokens.joined((prompt.prefix, shown, prompt.suffix(example.question)))
        kv = backbone.empty_kv()
        backbone.runner.forward(prompt_ids[:-1], kv)
        again = kv.fork()
        for _ in generate(backbone, kv, prompt_ids[-1:], written, max_new_tokens=_ANSWER_TOKENS):
            pass
        seen = seen_by_model(attempt.close, example.haystack, backbone.prompt)
        best = weighed(backbone, again, prompt_ids[-1], written, example.question, seen, max_new_tokens=_ANSWER_TOKENS)
        said = _Said(best.text, attempt.place, bool(best.doubted))
        if not is_refusal(best.text):
            return said
        refusals.append(said)
    return max(refusals, key=lambda refusal: refusal.is_doubted, default=_Said())
