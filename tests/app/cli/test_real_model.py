"""The command line on the packaged model and the documents that ship with the project. Slow: `-m slow` runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "app" / "cli" / "answer.schema.json").read_text("utf-8"))

pytestmark = pytest.mark.slow


def ask(data_dir: Path, *args: str) -> list[dict[str, Any]]:
    """The objects that `ask --json` writes, each checked against the schema."""
    command = [sys.executable, "app.py", "ask", *args, "--json", "--data-dir", str(data_dir), "--max-new-tokens", "24"]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), text=True, capture_output=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines() if args.count("-q") > 1 else [done.stdout]
    answers = [json.loads(line) for line in lines]
    for answer in answers:
        jsonschema.Draft202012Validator(SCHEMA).validate(answer)
    return answers


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library")


def office_file(folder: Path) -> Path:
    import docx

    document = docx.Document()
    document.add_paragraph("The ferry to Aalborg leaves pier seven at nine in the evening.")
    document.save(str(folder / "ferry.docx"))
    return folder / "ferry.docx"


def text_file(folder: Path) -> Path:
    (folder / "note.txt").write_text("The spare key lies under the blue flower pot.\n", encoding="utf-8")
    return folder / "note.txt"


@pytest.mark.parametrize("name", ["contract.pdf", "receipt.jpg", "ferryboard.zip", "sources", "docx", "txt", "py"])
def test_every_kind_of_source_gives_an_answer_of_the_schema(
    name: str, samples: Path, data_dir: Path, tmp_path: Path
) -> None:
    made = {"docx": office_file, "txt": text_file, "py": lambda _: ROOT / "app" / "settings.py"}
    source = made[name](tmp_path) if name in made else samples / name
    (answer,) = ask(data_dir, str(source), "-q", "What is this about?")
    assert answer["coverage"]["tokens_total"] > 0
    assert answer["model"]["name"]


def test_what_an_agreement_says_of_itself_is_told_with_its_sentence(samples: Path, data_dir: Path) -> None:
    made, ended = ask(data_dir, str(samples / "contract.pdf"), "-q", "When was it made?", "-q", "How can it be ended?")
    assert made["answer"] == "17 February 2025"
    assert made["citations"][0]["quote"].startswith("This agreement is made on 17 February 2025")
    assert ended["answer"].endswith("end this agreement at any time by giving the other sixty days' written notice")
    assert all(answer["found"] and answer["citations"][0]["verified"] for answer in (made, ended))


def test_a_second_question_after_a_restart_reads_nothing_again(data_dir: Path, tmp_path: Path) -> None:
    note = text_file(tmp_path)
    first, _ = ask(data_dir, str(note), "-q", "Where is the spare key?", "-q", "What colour is the flower pot?")
    (again,) = ask(data_dir, "note.txt", "-q", "Where is the spare key?")
    assert again["answer"] == first["answer"]
    assert again["timing"]["reused_tokens"] >= again["coverage"]["tokens_total"]
    assert any("under the blue flower pot" in cited["quote"] for cited in again["citations"])
