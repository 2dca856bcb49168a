"""Greedy answers to many questions on one document at once: the document is read once, the questions are one batch."""

from typing import Any

import torch
from transformers import DynamicCache, PreTrainedTokenizerBase

from llm.prompt import Prompt


@torch.inference_mode()
def answer_all(
    model: Any, tokenizer: PreTrainedTokenizerBase, document: str, questions: list[str], max_new_tokens: int = 32
) -> list[str]:
    """The model's greedy answer to each question, as text. The model must use an attention that takes a mask."""
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
    running = torch.ones(len(questions), dtype=torch.bool)
    for _ in range(max_new_tokens):
        out = model(
            input_ids=tokens, attention_mask=mask, position_ids=position, past_key_values=cache, logits_to_keep=1
        )
        chosen = out.logits[:, -1].argmax(-1)  # (B,)
        running &= chosen != end_id
        if not running.any():
            break
        for index in running.nonzero().flatten().tolist():
            answers[index].append(int(chosen[index]))
        tokens, position = chosen[:, None], position[:, -1:] + 1
        mask = torch.cat([mask, torch.ones(len(questions), 1, dtype=torch.long)], dim=1)
    return [str(tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in answers]
