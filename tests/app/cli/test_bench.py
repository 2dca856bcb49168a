"""`bench`: tables and JSON on standard output, progress elsewhere, mistakes in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.bench.report import Report
from app.cli import cli
from app.cli.bench import Size, Sizes, command_line
from llm.answer import ModelName
from tests.app.bench.conftest import write_data
from tests.llm.conftest import write_tiny_checkpoint


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("bench")
    model = write_tiny_checkpoint(folder / "tiny", context_tokens=4096)
    data = write_data(folder / "data")
    return ["--data", str(data), "--model", str(model), "--dtype", "float32", "--threads", "1"]


def bench(*args: str) -> Result:
    return CliRunner().invoke(cli, prog_name="python app.py", args=["bench", *args])


def test_a_table_is_written_as_it_stands_in_the_benchmarks(options: list[str], tmp_path: Path) -> None:
    work_dir = tmp_path / "new" / "work"
    args = ["needle", *options, "--sizes", "2k", "--whole-sizes", "1k", "--needles", "1", "--work-dir", str(work_dir)]
    result = bench(*args)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("## Needles in real text\n\n`python app.py bench needle --data ")
    assert "--sizes 2k --whole-sizes 1k --needles 1" in result.stdout
    assert "2,048 tokens: 1 needles" in result.stderr
    assert {path.name.partition("-")[0] for path in work_dir.iterdir()} == {"needle", "state"}


def test_json_is_one_object(options: list[str]) -> None:
    result = bench("haystack", *options, "--sizes", "1000", "--questions", "1", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["rows"][0]["tokens"] == 1000
    assert " --sizes 1000 --questions 1 --json " in found["command"]


@pytest.mark.parametrize("verb", ["needle", "haystack", "million", "quality"])
def test_a_missing_data_folder_is_one_sentence(verb: str, tmp_path: Path) -> None:
    result = bench(verb, "--data", str(tmp_path / "nowhere"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: the data folder {tmp_path / 'nowhere'} has no qa/squadshifts-new_wiki")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("sizes", ["", "8x", "8k,", "0", "-1k", "k"])
def test_a_size_that_is_none_is_one_sentence(sizes: str, tmp_path: Path) -> None:
    result = bench("needle", "--data", str(tmp_path), "--sizes", sizes)
    assert result.exit_code == 2
    assert "is no number of tokens; write 8192, 8k or 1m" in result.stderr
    assert result.stderr.count("\n") == 1


def test_sizes_are_read_and_shown_as_people_write_them() -> None:
    assert Sizes().convert("1k, 8K,100,1m", None, None) == (1024, 8192, 100, 1048576)
    assert Size().convert("32k", None, None) == 32768
    assert Sizes().shown((1024, 100, 1048576)) == "1k,100,1024k"


def test_a_command_can_be_typed_again() -> None:
    @click.command()
    @click.option("--data")
    @click.option("--sizes", type=Sizes(), default="4k")
    @click.option("--json", "as_json", is_flag=True)
    @click.pass_context
    def verb(context: click.Context, **_: object) -> None:
        click.echo(command_line(context))

    result = CliRunner().invoke(verb, ["--data", "my data", "--json"], prog_name="python app.py bench needle")
    assert result.stdout == "python app.py bench needle --data 'my data' --json\n"


def test_exactness_is_measured_on_the_packaged_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(cache_dir: Path, on_text: Callable[[str], None]) -> Report:
        on_text(f"weights in {cache_dir.name}")
        return Report("Exactness", ModelName("tiny", ""), [{"model": "Llama", "exact": True}])

    monkeypatch.setattr("app.bench.exact.run", run)
    result = bench("exact", "--json")
    assert json.loads(result.stdout)["rows"] == [{"model": "Llama", "exact": True}]
    assert result.stderr == "weights in longleaf\n"
