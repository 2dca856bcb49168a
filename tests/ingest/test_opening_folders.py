"""Folders and archives through the door and its real child process, and what bad members cost."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import ingest
from ingest import (
    Document,
    Kind,
    Opened,
    ReadOptions,
    Severity,
    SourceFile,
    SourceTooLarge,
    UnreadableSource,
    read_file,
    sandbox,
)
from ingest.options import MIB
from tests.ingest.made import pdf_bytes, write

NO_OCR = ReadOptions(ocr=False)


# --- folders --------------------------------------------------------------------------------------------------------


def test_a_mixed_folder(tmp_path: Path, door: Callable[..., Opened]) -> None:
    root = write(
        tmp_path / "shop",
        {
            "src/foo.py": "class Foo:\n    def bar(self): ...\n",
            "src/copy.py": "class Foo:\n    def bar(self): ...\n",
            "src/__init__.py": "",
            "paper.pdf": pdf_bytes("Terms of delivery"),
            "broken.pdf": b"%PDF-1.7\n" + bytes(range(128, 256)) * 9,
            "yarn.lock": "x",
            "config.env": "x=1",
            ".env": "KEY=" + "AKIA" + "Q3EGRZBLTD7WPXYU\n",
        },
    )
    opened = door(root)
    document = opened.document
    assert (document.name, document.kind) == ("shop", Kind.FOLDER)
    names = [member.name for member in document.members]
    assert names == ["(map)", ".env", "config.env", "paper.pdf", "src/copy.py", "src/foo.py"]
    leaves = {leaf.name: leaf for leaf in document.leaves()}
    assert leaves["src/foo.py"].id == leaves["src/copy.py"].id
    assert {leaf.id for leaf in leaves.values()} - {leaves["(map)"].id} == set(opened.files)
    assert all(SourceFile.of(path).id == key for key, path in opened.files.items())
    assert document.size_bytes == sum(leaf.size_bytes for leaf in leaves.values() if leaf.kind is not Kind.MAP)
    problems = {(each.source, each.what): each for each in document.all_problems()}
    assert set(problems) == {
        ("yarn.lock", "left out: lock file"), ("broken.pdf", "not read"), ("shop", "empty files"),
        (".env", "likely secret"),
    }  # fmt: skip
    assert "broken.pdf" in problems["broken.pdf", "not read"].why
    assert problems["shop", "empty files"].why == "1 of its files are empty: src/__init__.py"
    assert problems["shop", "empty files"].severity is Severity.NOTICE


def test_the_map_says_where_names_are_defined(tmp_path: Path, door: Callable[..., Opened]) -> None:
    root = write(
        tmp_path / "shop",
        {
            "src/foo.py": "LIMIT = 3\nclass Foo:\n    def bar(self): ...\n    def baz(self): ...\ndef run(): ...\n",
            "style.css": "a { color: red }\n",
            "web/app.js": "function start() {}\n",
            "README.md": "# Shop\n\n" + "word " * 99,
        },
    )
    document = door(root, count_tokens=lambda text: len(text.split())).document
    (page,) = document.members[0].pages
    assert document.members[0].id == hashlib.sha256(page.text.encode()).hexdigest()
    assert page.text == (
        "Map of shop\n"
        "shop has 4 files, 123 tokens in all.\n"
        "Languages: css (1 file), python (1 file), javascript (1 file).\n"
        "\n"
        "Files:\n"
        "  README.md (101 tokens)\n"
        "  style.css (5 tokens, css)\n"
        "  src/\n"
        "    foo.py (14 tokens, python)\n"
        "  web/\n"
        "    app.js (3 tokens, javascript)\n"
        "\n"
        "Defined names are not listed for these languages: css.\n"
        "\n"
        "Names defined in src/foo.py:\n"
        "class Foo is defined in src/foo.py, line 2\n"
        "function run is defined in src/foo.py, line 5\n"
        "src/foo.py has constant LIMIT (line 1)\n"
        "Foo in src/foo.py has method bar (line 3), method baz (line 4)\n"
        "\n"
        "Names defined in web/app.js:\n"
        "function start is defined in web/app.js, line 1\n"
    )
    about = door(root).document.members[0].pages[0].text
    assert "  style.css (about 5 tokens, css)\n" in about


def test_a_folders_id_is_of_its_members_not_of_its_map(tmp_path: Path, door: Callable[..., Opened]) -> None:
    one = write(tmp_path / "one", {"a.txt": "1", "b.txt": "2"})
    two = write(tmp_path / "two", {"a.txt": "1", "b.txt": "2"})
    first, second = door(one).document, door(two, count_tokens=len).document
    assert first.members[0].id != second.members[0].id
    assert first.id == second.id
    (two / "b.txt").rename(two / "c.txt")
    assert door(two).document.id != first.id


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"^void holds no file that can be read; it is empty$"),
        ({"a.txt": ""}, r"^void holds no file that can be read; its 1 files are empty$"),
        ({"a.bin": b"\0\1"}, r"^void holds no file that can be read; 1 were left out \(a.bin: it is binary data"),
    ],
)
def test_a_folder_without_anything_to_read(
    tmp_path: Path, door: Callable[..., Opened], files: dict[str, str | bytes], message: str
) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(UnreadableSource, match=message):
        door(write(tmp_path / "void", files))


def test_a_crashing_member_costs_only_itself(tmp_path: Path, door: Callable[..., Opened], tasks: ModuleType) -> None:
    root = write(tmp_path / "root", {"a.txt": "1", "crash.txt": "2", "z.txt": "3"})

    def read(file: SourceFile, options: ReadOptions, on_progress: ingest.OnProgress) -> Document:
        if file.name == "crash.txt":
            sandbox.call(tasks.abort, name=file.name, limits=options.limits, on_progress=on_progress)
        return read_file(file, options, on_progress)

    document = door(root, read=read).document
    assert [member.name for member in document.members] == ["(map)", "a.txt", "z.txt"]
    (problem,) = document.problems
    assert problem.why.startswith("crash.txt made its reader crash (exit code -6)")


def test_a_name_that_is_not_utf8(tmp_path: Path, door: Callable[..., Opened]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_text("coffee")
    document = door(root).document
    assert [member.name for member in document.members] == ["(map)", "caf\N{REPLACEMENT CHARACTER}.txt"]
    assert ingest.serial.from_json(ingest.serial.to_json(document)) == document


# --- archives -------------------------------------------------------------------------------------------------------


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_an_archive_is_a_folder(tmp_path: Path, door: Callable[..., Opened]) -> None:
    inner = zipped(tmp_path / "inner.zip", {"deep.txt": b"deep", "again.zip": b"PK\5\6" + bytes(18)}).read_bytes()
    source = zipped(
        tmp_path / "shop.zip",
        {
            "shop-main/.gitignore": b"*.log\n", "shop-main/a.py": b"def f(): ...\n", "shop-main/x.log": b"1",
            "shop-main/docs/inner.zip": inner, "shop-main/../../evil.txt": b"evil",
        },
    )  # fmt: skip
    opened = door(source)
    document = opened.document
    names = [member.name for member in document.members]
    assert names == ["(map)", ".gitignore", "a.py", "docs/inner.zip/deep.txt"]
    work = (tmp_path / "work").resolve()
    assert all(path.is_relative_to(work) and path.is_file() for path in opened.files.values())
    assert not list(tmp_path.rglob("evil.txt"))
    assert {each.source: each.what for each in document.all_problems()} == {
        "shop-main/../../evil.txt": "left out: refused from archive",
        "x.log": "left out: ignored",
        "docs/inner.zip/again.zip": "not read",
    }


def test_an_archive_has_the_id_of_the_folder_in_it(tmp_path: Path, door: Callable[..., Opened]) -> None:
    folder = write(tmp_path / "repo", {"a.txt": "1", "sub/b.txt": "2"})
    archive = zipped(tmp_path / "repo.zip", {"repo/a.txt": b"1", "repo/sub/b.txt": b"2"})
    assert door(folder).document.id == door(archive).document.id


def test_a_bomb_leaves_nothing_behind(tmp_path: Path, door: Callable[..., Opened]) -> None:
    source = zipped(tmp_path / "bomb.zip", {"a.txt": b"first", "zeros.txt": bytes(8 * MIB)})
    with pytest.raises(SourceTooLarge, match=r"bomb.zip expands zeros.txt to more than 200 times"):
        door(source)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_bomb_in_a_folder_costs_only_itself(tmp_path: Path, door: Callable[..., Opened]) -> None:
    root = write(tmp_path / "root", {"a.txt": "1"})
    zipped(root / "bomb.zip", {"zeros.txt": bytes(8 * MIB)})
    document = door(root).document
    assert [member.name for member in document.members] == ["(map)", "a.txt"]
    assert "decompression bomb" in document.problems[0].why
