"""`plan`: the object of the contract, and what a person reads."""

import json

import pytest

from app.cli import cli

KEYS = [
    "model", "context", "weights_bytes", "active_weights_bytes", "kv_bytes", "kv_bytes_uniform", "kv_values_per_token",
    "index_bytes", "fits",
]  # fmt: skip
OF_PAGES = ["pages", "page_px", "patches_a_page", "pages_kv_bytes"]  # beside the contract's, for models with eyes


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli(["plan", *args])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_json_is_the_object_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "llama-4-scout", "--json")
    found = json.loads(out)
    assert code == 0
    assert [key for key in found if key not in OF_PAGES] == KEYS
    assert all(key in found for key in OF_PAGES)
    assert (found["model"], found["context"], found["kv_values_per_token"]) == ("llama-4-scout", 1_048_576, 98_304)
    assert found["fits"]
    assert all(list(fit) == ["machine", "how"] for fit in found["fits"])


def test_lengths_and_formats_are_options(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("smollm2-135m", "--context", "8k", "--kv-dtype", "float32", "--weights-dtype", "float32", "--json")
    found = json.loads(run(capsys, *args)[1])
    assert found["kv_bytes"] == 11_520 * 8192 * 4
    assert found["weights_bytes"] == 4 * 134_515_008


def test_a_person_reads_what_is_kept_and_where_it_fits(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "llama-4-scout", "--weights-dtype", "int4")
    assert "KV             52.7 GB  98,304 values a token in bfloat16; a plain cache would keep 206 GB" in out
    assert "server with 512 GB and an 80 GB GPU: weights and index on one GPU, KV in host memory" in out


def test_what_a_plan_leaves_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        "Note: its language model alone; transformers has no class for its image tower" in run(capsys, "kimi-vl-a3b")[1]
    )


def test_an_unknown_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "nothing-like-it")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no config could be read for 'nothing-like-it'" in err
