"""The buffered cache against transformers' DynamicCache, and its truncation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache

from llm.backbone import Backbone
from llm.reading import ReadingCache
from llm.reading.prefill import forward


def test_logits_equal_those_of_transformers_own_cache(tiny: Backbone) -> None:
    ids = tiny.prompt.encode("A lease of twelve months begins on the first of May." * 30)  # past the first buffer
    cache, plain = ReadingCache(), DynamicCache()
    for start in range(0, len(ids), 97):
        logits = forward(tiny, cache, ids[start : start + 97])
        with torch.inference_mode():
            output = tiny.model(input_ids=torch.tensor([ids[start : start + 97]]), past_key_values=plain)
        torch.testing.assert_close(logits, output.logits[0, -1], atol=1e-5, rtol=0)
    assert cache.num_tokens == len(ids) > 1024


def test_decoding_one_token_at_a_time_equals_one_pass(tiny: Backbone) -> None:
    ids = tiny.prompt.encode("The rent is 1,200 a month.")
    stepwise = ReadingCache()
    for token in ids:
        last = forward(tiny, stepwise, [token])
    torch.testing.assert_close(last, forward(tiny, ReadingCache(), ids), atol=1e-5, rtol=0)


def test_a_truncated_cache_answers_as_if_the_rest_was_never_read(tiny: Backbone) -> None:
    document, question = tiny.prompt.encode("Clause one. Clause two."), tiny.prompt.suffix("Which?")
    cache = ReadingCache()
    forward(tiny, cache, document)
    first = forward(tiny, cache, question)
    cache.truncate(len(document))
    torch.testing.assert_close(forward(tiny, cache, question), first, atol=0, rtol=0)
    with pytest.raises(ValueError, match="cannot be cut to 9999"):
        cache.truncate(9999)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(1, 700), st.integers(0, 100)), min_size=1, max_size=6))
def test_any_sequence_of_appends_and_cuts_keeps_what_a_plain_tensor_keeps(steps: list[tuple[int, int]]) -> None:
    cache, plain = ReadingCache(), torch.empty(1, 2, 0, 4)
    for size, cut_percent in steps:
        states = torch.randn(1, 2, size, 4)
        keys, values = cache.update(states, -states, 0)
        plain = torch.cat([plain, states], dim=2)
        assert torch.equal(keys, plain)
        assert torch.equal(values, -plain)
        keep = plain.shape[2] * cut_percent // 100
        cache.truncate(keep)
        plain = plain[:, :, :keep]
        assert cache.num_tokens == keep
