"""Greedy answers to many questions on one document at once: the document is read once, the questions are one batch."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedTokenizerBase

from llm.attempts import is_refusal
from llm.copying import is_better, is_to_copy
from llm.prompt import Prompt
from llm.structured.constraint import CopyConstraint, vocabulary


def answer_all(
    model: Any, tokenizer: PreTrainedTokenizerBase, document: str, questions: list[str], max_new_tokens: int = 64
) -> list[str]:
    """The model's greedy answer to each question, as text. The model must use an attention that takes a mask.

    One that stands nowhere in the document is written again in its words, and a refusal in doubt is such an answer:
    the document is the right one, so there is no evidence to weigh (`llm.copying`).
    """
    answers = _decoded(model, tokenizer, document, questions, max_new_tokens)
    again = [index for index, (text, _) in enumerate(answers) if is_to_copy(text, document)]
    if again:
        end_id = int(tokenizer.eos_token_id)
        tokens = vocabulary(tokenizer, int(model.config.vocab_size), (end_id,))
        constraints = [
            CopyConstraint(document, tokens, [end_id], may_refuse=not is_refusal(answers[index][0])) for index in again
        ]
        chosen = [questions[index] for index in again]
        copies = _decoded(model, tokenizer, document, chosen, max_new_tokens, constraints)
        for index, copy in zip(again, copies, strict=True):
            answers[index] = copy if is_better(*copy, *answers[index]) else answers[index]
    return [text for text, _ in answers]


@torch.inference_mode()
def _decoded(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    document: str,
    questions: list[str],
    max_new_tokens: int,
    constraints: Sequence[CopyConstraint] = (),
) -> list[tuple[str, float]]:
    """Each question's answer, and the natural log of its probability. `constraints`: one for each, or none."""
    prompt = Prompt(tokenizer)
    end_id = int(tokenizer.eos_token_id)
    context = torch.tensor([prompt.prefix + prompt.encode(document)])  # (1, T)
    suffixes = [prompt.suffix(question) for question in questions]
    cache = DynamicCache(config=model.config)
    model.model(input_ids=context, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(questions))

    seen, width = context.shape[1], max(map(len, suffixes))
    pads = torch.tensor([width - len(suffix) for suffix in suffixes])[:, None]  # (B, 1), on the left of a question
    tokens = torch.tensor([[end_id] * (width - len(suffix)) + suffix for suffix in suffixes])  # (B, S)
    real = torch.arange(width)[None, :] >= pads
    mask = torch.cat([torch.ones(len(suffixes), seen, dtype=torch.long), real.long()], dim=1)
    position = (torch.arange(width)[None, :] - pads).clamp(min=0) + seen
    answers: list[list[int]] = [[] for _ in questions]
    logprobs = [0.0] * len(questions)
    running = torch.ones(len(questions), dtype=torch.bool)
    for _ in range(max_new_tokens):
        out = model(
            input_ids=tokens, attention_mask=mask, position_ids=position, past_key_values=cache, logits_to_keep=1
        )
        logits = out.logits[:, -1].float()  # (B, V)
        allowed = logits.clone()
        for index, constraint in enumerate(constraints):
            if running[index]:
                allowed[index] = constraint.masked(logits[index])
        chosen = allowed.argmax(-1)  # (B,)
        logprob = logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
        for index in running.nonzero().flatten().tolist():
            logprobs[index] += float(logprob[index])
        running &= chosen != end_id
        if not running.any():
            break
        for index in running.nonzero().flatten().tolist():
            answers[index].append(int(chosen[index]))
            if constraints:
                constraints[index].take(int(chosen[index]))
                running[index] = not constraints[index].is_over
        tokens, position = chosen[:, None], position[:, -1:] + 1
        mask = torch.cat([mask, torch.ones(len(questions), 1, dtype=torch.long)], dim=1)
    texts = [str(tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in answers]
    return list(zip(texts, logprobs, strict=True))
