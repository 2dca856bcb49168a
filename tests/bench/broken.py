"""Files broken in every way that people meet: empty, cut off, locked, bombs, tricks with names and paths.

A way that root cannot be stopped by (a file without permission) is left out where root runs it.
"""

import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pymupdf

_FAILS = frozenset({"failed"})
_READS = frozenset({"ok", "partial"})  # whatever it is, what can be read of it is
_ANY = _FAILS | _READS
_MIB = 1 << 20

Break = Callable[[Path, Path, random.Random], Path]  # where (without suffix), a real PDF -> the file made


def break_one(path: Path, number: int, real_pdf: Path, rng: random.Random) -> tuple[Path, frozenset[str]]:
    """The file, and the statuses that its rows may have. `number` chooses the way, one after the other."""
    make, statuses = WAYS[number % len(WAYS)]
    return make(path, real_pdf, rng), statuses


def _empty(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".txt")
    made.write_bytes(b"")
    return made


def _cut_off(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made, whole = path.with_suffix(".pdf"), real_pdf.read_bytes()[: 4 * _MIB]
    made.write_bytes(whole[: rng.randrange(200, len(whole) // 2)])
    return made


def _noise(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".pdf")
    made.write_bytes(b"%PDF-1.7\n" + rng.randbytes(3000))
    return made


def _wrong_ending(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".docx")
    made.write_bytes(_one_page(f"This is a PDF, whatever its name says. Its number is {path.name}."))
    return made


def _locked(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".pdf")
    with pymupdf.open(stream=_one_page("secret"), filetype="pdf") as pdf:
        pdf.save(made, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=path.name, no_new_id=True)
    return made


def _no_pages(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".pdf")
    made.write_bytes(
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\n"
        b"endobj\ntrailer\n<< /Size 3 /Root 1 0 R >>\n%%EOF" + path.name.encode()
    )
    return made


def _long_side(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    return _png(path, 100_000, 1000)


def _picture_bomb(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    return _png(path, 60_000, 60_000)


def _zip_bomb(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    return _zipped(path, {f"{path.name}.txt": bytes(64 * _MIB)})


def _pdf_bomb(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".pdf")
    with pymupdf.open(stream=_one_page(path.name), filetype="pdf") as pdf:
        contents = pdf[0].get_contents()[0]
        pdf.update_stream(contents, zlib.compress(zlib.compress(b" " * (80 * _MIB), 9), 9), compress=False)
        pdf.xref_set_key(contents, "Filter", "[ /FlateDecode /FlateDecode ]")
        pdf.save(made, no_new_id=True)
    return made


def _zip_slip(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    return _zipped(path, {"../../../escaped.txt": b"outside", "inside.txt": f"Inside is {path.name}.".encode()})


def _half_zip(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = _zipped(path, {"word/document.xml": f"<w:document>{path.name}</w:document>".encode() * 50})
    made.write_bytes(made.read_bytes()[:-40])
    return made.rename(path.with_suffix(".docx"))


def _odd_name(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = Path(os.fsdecode(os.fsencode(path) + b" caf\xe9.txt"))
    made.write_text(f"The name of this file is no UTF-8. Its number is {path.name}.\n", encoding="utf-8")
    return made


def _two_gigabytes(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".pdf")
    with made.open("wb") as file:
        file.truncate(2 << 30)  # sparse: it takes no room
    return made


def _no_permission(path: Path, real_pdf: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".txt")
    made.touch(mode=0o000)
    return made


WAYS: Sequence[tuple[Break, frozenset[str]]] = (
    (_empty, _FAILS), (_cut_off, _ANY), (_noise, _FAILS), (_wrong_ending, _READS), (_locked, _FAILS),
    (_no_pages, _FAILS), (_long_side, _FAILS), (_picture_bomb, _FAILS), (_zip_bomb, _FAILS), (_pdf_bomb, _FAILS),
    (_zip_slip, _READS), (_half_zip, _FAILS), (_odd_name, _READS), (_two_gigabytes, _FAILS),
    *([(_no_permission, _FAILS)] if os.geteuid() else []),
)  # fmt: skip


def _one_page(text: str) -> bytes:
    with pymupdf.open() as pdf:
        pdf.new_page().insert_text((72, 72), text)
        data: bytes = pdf.tobytes(no_new_id=True)
    return data


def _zipped(path: Path, members: dict[str, bytes]) -> Path:
    made = path.with_suffix(".zip")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return made


def _png(path: Path, width: int, height: int) -> Path:
    """It claims a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    made = path.with_suffix(".png")
    body = chunk(b"IHDR", header) + chunk(b"tEXt", b"name\0" + path.name.encode()) + chunk(b"IDAT", zlib.compress(b""))
    made.write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))
    return made
