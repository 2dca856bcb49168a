"""Plans against published figures and against the block store's own layouts."""

import re
from pathlib import Path

import pytest
from transformers import Gemma4TextConfig, LlamaConfig

from llm.errors import ModelNotFound
from llm.kv.codec import KVDtype
from llm.plan import WeightsDtype, plan_of
from llm.plan.kept import kept_states
from llm.plan.known import config_of, known_models

MILLION = 1_048_576
GB = 10**9

# Model cards and papers: total and active parameters, in billions. A model card may count its image tower or not.
PUBLISHED = {
    "smollm2-135m": (0.1345, 0.1345),
    "llama-4-scout": (109, 17),
    "llama-4-maverick": (400, 17),
    "llama-4-behemoth-shaped": (2000, 288),
    "deepseek-v2-lite": (15.7, 2.7),  # 2.4 without the embeddings
    "deepseek-v3": (671, 37),
    "deepseek-v3.1": (671, 37),
    "deepseek-r1": (671, 37),
    "deepseek-v3.2": (671, 38),
    "deepseek-v4-flash": (284, 13.6),
    "deepseek-v4-pro": (1600, 49),
    "kimi-vl-a3b": (16, 2.9),
    "kimi-k2.5": (1030, 32.5),
    "qwen3-vl-4b": (4.44, 4.02),
    "qwen3-vl-8b": (8.77, 8.19),
    "qwen3-vl-32b": (33.4, 32.8),
    "qwen3-vl-30b-a3b": (31, 3.3),
    "qwen3-vl-235b-a22b": (236, 22),
    "glm-4.5": (355, 33),
    "glm-4.5v": (108, 13.2),
    "glm-4.6v": (108, 13.2),
    "gemma-4-26b-a4b": (25.8, 3.8),
    "gemma-4-31b": (31.3, 30.7),
    "smolvlm-256m": (0.256, 0.163),
    "smolvlm2-2.2b": (2.25, 1.81),
    "granite-docling-258m": (0.258, 0.164),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    total, active = PUBLISHED[name]
    plan = plan_of(name)
    assert plan.parameters / GB == pytest.approx(total, rel=0.02)
    assert plan.active_parameters / GB == pytest.approx(active, rel=0.03)
    assert plan.weights_bytes == 2 * plan.parameters
    assert plan.active_weights_bytes == 2 * plan.active_parameters


def test_every_bundled_model_but_our_own_is_compared() -> None:
    assert set(known_models()) - set(PUBLISHED) == {"leafmoe-135m"}


@pytest.mark.parametrize(
    ("name", "in_memory"), [("llama-4-scout", 109), ("llama-4-maverick", 400), ("deepseek-v3", 671)]
)
def test_weights_in_narrow_formats(name: str, in_memory: float) -> None:
    assert plan_of(name, weights_dtype=WeightsDtype.FP8).weights_bytes == pytest.approx(in_memory * GB, rel=0.02)
    assert plan_of(name, weights_dtype=WeightsDtype.INT4).weights_bytes == pytest.approx(in_memory * GB / 2, rel=0.02)


@pytest.mark.parametrize("name", ["llama-4-scout", "llama-4-maverick"])
def test_llama_4_keeps_its_global_layers_and_one_chunk(name: str) -> None:
    plan = plan_of(name)
    assert plan.context == MILLION
    assert plan.kv_values_per_token == 98_304
    assert plan.kv_bytes == 24_576 * MILLION * 2 + 36 * 8192 * 2048 * 2
    assert plan.kv_bytes_uniform == 98_304 * MILLION * 2


def test_deepseek_keeps_latents_and_a_plain_cache_every_head() -> None:
    plan = plan_of("deepseek-ai/DeepSeek-R1")
    assert plan.model == "deepseek-r1"
    assert plan.kv_values_per_token == 35_136
    assert plan.kv_bytes == 35_136 * MILLION * 2
    assert plan.kv_bytes_uniform == 2_498_560 * MILLION * 2


def test_the_packaged_model_in_8_bits_takes_what_its_snapshots_take() -> None:
    plan = plan_of("smollm2-135m", kv_dtype=KVDtype.INT8)
    crcs = 30 * MILLION // 64 * 4
    assert plan.kv_bytes + plan.index_bytes + crcs == pytest.approx(12_062 * MILLION, rel=1e-4)  # docs/SETTINGS.md
    assert plan.index_bytes == 377_487_360
    assert plan.kv_bytes_uniform == plan.kv_bytes


def test_tokens_that_fill_no_block_stay_in_bfloat16() -> None:
    one_block = plan_of("smollm2-135m", context=64, kv_dtype=KVDtype.INT8)
    with_tail = plan_of("smollm2-135m", context=70, kv_dtype=KVDtype.INT8)
    assert with_tail.kv_bytes - one_block.kv_bytes == 6 * 11_520 * 2
    assert with_tail.index_bytes == one_block.index_bytes


def test_gemma_4_has_wider_heads_in_its_global_layers() -> None:
    plan = plan_of("gemma-4-31b", context=2048)
    sliding, wide = 2 * 16 * 256, 2 * 4 * 512
    assert plan.kv_values_per_token == 50 * sliding + 10 * wide
    assert plan.kv_bytes == (50 * sliding * 1024 + 10 * wide * 2048) * 2


def test_indexed_and_compressed_attention_is_counted() -> None:
    v32, v4 = plan_of("deepseek-v3.2"), plan_of("deepseek-v4-flash")
    assert v32.kv_values_per_token == 61 * (512 + 64 + 128)
    sparse = config_of("deepseek-v4-flash").layer_types.count("compressed_sparse_attention")
    heavy = 43 - sparse
    compressed = sparse * (512 + 128) * MILLION // 4 + heavy * 512 * MILLION // 128
    # of the last 128 tokens also what entries are made of, and the latest entries
    making = sparse * (512 + 128 + 2 * 2 * (512 + 128)) + heavy * (512 + 2 * 512)
    assert v4.kv_bytes == (compressed + 128 * (43 * 512 + making)) * 2
    assert v4.kv_bytes == plan_of("deepseek-v4-flash", kv_dtype=KVDtype.INT8).kv_bytes  # entries are kept as they are
    assert v4.kv_values_per_token == 43 * 512 + sparse * 160 + heavy * 4
    assert v4.index_bytes == 0


def test_small_models_fit_small_machines_and_large_ones_do_not() -> None:
    assert plan_of("leafmoe-135m").fits[0].machine == "laptop with 16 GB"
    scout = [fit.machine for fit in plan_of("llama-4-scout", weights_dtype=WeightsDtype.INT4).fits]
    assert "server with 512 GB and an 80 GB GPU" in scout
    assert "laptop with 16 GB" not in scout
    fp8 = {fit.machine: fit.how for fit in plan_of("deepseek-v3", weights_dtype=WeightsDtype.FP8).fits}
    assert fp8["node with 2 TB and eight 80 GB GPUs"].startswith("experts in host memory, ")
    assert fp8["node with 2 TB and eight 141 GB GPUs"] == "through a serving engine, weights and KV on 8 GPUs"


def test_where_keys_and_values_lie_follows_what_is_left() -> None:
    over_1m = {fit.machine: fit.how for fit in plan_of("llama-4-scout", weights_dtype=WeightsDtype.INT4).fits}
    short = {
        fit.machine: fit.how for fit in plan_of("llama-4-scout", context=8192, weights_dtype=WeightsDtype.INT4).fits
    }
    server = "server with 512 GB and an 80 GB GPU"
    assert over_1m[server] == "weights and index on one GPU, KV in host memory"
    assert short[server] == "weights and index on one GPU, KV on it"
    assert plan_of("llama-4-scout").fits[0].how.startswith("experts in host memory, ")


def test_a_checkpoint_folder_has_a_plan_too(tmp_path: Path) -> None:
    LlamaConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=128
    ).save_pretrained(tmp_path)
    plan = plan_of(str(tmp_path), context=128)
    assert plan.kv_bytes == 2 * 2 * 64 * 128 * 2
    assert plan.parameters == 2 * 128 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 96 + 2 * 64) + 64


def test_an_unknown_name_is_one_sentence_and_opens_no_connection() -> None:
    with pytest.raises(ModelNotFound, match=r"'llama-4-scot': there is no such folder.*such as llama-4-scout"):
        plan_of("llama-4-scot")


def test_layers_that_share_states_keep_none() -> None:
    all_layers, shared = (kept_states(Gemma4TextConfig(num_kv_shared_layers=number)) for number in (0, 6))
    assert len(all_layers.kept) - len(shared.kept) == 6


def test_the_page_of_models_has_every_row_and_its_figures() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "MODELS.md"
    rows = re.findall(
        r"^\| `([\w.-]+)` \| [^|]+ \| [^|]+ \| ([\d,]+) \|.*\| ([^|]+) \|$", page.read_text("utf-8"), re.M
    )
    assert [name for name, _, _ in rows] == list(known_models())
    for name, values, machine in rows:
        plan = plan_of(name, context=131_072)
        assert (f"{plan.kv_values_per_token:,}", plan.fits[0].machine) == (values, machine)
