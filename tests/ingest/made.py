"""Small sources that the tests of the door make, and what they read off a document."""

import io
from pathlib import Path

import pymupdf
from PIL import Image

from ingest import Document


def pdf_bytes(text: str) -> bytes:
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), text)
    data: bytes = document.tobytes()
    document.close()
    return data


def png_bytes() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(out, "PNG")
    return out.getvalue()


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def text_of(document: Document) -> str:
    return "".join(page.text for page in document.pages)
