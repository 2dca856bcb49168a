"""Multi-token prediction: what is written with guesses is what is written without them, right ones and wrong ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

from llm.backbone import Backbone, load_backbone
from llm.drafting import Drafter
from llm.errors import ModelNotFound
from llm.generation import Generated, generate
from llm.runtime.working import WorkingKV
from tests.llm.conftest import write_tiny_checkpoint

NUM_TOKENS = 12
LAYERS = 61  # of the released models; transformers looks for the extra layer by this number
SHAPE = {
    "hidden_size": 16, "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": LAYERS,
    "num_attention_heads": 2, "num_key_value_heads": 2, "n_routed_experts": 4, "n_shared_experts": 1, "n_group": 1,
    "topk_group": 1, "num_experts_per_tok": 2, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4, "v_head_dim": 4, "first_k_dense_replace": 1, "max_position_embeddings": 512,
    "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip


def write_deepseek(folder: Path, *, with_extra_layer: bool = True) -> Path:
    """A tiny DeepSeek-V3 in the released layout: `model.layers.61` is the layer that guesses."""
    write_tiny_checkpoint(folder)  # for its tokenizer
    torch.manual_seed(0)
    model = DeepseekV3ForCausalLM(DeepseekV3Config(vocab_size=258, **SHAPE))
    extra = DeepseekV3ForCausalLM(DeepseekV3Config(vocab_size=258, **SHAPE | {"num_hidden_layers": 2}))
    with torch.no_grad():
        for parameter in (*model.parameters(), *extra.parameters()):
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    extra.save_pretrained(folder / "extra")
    model.save_pretrained(folder)
    if with_extra_layer:
        weights = load_file(folder / "model.safetensors")
        for name, weight in load_file(folder / "extra" / "model.safetensors").items():
            if name.startswith("model.layers.1."):
                weights[name.replace("layers.1.", f"layers.{LAYERS}.")] = weight.clone()
        head = f"model.layers.{LAYERS}"
        weights |= {f"{head}.{norm}.weight": torch.ones(16) for norm in ("enorm", "hnorm", "shared_head.norm")}
        weights[f"{head}.eh_proj.weight"] = torch.randn(16, 32) * 0.3
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = write_deepseek(tmp_path_factory.mktemp("deepseek"))
    return load_backbone(str(folder), cache_dir=folder, dtype="float32", threads=1, mtp=True)


def written(backbone: Backbone, kv: WorkingKV | None = None, num_tokens: int = NUM_TOKENS) -> list[int]:
    into = Generated()
    prompt = [*backbone.prompt.prefix, *backbone.prompt.encode("The river turns")]
    for _ in generate(backbone, kv or backbone.empty_kv(), prompt, into, max_new_tokens=num_tokens):
        pass
    return into.token_ids


@pytest.fixture(scope="module")
def truth(backbone: Backbone) -> list[int]:
    """What is written without guesses."""
    tokens = written(replace(backbone, drafter=None))
    assert len(tokens) == NUM_TOKENS
    return tokens


def test_greedy_text_is_the_same_with_and_without_guesses(backbone: Backbone, truth: list[int]) -> None:
    assert backbone.drafter is not None
    before = backbone.drafter.num_guessed
    assert written(backbone) == truth
    assert backbone.drafter.num_guessed > before


class Foreseeing:
    """Guesses rightly every so often, as told; a real layer with random weights hardly ever would."""

    def __init__(self, truth: list[int], is_right: Callable[[int], bool]) -> None:
        self._truth, self._is_right = truth, is_right
        self.num_guessed = self.num_right = self._seen = 0

    def begin(self) -> None:
        self._seen = 0

    def guess(self, states: torch.Tensor, followed_by: list[int]) -> int:
        assert len(states) == len(followed_by)
        self._seen = 1 if not self._seen else self._seen + len(followed_by)
        self.num_guessed += 1
        token = self._truth[self._seen] if self._seen < len(self._truth) else 0
        return token if self._is_right(self.num_guessed) else (token + 1) % 258


@pytest.mark.parametrize(
    ("is_right", "passes"), [(lambda _: True, 7), (lambda _: False, 12), (lambda number: number % 2 == 0, 9)]
)
def test_right_guesses_save_passes_and_wrong_ones_change_nothing(
    backbone: Backbone,
    truth: list[int],
    monkeypatch: pytest.MonkeyPatch,
    is_right: Callable[[int], bool],
    passes: int,
) -> None:
    drafter = Foreseeing(truth, is_right)
    kv = backbone.empty_kv()
    calls: list[int] = []
    begin = WorkingKV.begin
    monkeypatch.setattr(WorkingKV, "begin", lambda self, num_new: (calls.append(num_new), begin(self, num_new))[1])
    assert written(replace(backbone, drafter=drafter), kv) == truth  # type: ignore[arg-type]
    assert len(calls) == passes
    assert kv.num_tokens <= calls[0] + NUM_TOKENS
    for layer in kv.layers:
        assert layer.num_shown == kv.num_tokens


def test_drawing_and_forms_do_without_guesses(backbone: Backbone) -> None:
    assert backbone.drafter is not None
    before = backbone.drafter.num_guessed
    prompt = [*backbone.prompt.prefix, *backbone.prompt.suffix("Why?")]
    for _ in generate(backbone, backbone.empty_kv(), prompt, Generated(), max_new_tokens=4, temperature=1.0):
        pass
    assert backbone.drafter.num_guessed == before


def test_a_model_without_the_layer_is_one_sentence(tiny: Backbone, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="'llama' cannot guess tokens ahead: its config tells of no such layers"):
        Drafter.of(tiny.model)
    folder = write_deepseek(tmp_path, with_extra_layer=False)
    with pytest.raises(ModelNotFound, match=r"'deepseek_v3' cannot guess tokens ahead: .*leave --mtp out"):
        load_backbone(str(folder), cache_dir=tmp_path, dtype="float32", threads=1, mtp=True)
