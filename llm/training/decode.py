"""Answers to many questions on one document at once: the document is read once, the questions are one batch."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedTokenizerBase

from llm.prompt import Prompt
from llm.spans import Following
from llm.weighing import best_span, is_sure

_PASS_TOKENS = 16


def answer_all(
    model: Any, tokenizer: PreTrainedTokenizerBase, document: str, questions: list[str], max_new_tokens: int = 64
) -> list[str]:
    """The model's answer to each question, as text. The model must use an attention that takes a mask.

    One that is in doubt is weighed against what the document could answer, and a refusal in doubt is such an answer:
    the document is the right one, so there is no evidence to weigh (`llm.weighing`).
    """
    prompt = Prompt(tokenizer)
    read = DynamicCache(config=model.config)
    _after(model, read, prompt.prefix + prompt.encode(document), 1)
    suffixes = [prompt.suffix(question) for question in questions]
    said: list[str] = []
    for suffix, (text, logprob) in zip(
        suffixes, _decoded(model, tokenizer, read, suffixes, max_new_tokens), strict=True
    ):
        best = None
        if not is_sure(text, logprob, document):
            following = _following(model, read, suffix)
            stop_ids = [int(tokenizer.eos_token_id)]
            best = best_span(text, logprob, document, tokenizer, following, stop_ids, max_new_tokens=max_new_tokens)
        said.append(text if best is None else best.text)
    return said


def _following(model: Any, read: DynamicCache, suffix: Sequence[int]) -> Following:
    """Behind a question on the document that was read."""
    cache = copy.deepcopy(read)
    first = _after(model, cache, suffix, 1)[0]
    num_read = cache.get_seq_length()

    def following(token_ids: Sequence[int]) -> Iterator[torch.Tensor]:
        yield first
        for start in range(0, len(token_ids), _PASS_TOKENS):
            if extra := cache.get_seq_length() - num_read - start:
                cache.crop(-extra)
            part = token_ids[start : start + _PASS_TOKENS]
            yield from _after(model, cache, part, len(part))

    return following


@torch.inference_mode()
def _after(model: Any, cache: DynamicCache, token_ids: Sequence[int], num_logits: int) -> torch.Tensor:
    """Log-probabilities (num_logits, V) of what follows the last of the tokens, which are appended to the cache."""
    out = model(input_ids=torch.tensor([list(token_ids)]), past_key_values=cache, logits_to_keep=num_logits)
    return out.logits[0].float().log_softmax(-1)  # type: ignore[no-any-return]


@torch.inference_mode()
def _decoded(
    model: Any, tokenizer: PreTrainedTokenizerBase, read: DynamicCache, suffixes: list[list[int]], max_new_tokens: int
) -> list[tuple[str, float]]:
    """Each question's greedy answer over what was read, and the natural log of its probability."""
    end_id = int(tokenizer.eos_token_id)
    cache = copy.deepcopy(read)
    cache.batch_repeat_interleave(len(suffixes))
    seen, width = read.get_seq_length(), max(map(len, suffixes))
    pads = torch.tensor([width - len(suffix) for suffix in suffixes])[:, None]  # (B, 1), on the left of a question
    tokens = torch.tensor([[end_id] * (width - len(suffix)) + suffix for suffix in suffixes])  # (B, S)
    real = torch.arange(width)[None, :] >= pads
    mask = torch.cat([torch.ones(len(suffixes), seen, dtype=torch.long), real.long()], dim=1)
    position = (torch.arange(width)[None, :] - pads).clamp(min=0) + seen
    answers: list[list[int]] = [[] for _ in suffixes]
    logprobs = [0.0] * len(suffixes)
    running = torch.ones(len(suffixes), dtype=torch.bool)
    for _ in range(max_new_tokens):
        out = model(
            input_ids=tokens, attention_mask=mask, position_ids=position, past_key_values=cache, logits_to_keep=1
        )
        logprob, chosen = out.logits[:, -1].float().log_softmax(-1).max(-1)  # (B,) each
        for index in running.nonzero().flatten().tolist():
            logprobs[index] += float(logprob[index])
        running &= chosen != end_id
        if not running.any():
            break
        for index in running.nonzero().flatten().tolist():
            answers[index].append(int(chosen[index]))
        tokens, position = chosen[:, None], position[:, -1:] + 1
        mask = torch.cat([mask, torch.ones(len(suffixes), 1, dtype=torch.long)], dim=1)
    texts = [str(tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in answers]
    return list(zip(texts, logprobs, strict=True))
