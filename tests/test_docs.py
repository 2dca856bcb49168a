"""What the documents name exists, and they stay short enough to be read."""

import ast
import re
from pathlib import Path

import click
import pytest

from app.cli import cli

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("ingest", "vision", "llm", "app")
MAX_LINES = {"README.md": 150, "CONTRIBUTING.md": 80, "docs/ARCHITECTURE.md": 150}
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|txt|toml|json)|Makefile)`")
NAME = re.compile(r"`((?:[A-Za-z_]\w*\.)*[A-Z]\w*[a-z]\w*(?:\.[a-z_]\w*)?|(?:[A-Za-z_]\w*\.)*[a-z_]\w*\(\))`")
# Made on a person's machine, never part of the project.
ELSEWHERE = {"../shared/data", ".venv/"}


def document(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def defined_names() -> set[str]:
    """Every class, function, method, field and constant of the packages; methods and fields as Class.name too."""
    names: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    names |= {node.name} | {f"{node.name}.{name}" for name in bound(node.body)}
                elif isinstance(node, ast.Module):
                    names |= bound(node.body)
    return names


def bound(body: list[ast.stmt]) -> set[str]:
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    names |= {ast.unparse(node.target) for node in body if isinstance(node, ast.AnnAssign)}
    return names | {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}


@pytest.mark.parametrize("name", MAX_LINES)
def test_a_document_is_short(name: str) -> None:
    assert len(document(name).splitlines()) <= MAX_LINES[name]


@pytest.mark.parametrize("name", MAX_LINES)
def test_every_path_in_a_document_exists(name: str) -> None:
    paths = set(PATH.findall(document(name))) - ELSEWHERE
    assert paths
    assert not sorted(path for path in paths if not (ROOT / path).exists())


@pytest.mark.parametrize("name", MAX_LINES)
def test_every_name_in_a_document_exists(name: str) -> None:
    known = defined_names()
    names = {found.removesuffix("()") for found in NAME.findall(document(name))}
    assert not sorted(found for found in names if in_class(found) not in known)


def in_class(name: str) -> str:
    """`Engine.ask` stays what it is; of `ingest.open_source` only the last part counts."""
    *_, owner, last = ["", *name.split(".")]
    return f"{owner}.{last}" if owner[:1].isupper() else last


def tree_lines() -> list[str]:
    block = document("README.md").split("## Files", 1)[1].split("```")[1]
    return [line for line in block.splitlines() if line.strip()]


def test_the_file_tree_of_the_readme_exists_and_has_phrases() -> None:
    for line in tree_lines():
        path, _, phrase = line.strip().partition("  ")
        assert (ROOT / path).exists(), f"README names {path}, which does not exist"
        assert phrase.strip(), f"README says nothing about {path}"


def test_the_file_tree_of_the_readme_is_complete() -> None:
    named = {line.split()[0].rstrip("/") for line in tree_lines()}
    packages = {
        path.parent.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    }
    assert not sorted(packages - named)


def test_every_package_is_in_the_code_map() -> None:
    code_map = document("docs/ARCHITECTURE.md").split("## Code map", 1)[1]
    folders = {
        path.parent.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    }
    assert not sorted(folder for folder in folders if f"`{folder}/`" not in code_map)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_command_in_a_document_exists(name: str) -> None:
    lines = re.findall(r"python app\.py ([^ `#\n][^`#\n]*)", document(name))
    assert lines
    for line in lines:
        command: click.Command = cli
        for word in re.sub(r'"[^"]*"', "TEXT", line).split():
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
            elif word.startswith("-"):
                options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
                assert word in options, f"{name} has `app.py {line}`, and {command.name} has no {word}"
        assert command is not cli, f"{name} has `app.py {line}`, which is no command"
