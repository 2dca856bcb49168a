"""The door: lone files, bad input, progress, cancelling. Everything here goes through the real child process."""

import ast
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import docx
import openpyxl
import pptx
import pymupdf
import pytest
from PIL import Image

import ingest
from ingest import (
    Document,
    IngestError,
    Kind,
    Opened,
    PasswordRequired,
    ReadingCancelled,
    ReadOptions,
    Severity,
    SourceFile,
    SourceProgress,
    SourceTooLarge,
    UnreadableSource,
    UnsupportedSource,
    read_file,
    render_page,
    sandbox,
)
from ingest.options import MIB
from tests.ingest.made import pdf_bytes, png_bytes, text_of, write

NO_OCR = ReadOptions(ocr=False)


# --- one file -------------------------------------------------------------------------------------------------------


def test_a_lone_file_is_its_leaf(tmp_path: Path, door: Callable[..., Opened]) -> None:
    source = tmp_path / "a.py"
    source.write_text("def f(): ...\n")
    opened = door(source, name="my file.py")
    document = opened.document
    assert document.id == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (document.name, document.kind, document.language) == ("my file.py", Kind.CODE, "python")
    assert opened.files == {document.id: source}
    assert list(document.all_problems()) == []


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.pdf", pdf_bytes("Hello there"), Kind.PDF),
        ("a.png", png_bytes(), Kind.IMAGE),
        ("a.txt", b"Hello there\n", Kind.TEXT),
        ("stored", pdf_bytes("Hello there"), Kind.PDF),
        ("stored", png_bytes(), Kind.IMAGE),
        ("README", b"Hello there\n", Kind.TEXT),
        ("a.md", b"# Hello there\n", Kind.TEXT),
        ("a.strange", b"Hello there\n", Kind.TEXT),
        ("Makefile", b"all:\n\techo\n", Kind.CODE),
        ("run", b"#!/bin/sh\necho\n", Kind.CODE),
        ("wide.txt", "Hello there\n".encode("utf-16"), Kind.TEXT),
        ("page", b"<!DOCTYPE html><html><body><p>Hello there</p></body></html>", Kind.TEXT),
    ],
)
def test_formats_are_known_by_their_content(
    tmp_path: Path, door: Callable[..., Opened], name: str, content: bytes, kind: Kind
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    document = door(source, options=NO_OCR).document
    assert document.kind is kind
    if kind in (Kind.PDF, Kind.TEXT):
        assert "Hello there" in text_of(document)


def office_bytes(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "docx":
        word = docx.Document()
        word.add_paragraph("Hello there")
        word.save(out)
    elif kind == "pptx":
        slides = pptx.Presentation()
        slides.slides.add_slide(slides.slide_layouts[5]).shapes.title.text = "Hello there"
        slides.save(out)
    elif kind == "xlsx":
        book = openpyxl.Workbook()
        book.active["A1"] = "Hello there"
        book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
@pytest.mark.parametrize("name", ["stored", "a.zip"])
def test_office_files_are_known_without_their_suffix(
    tmp_path: Path, door: Callable[..., Opened], kind: str, name: str
) -> None:
    source = tmp_path / name
    source.write_bytes(office_bytes(kind))
    document = door(source, name="stored").document
    assert document.kind is Kind.OFFICE
    assert "Hello there" in text_of(document)


@pytest.mark.parametrize(
    ("name", "content", "kind", "why"),
    [
        ("a.pdf", png_bytes(), Kind.IMAGE, "its name ends in .pdf, but its content is a PNG image"),
        ("a.docx", pdf_bytes("x"), Kind.PDF, "its name ends in .docx, but its content is a PDF"),
        ("a.pdf", b"only words\n", Kind.TEXT, "its name ends in .pdf, but its content is plain text"),
    ],
)
def test_a_wrong_extension_is_read_by_content_and_said(
    tmp_path: Path, door: Callable[..., Opened], name: str, content: bytes, kind: Kind, why: str
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    document = door(source, options=NO_OCR).document
    assert document.kind is kind
    problem = next(each for each in document.problems if each.what == "name does not fit the content")
    assert problem.why.startswith(why)
    assert problem.severity is Severity.NOTICE


def test_secrets_of_a_lone_file_are_noticed(tmp_path: Path, door: Callable[..., Opened]) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("the token is\n" + "ghp_" + "a8Fj2kLmQ9sTuVwXyZ0123456789bCdEfGhI\n")
    assert [each.why for each in door(source).document.problems] == ["line 2 looks like a GitHub token"]


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.txt", b"", UnreadableSource, r"^a.txt is empty \(0 bytes\); hand over a file with content$"),
        ("a.bin", bytes(range(256)), UnsupportedSource, r"^a.bin is binary data of application/octet-stream, and no"),
        ("a.mp4", b"\0\0\0\x18ftypmp42" + bytes(99), UnsupportedSource, r"^a.mp4 is a video$"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), UnsupportedSource, r"^a.doc is of the Word format"),
        ("a.rtf", b"{\\rtf1 words}", UnsupportedSource, r"^a.rtf is a rich text file; save it as .docx or PDF$"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), UnsupportedSource, r"^a.7z is a 7-Zip archive; unpack it"),
        ("a.pdf", bytes(range(256)), UnreadableSource, r"^a.pdf is not a PDF: its content is damaged"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(9), UnreadableSource, r"a.png"),
        ("a.docx", b"PK\x03\x04" + bytes(99), UnreadableSource, r"^a.docx is a damaged zip or office file"),
        ("a.pdf", pdf_bytes("x")[:40], UnreadableSource, r"a.pdf"),
    ],
)
def test_bad_files_get_one_sentence(
    tmp_path: Path, door: Callable[..., Opened], name: str, content: bytes, error: type[IngestError], message: str
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    with pytest.raises(error, match=message) as raised:
        door(source)
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)


