"""Where settings come from, what they refuse, and that the page about them is true."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import BadSetting
from app.settings import KV_DTYPES, PREFIX, Settings, calm_environment, variable_names
from llm.kv.codec import KVDtype

DOCS = Path(__file__).resolve().parents[2] / "docs" / "SETTINGS.md"


def test_an_option_wins_over_the_environment_and_that_over_the_default() -> None:
    environ = {"LONGLEAF_PORT": "8000", "LONGLEAF_MODEL": "some/model", "PATH": "/bin"}
    settings = Settings.from_environment(environ, port=9000, model=None, threads=None)
    assert (settings.port, settings.model, settings.threads, settings.host) == (9000, "some/model", None, "127.0.0.1")


def test_an_explicit_zero_survives() -> None:
    assert Settings.from_environment({"LONGLEAF_PORT": "8000"}, port=0).port == 0
    assert Settings.from_environment({"LONGLEAF_PORT": "0"}).port == 0


def test_a_budget_may_be_a_part_of_a_gigabyte() -> None:
    assert Settings.from_environment({"LONGLEAF_KV_DISK_GB": "0.5"}).kv_disk_gb == 0.5
    assert Settings.from_environment({}).kv_disk_gb is None


def test_every_switch_can_be_set_to_0() -> None:
    switches = [item.name for item in dataclasses.fields(Settings) if isinstance(item.default, bool)]
    assert {"tools", "mtp", "share"} <= set(switches)
    for name in switches:
        for text, value in (("0", False), ("1", True)):
            assert getattr(Settings.from_environment({f"LONGLEAF_{name.upper()}": text}), name) is value


def test_the_kv_dtypes_are_those_of_the_store() -> None:
    assert tuple(KVDtype) == KV_DTYPES


def test_settings_bring_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, app.settings; sys.exit('torch' in sys.modules)"],
        cwd=DOCS.parents[1], capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_folders_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = Settings.from_environment({"LONGLEAF_DATA_DIR": "here", "LONGLEAF_CACHE_DIR": "~/there"})
    assert (settings.data_dir, settings.cache_dir) == (tmp_path / "here", tmp_path / "home" / "there")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"LONGLEAF_REMOTE_TIMEOUT_S": "0"}, "remote_timeout_s is 0.0; it must be a number of seconds above 0"),
        ({"LONGLEAF_REMOTE_CONTEXT_TOKENS": "10"}, "remote_context_tokens is 10; it must be at least 1024"),
        ({"LONGLEAF_PROT": "1"}, "unknown environment variable LONGLEAF_PROT; known are LONGLEAF_ADAPTER, "),
        ({"LONGLEAF_PORT": "web"}, "environment variable LONGLEAF_PORT is 'web'; it must be a whole number"),
        ({"LONGLEAF_PORT": "70000"}, "port is 70000; it must be between 0 (any free port) and 65535"),
        ({"LONGLEAF_THREADS": "0"}, "threads is 0; it must be at least 1, or left out to use the free cores"),
        ({"LONGLEAF_DTYPE": "int3"}, "dtype is 'int3'; it must be one of float32, bfloat16, float16"),
        ({"LONGLEAF_KV_DTYPE": "int2"}, "kv_dtype is 'int2'; it must be one of float32, bfloat16, int8, int4"),
        ({"LONGLEAF_KV_DISK_GB": "much"}, "environment variable LONGLEAF_KV_DISK_GB is 'much'; it must be a number"),
        ({"LONGLEAF_KV_DISK_GB": "0"}, "kv_disk_gb is 0.0; it must be a number above 0, or left out for no limit"),
        ({"LONGLEAF_KV_DISK_GB": "nan"}, "kv_disk_gb is nan; it must be a number above 0"),
        ({"LONGLEAF_KV_DISK_GB": "inf"}, "kv_disk_gb is inf; it must be a number above 0"),
        ({"LONGLEAF_MODEL": " "}, "environment variable LONGLEAF_MODEL is empty; give it a value or unset it"),
    ],
)
def test_what_is_not_allowed_is_named(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(sentence)):
        Settings.from_environment(environ)


def test_the_page_lists_every_variable_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    listed = {name: default.strip().strip("`") for name, default, _ in rows}
    assert listed.keys() == variable_names().keys()
    for item in dataclasses.fields(Settings):
        if item.default not in (None, dataclasses.MISSING):
            assert listed[PREFIX + item.name.upper()] == str(item.default)


def test_a_persons_own_environment_stays() -> None:
    environ = {"OMP_WAIT_POLICY": "active"}
    calm_environment(environ)
    assert (environ["OMP_WAIT_POLICY"], environ["TOKENIZERS_PARALLELISM"]) == ("active", "false")


def test_a_library_that_only_weights_in_8_bits_need_says_nothing_when_it_is_loaded() -> None:
    """transformers loads torchao wherever it is installed, and it warns of every kernel that it lacks."""
    said = "import logging; [logging.getLogger(name).warning('Failed') for name in ('torchao', 'torch.utils._pytree')]"
    calm = "from app.settings import calm_environment; calm_environment(); "
    loud, quiet = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stderr
        for code in (said, calm + said)
    )
    assert "Failed" in loud
    assert not quiet
