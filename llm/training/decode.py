"""Answers to questions on one document as the product writes them: read once, decoded by its runner, weighed."""

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from llm.answer import ModelName
from llm.backbone import Backbone
from llm.generation import Generated, generate
from llm.leafmoe import load_leafmoe
from llm.prompt import NOT_FOUND
from llm.runtime.working import WorkingKV
from llm.tokens import Tokens
from llm.training.examples import Example
from llm.training.scores import Said
from llm.weighing import weighed
from vision import Seen


def trained(base: Path, adapter: Path | None, tokenizer: PreTrainedTokenizerBase) -> Backbone:
    """The base of a folder with trained weights, or bare (None), in bfloat16 on the CPU."""
    if adapter is not None:
        return Backbone.of(load_leafmoe(base, adapter), tokenizer, ModelName(adapter.stem, ""))
    bare = AutoModelForCausalLM.from_pretrained(base, dtype="bfloat16").eval().requires_grad_(False)
    return Backbone.of(bare, tokenizer, ModelName(base.name, ""))


def answer_all(
    backbone: Backbone, document: str, questions: Sequence[str], max_new_tokens: int = 64, *, weigh: bool = True
) -> list[str]:
    """The model's answer to each question on a text. See `answer_all_seen`."""
    parts = [backbone.prompt.encode(document)]
    return answer_all_seen(backbone, parts, Seen(document), questions, max_new_tokens, weigh=weigh)


def answer_all_seen(
    backbone: Backbone,
    parts: Sequence[Sequence[int]],
    seen: Seen,
    questions: Sequence[str],
    max_new_tokens: int = 64,
    *,
    weigh: bool = True,
) -> list[str]:
    """The model's answer to each question on a document whose tokens say what `seen` says. See `read_apart`.

    `weigh`: one in doubt against what the document could answer. Only LeafMoE's are weighed, as `llm.writing` does. A
    refusal in doubt is an answer then: the document is the right one, so there is no evidence to weigh.
    """
    weigh = weigh and backbone.reads_one_by_one
    kv = read_apart(backbone, parts)
    return [_answer(backbone, kv, seen, question, max_new_tokens, weigh=weigh) for question in questions]


def read_apart(backbone: Backbone, parts: Sequence[Sequence[int]]) -> WorkingKV:
    """Parts read each behind the prompt, without the others, as a session puts the KV of several documents together."""
    together = backbone.empty_kv()
    for part in parts:
        alone = backbone.empty_kv()
        backbone.runner.forward(Tokens.joined((backbone.prompt.prefix, part)), alone)
        if len(parts) == 1:
            return alone
        for layer, read in zip(together.layers, alone.layers, strict=True):
            assert read.latest is not None, "every layer attends in a pass"
            layer.show(*read.latest)
        together.num_tokens += alone.num_tokens
    return together


def _answer(backbone: Backbone, read: WorkingKV, seen: Seen, question: str, max_new_tokens: int, *, weigh: bool) -> str:
    kv, written = read.fork(), Generated()
    *suffix, last = backbone.prompt.suffix(question)
    backbone.runner.forward(suffix, kv)
    again = kv.fork()
    try:
        for _ in generate(backbone, kv, [last], written, max_new_tokens=max_new_tokens):
            pass
        if not weigh:
            return written.text.strip()
        best = weighed(backbone, again, last, written, question, seen, max_new_tokens=max_new_tokens)
        return best.doubted or best.text.strip()
    finally:
        again.release()
        kv.release()


def ask_examples(backbone: Backbone, examples: Sequence[Example], *, weigh: bool = True) -> list[Said]:
    """Answers to every question of the examples, each with what it should be; nothing where there is none."""
    pairs: list[Said] = []
    for example in examples:
        parts = [backbone.prompt.encode(part) for part in example.parts]
        questions = [asked.question for asked in example.asked]
        said = answer_all_seen(backbone, parts, Seen(example.document), questions, weigh=weigh)
        pairs += [
            (answer, () if asked.answer == NOT_FOUND else (asked.answer, *asked.references))
            for answer, asked in zip(said, example.asked, strict=True)
        ]
    return pairs
