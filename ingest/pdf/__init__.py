"""The reader of PDF files: `read_pdf` turns one into a document, `render_pdf_page` draws a page of it."""

from ingest.pdf.reader import read_pdf
from ingest.pdf.render import render_pdf_page
from ingest.reader import Reader

SUFFIXES: dict[str, Reader] = {".pdf": read_pdf}

__all__ = ["SUFFIXES", "read_pdf", "render_pdf_page"]
