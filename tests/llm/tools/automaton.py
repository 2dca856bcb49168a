"""A checkpoint whose next token follows from its last one alone: it writes what a test wants it to.

A Llama whose attention and feed-forward layers add nothing: embeddings are unit vectors, and the head is the table of
what follows. Through the runtime it is a model like any other.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.llm.tools.templates import HERMES, Family

AFTER = "<|after|>"  # opens the turn behind a result
_START, _END = "<|im_start|>", "<|im_end|>"
_OPENING, _CLOSING = "<tool_call>", "</tool_call>"
_TURN = "<|im_start|>assistant\n{% endif %}"
_NEXT = "<|im_start|>assistant{{ '" + AFTER + "' if messages[-1].role == 'tool' else '\n' }}{% endif %}"

CALLER = Family(HERMES.replace(_TURN, _NEXT), (_START, _END, AFTER), (_END,), (_OPENING, _CLOSING))
STUBBORN = replace(CALLER, template=HERMES)  # its turns all begin alike


def write_automaton(
    folder: Path, call: str, answer: str, *, family: Family = CALLER, context_tokens: int = 8192
) -> Path:
    """Its first turn is a call, told from the tool's name to the last value; behind a result it writes the answer."""
    tokenizer = family.tokenizer([call, answer])
    tokenizer.save_pretrained(folder)
    number = tokenizer.convert_tokens_to_ids
    follows: Mapping[str, str] = {
        "Ċ": _OPENING, '"': call, call: "}", AFTER: answer, answer: _END,
    }  # fmt: skip
    size = len(tokenizer)
    config = LlamaConfig(
        vocab_size=size, hidden_size=size + size % 2, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=context_tokens, eos_token_id=number(_END),
        tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        torch.nn.init.eye_(model.model.embed_tokens.weight)
        model.lm_head.weight.zero_()
        for token, following in follows.items():
            model.lm_head.weight[number(following), number(token)] = 1.0
    model.save_pretrained(folder)
    return folder
