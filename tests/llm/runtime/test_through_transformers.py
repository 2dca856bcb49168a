"""What a runner does besides being exact: unknown families, refusals, splitting at chunks, plain calls."""

from pathlib import Path

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GlmConfig,
    GlmForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from app.bench.checkpoints import tiny
from llm.errors import ModelNotFound
from llm.runtime.rotation import NoRotation
from llm.runtime.through_transformers import TransformersRunner
from llm.runtime.working import WorkingKV

TINY = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
IDS = [5, 9, 33, 12, 60, 7, 7, 21, 40, 3]


def memory(runner: TransformersRunner, dtype: torch.dtype = torch.float32) -> WorkingKV:
    return WorkingKV(runner.layouts, runner.rotation, device=torch.device("cpu"), dtype=dtype)


def llama() -> PreTrainedModel:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**TINY, initializer_range=0.2)).eval()


def test_an_unknown_family_is_fed_true_positions_and_stays_exact() -> None:
    torch.manual_seed(0)
    model = GlmForCausalLM(GlmConfig(**TINY, head_dim=8, initializer_range=0.2)).eval()
    with torch.no_grad():
        expected = model(torch.tensor([IDS])).logits[0, -1]
    runner = TransformersRunner(model)
    assert not runner.is_position_free
    assert isinstance(runner.rotation, NoRotation)
    kv = memory(runner)
    runner.forward(IDS[:6], kv)
    torch.testing.assert_close(runner.forward(IDS[6:], kv), expected, atol=1e-5, rtol=0)


def test_a_known_family_can_be_numbered_anew() -> None:
    assert TransformersRunner(llama()).is_position_free


def test_keys_reach_the_working_set_unrotated() -> None:
    """Two equal tokens leave equal keys in the first layer, wherever they stand."""
    runner = TransformersRunner(llama())
    kv = WorkingKV(runner.layouts, NoRotation(), device=torch.device("cpu"), dtype=torch.float32)
    runner.forward([5, 5, 9, 5], kv)
    keys, _ = kv.layers[0].shown()  # (K, T, C)
    torch.testing.assert_close(keys[:, [0, 1, 3]], keys[:, :1].expand(-1, 3, -1), atol=1e-6, rtol=0)


def test_passes_end_where_chunks_end(tmp_path: Path) -> None:
    runner = TransformersRunner(next(tiny(tmp_path, ["Llama 4 Scout"])).load())
    kv = memory(runner)
    runner.forward(list(range(3, 43)), kv)  # 40 tokens, chunks of 16
    assert kv.num_tokens == 40
    assert [layer.num_shown for layer in kv.layers] == [8, 8, 8, 40]


def test_bfloat16_is_near_float32() -> None:
    model = llama()
    expected = TransformersRunner(model).forward(IDS, memory(TransformersRunner(model)))
    runner = TransformersRunner(model.to(torch.bfloat16))
    logits = runner.forward(IDS, memory(runner, torch.bfloat16))
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected, atol=0.15, rtol=0)


def test_a_plain_call_is_answered_by_plain_attention() -> None:
    model = llama()
    with torch.no_grad():
        expected = model(torch.tensor([IDS])).logits
        TransformersRunner(model)
        torch.testing.assert_close(model(torch.tensor([IDS])).logits, expected, atol=1e-5, rtol=0)


def test_a_plain_call_attends_to_what_the_models_own_indexers_choose(tmp_path: Path) -> None:
    model = next(tiny(tmp_path, ["DeepSeek-V3.2"])).load()
    ids = torch.tensor([IDS * 4])  # 40 tokens, of which 24 are chosen
    with torch.no_grad():
        expected = model(ids, use_cache=False).logits
        TransformersRunner(model)
        torch.testing.assert_close(model(ids, use_cache=False).logits, expected, atol=1e-5, rtol=0)


def test_a_quantised_latent_projection_is_expanded(tmp_path: Path) -> None:
    """Any layer that is not a plain matrix is asked for its matrix."""

    class Doubling(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(input)

    model = next(tiny(tmp_path, ["DeepSeek-V3"])).load()
    attention = model.model.layers[1].self_attn
    other = Doubling(attention.kv_b_proj.in_features, attention.kv_b_proj.out_features, bias=False)
    other.load_state_dict(attention.kv_b_proj.state_dict())
    attention.kv_b_proj = other
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([IDS]), use_cache=False).logits[0, -1]
    runner = TransformersRunner(model)
    kv = memory(runner)
    runner.forward(IDS[:-1], kv)
    torch.testing.assert_close(runner.forward(IDS[-1:], kv), expected, atol=1e-5, rtol=0)


def test_a_model_without_the_interface_is_refused() -> None:
    with pytest.raises(ModelNotFound, match="'bloom' cannot be read with: it does not attend through"):
        TransformersRunner(BloomForCausalLM(BloomConfig(vocab_size=64, hidden_size=32, n_layer=1, n_head=4)))


def test_an_attention_with_sinks_is_refused() -> None:
    model = GptOssForCausalLM(GptOssConfig(**TINY, head_dim=8, num_local_experts=2, num_experts_per_tok=1)).eval()
    runner = TransformersRunner(model)
    with pytest.raises(ModelNotFound, match="attention needs s_aux, which the runtime lacks"):
        runner.forward(IDS, memory(runner))


def test_keys_of_another_shape_than_the_configs_are_refused() -> None:
    model = llama()
    runner = TransformersRunner(model)
    kv = WorkingKV(
        TransformersRunner(LlamaForCausalLM(LlamaConfig(**{**TINY, "num_key_value_heads": 4}))).layouts,
        runner.rotation, device=torch.device("cpu"), dtype=torch.float32,
    )  # fmt: skip
    with pytest.raises(ModelNotFound, match="has 2 key heads of 8 channels, its config says 4 of 8"):
        runner.forward(IDS, kv)
