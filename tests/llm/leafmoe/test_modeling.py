from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from llm.leafmoe import LeafMoEConfig, LeafMoEForCausalLM, register, upcycle

TOKENS = torch.arange(1, 61).view(2, 30)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = model(TOKENS).logits
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [{"experts_per_token": 1}, {"experts_per_token": 2, "attention_rank": 3}])
def test_fresh_experts_equal_the_base_bit_for_bit(base_folder: Path, dtype: torch.dtype, shape: dict[str, int]) -> None:
    base = LlamaForCausalLM.from_pretrained(base_folder, dtype=dtype)
    assert torch.equal(logits(upcycle(base_folder, dtype=dtype, **shape)), logits(base))


def test_trained_experts_change_the_answer(base_folder: Path, trained: LeafMoEForCausalLM) -> None:
    base = LlamaForCausalLM.from_pretrained(base_folder, dtype=torch.bfloat16)
    assert not torch.equal(logits(trained), logits(base))


def test_what_training_added_can_be_switched_off(base_folder: Path, trained: LeafMoEForCausalLM) -> None:
    base = LlamaForCausalLM.from_pretrained(base_folder, dtype=torch.bfloat16)
    before = logits(trained)
    with trained.as_base():
        assert torch.equal(logits(trained), logits(base))
    assert torch.equal(logits(trained), before)


@pytest.mark.parametrize("experts_per_token", [1, 2])
def test_experts_equal_a_loop_over_tokens(base_folder: Path, experts_per_token: int) -> None:
    torch.manual_seed(3)
    model = upcycle(base_folder, dtype=torch.float32, expert_width=8, experts_per_token=experts_per_token)
    experts = model.experts()[1]
    with torch.no_grad():
        experts.down_proj.weight.normal_()
        experts.router.selection_bias.copy_(torch.tensor([0.3, -0.2, 0.0, 0.1]))
        hidden = torch.randn(1, 5, 32)
        fast = experts(hidden)
        for place, token in enumerate(hidden[0]):
            scores = torch.sigmoid(experts.router.weight @ token)
            best = (scores + experts.router.selection_bias).argsort(descending=True)[:experts_per_token].tolist()
            plain = torch.zeros(32)
            for number in best:
                own = slice(number * 8, number * 8 + 8)
                gate, up = experts.gate_up_proj.weight.chunk(2)
                inner = torch.nn.functional.silu(gate[own] @ token) * (up[own] @ token)
                plain += scores[number] * (experts.down_proj.weight[:, own] @ inner)
            torch.testing.assert_close(fast[0, place], plain, atol=1e-5, rtol=1e-5)


def test_selection_bias_changes_the_choice_but_not_the_gate(trained: LeafMoEForCausalLM) -> None:
    router = trained.experts()[0].router
    hidden = torch.randn(1, 6, 32)
    with torch.no_grad():
        router.selection_bias.zero_()
        before, _ = router(hidden)
        router.selection_bias.copy_(torch.tensor([0.0, 0.0, 5.0, 0.0]))
        after, chosen = router(hidden)
    assert chosen[..., 2].all()
    assert after.max() <= 1
    already = before[..., 2] > 0
    assert torch.equal(after[..., 2][already], before[..., 2][already])


def test_embeddings_go_in_as_tokens_do(trained: LeafMoEForCausalLM) -> None:
    with torch.no_grad():
        embedded = trained(inputs_embeds=trained.get_input_embeddings()(TOKENS)).logits
    assert torch.equal(embedded, logits(trained))


def test_cached_decoding_equals_one_pass(base_folder: Path) -> None:
    torch.manual_seed(4)
    model = upcycle(base_folder, dtype=torch.float32, attention_rank=2).eval()
    with torch.no_grad():
        for tensor in model.trained_state().values():
            tensor.copy_(torch.randn(tensor.shape) * 0.2)
        first = model(TOKENS[:, :20], use_cache=True)
        rest = model(TOKENS[:, 20:], past_key_values=first.past_key_values).logits
    torch.testing.assert_close(rest, logits(model)[:, 20:], atol=1e-4, rtol=1e-4)


def test_save_and_load_as_a_transformers_folder(tmp_path: Path, trained: LeafMoEForCausalLM) -> None:
    register()
    register()
    trained.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), LeafMoEConfig)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert isinstance(loaded, LeafMoEForCausalLM)
    assert torch.equal(logits(loaded), logits(trained))
    assert loaded.experts()[0].router.selection_bias.dtype == torch.float32


def test_a_shape_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(
        StrictDataclassClassValidationError, match="experts_per_token is 5: it must lie between 1 and num_experts, 4"
    ):
        LeafMoEConfig(experts_per_token=5)
