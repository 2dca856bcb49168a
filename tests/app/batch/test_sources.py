"""What a batch is about: folders, globs, lists; nothing twice, nothing lost, every name its own."""

import io
from pathlib import Path

import pytest

from app.batch import Source, find_sources
from app.errors import NotInLibrary, SourceNotFound
from app.service import Entry
from ingest.document import Problem
from ingest.options import Limits


def nothing(key: str) -> Entry:
    raise NotInLibrary(f"the library has no document {key!r}")


def found(*words: object, stdin: str = "", problems: list[Problem] | None = None) -> list[Source]:
    noted: list[Problem] = [] if problems is None else problems
    return find_sources(
        [str(word) for word in words], stdin=io.StringIO(stdin), find_entry=nothing, limits=Limits(),
        on_problem=noted.append,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "given"
    for name, content in {
        "a.txt": b"one", "sub/b.txt": b"two", "sub/deep/c.md": b"three", "empty.txt": b"", "bad.pdf": bytes(range(256)),
        ".gitignore": b"*.log\n", "x.log": b"ignored", "node_modules/y.txt": b"left out",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_every_file_of_a_folder_is_a_document_and_unreadable_ones_stay(folder: Path) -> None:
    problems: list[Problem] = []
    sources = found(folder, problems=problems)
    assert [source.name for source in sources] == [
        ".gitignore", "a.txt", "bad.pdf", "empty.txt", "sub/b.txt", "sub/deep/c.md",
    ]  # fmt: skip
    refused = {source.name: source.refused for source in sources if source.refused}
    assert refused["empty.txt"] == "empty.txt cannot be read: it is empty (0 bytes)"
    assert "bad.pdf cannot be read: it is not a PDF" in refused["bad.pdf"]
    assert set(refused) == {"empty.txt", "bad.pdf"}
    assert {problem.source for problem in problems} == {"x.log", "node_modules/"}


def test_a_file_is_once_however_it_is_named(folder: Path) -> None:
    sources = found(folder, folder / "a.txt", folder / "*.txt", "-", stdin=f"{folder}/sub/../a.txt\n")
    names = [source.name for source in sources]
    assert names.count("a.txt") == 1
    assert len({source.path for source in sources}) == len(sources) == 6


def test_globs_and_lists(folder: Path, tmp_path: Path) -> None:
    assert [each.name for each in found(folder / "**" / "*.[tm]*")] == [
        "a.txt", "empty.txt", "node_modules/y.txt", "sub/b.txt", "sub/deep/c.md",
    ]  # fmt: skip
    manifest = tmp_path / "list.txt"
    manifest.write_text(f'{folder}/a.txt\n\n{{"source": "{folder}/sub/b.txt", "name": "second"}}\n{folder}/gone.pdf\n')
    sources = found(f"@{manifest}")
    assert [(each.name, each.refused is None) for each in sources] == [
        ("a.txt", True), ("second", True), ("gone.pdf", False),
    ]  # fmt: skip
    assert "line 4" in str(sources[2].refused)


def test_equal_names_get_as_much_path_as_tells_them_apart(folder: Path) -> None:
    (folder / "sub" / "deep" / "b.txt").write_text("another")
    sources = found(folder / "sub" / "b.txt", folder / "sub" / "deep" / "b.txt", folder / "a.txt")
    assert [source.name for source in sources] == ["sub/b.txt", "deep/b.txt", "a.txt"]


def test_what_means_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"'nowhere.pdf' does not exist, and nothing in the library"):
        found("nowhere.pdf")
    with pytest.raises(SourceNotFound, match="no file fits the pattern"):
        found(folder / "*.docx")