def test_what_is_not_there_or_not_a_file(tmp_path: Path, door: Callable[..., Opened]) -> None:
    with pytest.raises(UnreadableSource, match=r"gone.pdf cannot be opened: No such file or directory; check the path"):
        door(tmp_path / "gone.pdf")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UnsupportedSource, match=r"pipe.txt is a named pipe, a socket or a device"):
        door(tmp_path / "pipe.txt")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnreadableSource, match=r"loop cannot be opened: Too many levels of symbolic links"):
        door(tmp_path / "loop", name="loop")


def test_two_gigabytes_are_over_the_limit(tmp_path: Path, door: Callable[..., Opened]) -> None:
    source = tmp_path / "large.pdf"
    with source.open("wb") as stream:
        stream.truncate(2048 * MIB)  # sparse: takes no room
    with pytest.raises(SourceTooLarge, match=r"^large.pdf has 2,048 MiB, and the limit is 1,024 MiB for one"):
        door(source)


def test_an_encrypted_pdf_asks_for_its_password(tmp_path: Path, door: Callable[..., Opened]) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), "Secret words")
    document.save(tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="leaf", owner_pw="tree")
    document.close()
    with pytest.raises(PasswordRequired, match=r"a.pdf"):
        door(tmp_path / "a.pdf")
    assert "Secret words" in text_of(door(tmp_path / "a.pdf", options=ReadOptions(password="leaf")).document)


# --- progress, cancel, rendering ------------------------------------------------------------------------------------


def test_progress_counts_files_and_pages(tmp_path: Path, door: Callable[..., Opened]) -> None:
    root = write(tmp_path / "root", {"a.pdf": pdf_bytes("x"), "b.txt": "1", "c.txt": "2"})
    seen: list[SourceProgress] = []
    door(root, on_progress=seen.append)
    assert {(each.name, each.files_done) for each in seen if each.files_total == 3} == {
        ("a.pdf", 0), ("b.txt", 1), ("c.txt", 2),
    }  # fmt: skip
    assert [each.files_done for each in seen] == sorted(each.files_done for each in seen)


def test_cancel_stops_a_reader_at_work(tmp_path: Path, door: Callable[..., Opened], tasks: ModuleType) -> None:
    root = write(tmp_path / "root", {"a.txt": "1", "slow.txt": "2", "z.txt": "3"})
    cancel = threading.Event()

    def read(file: SourceFile, options: ReadOptions, on_progress: ingest.OnProgress) -> Document:
        if file.name == "slow.txt":
            threading.Timer(0.3, cancel.set).start()
            sandbox.call(tasks.hang, name=file.name, limits=options.limits, on_progress=on_progress)
        return read_file(file, options, on_progress)

    started = time.monotonic()
    with pytest.raises(ReadingCancelled, match=r"^reading stopped at slow.txt, as asked$"):
        door(root, read=read, cancel=cancel)
    assert time.monotonic() - started < 10


def test_pages_are_rendered_in_the_child(tmp_path: Path, door: Callable[..., Opened]) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_bytes("Hello"))
    (tmp_path / "a.png").write_bytes(png_bytes())
    for name, size in {"a.pdf": (595 * 2, 842 * 2), "a.png": (120, 80)}.items():
        document = door(tmp_path / name, options=NO_OCR).document
        picture = Image.open(io.BytesIO(render_page(tmp_path / name, document.kind, document.pages[0], dpi=144)))
        assert picture.format == "PNG"
        assert picture.size == pytest.approx(size, abs=2)
    with pytest.raises(UnsupportedSource, match="a page of kind text is not a picture"):
        render_page(tmp_path / "a.txt", Kind.TEXT, document.pages[0])


# --- the door itself ------------------------------------------------------------------------------------------------


def test_the_public_words_do_not_drift() -> None:
    tree = ast.parse(Path(ingest.__file__).read_text("utf-8"))
    imported = {name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert set(ingest.__all__) == imported
    assert ingest.__all__ == sorted(ingest.__all__, key=lambda name: (name.lower() if name[0].islower() else "", name))
    errors = {name for name, value in vars(ingest.errors).items() if isinstance(value, type)}
    assert errors <= set(ingest.__all__)
    words = {
        name for name, value in vars(ingest.document).items() if getattr(value, "__module__", "") == "ingest.document"
    }
    assert words <= set(ingest.__all__)


def test_importing_ingest_is_quick_and_loads_no_parser() -> None:
    heavy = ["torch", "pymupdf", "cv2", "onnxruntime", "PIL", "numpy", "lxml", "tree_sitter", "detect_secrets", "docx"]
    code = f"import sys, ingest; print([name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
