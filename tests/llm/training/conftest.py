"""A tiny base checkpoint with a byte tokenizer of its own, and small question sets, all made here."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llm.training.sources import TEXT_SETS

COLOURS = ("red", "blue", "green", "amber", "violet", "white", "black", "brown")


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "<end>", *letters])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="<end>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        initializer_range=0.3,  # wide enough that frozen embeddings can tell tokens apart
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every set that training reads, thirty contexts each."""
    folder = tmp_path_factory.mktemp("qa")
    for name in TEXT_SETS:
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            for number in range(30):
                colour = COLOURS[number % 8]
                context = f"In {name} box {number} is {colour} and weighs {number + 100} grams."
                questions = [
                    {"id": "a", "question": f"What colour has box {number}?", "answers": [colour]},
                    {"id": "b", "question": f"How heavy is box {number}?", "answers": [f"{number + 100} grams"]},
                ]
                file.write(json.dumps({"context": context, "questions": questions}) + "\n")
    return folder
