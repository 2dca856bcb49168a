"""Reads code files and notebooks: decoded text with its exact lines, language, and defined names.

A code file is one page without geometry, so that line N of the page is line N of the file.
"""

import json
from typing import Any

from ingest.code.definitions import MAX_PARSED_CHARS, definitions_of, has_definitions
from ingest.code.language import language_of
from ingest.document import Document, Kind, Page, Problem, Severity, TextOrigin
from ingest.errors import UnreadableSource
from ingest.options import ReadOptions
from ingest.reader import OnProgress, SourceFile
from ingest.text.decoding import read_decoded


def read_code(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """Any text file as code; the language comes from its name or its first line."""
    text, problems = _text_of(file, options)
    document = _document(file, text, language_of(file.name, text.split("\n", 1)[0]))
    on_progress(1, 1)
    if len(text) > MAX_PARSED_CHARS and has_definitions(document.language):
        why = f"it has {len(text):,} characters, and names are looked for up to {MAX_PARSED_CHARS:,}"
        problems.append(Problem(file.name, None, "defined names not listed", why, Severity.NOTICE))
    return document, problems


def read_notebook(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """A Jupyter notebook: its cells in order, each under a line "# --- cell 3 (code) ---"; outputs only as text."""
    raw, problems = _text_of(file, options)
    try:
        notebook = json.loads(raw)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        text = "\n".join(_cell_text(number, cell) for number, cell in enumerate(cells, start=1))
        language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")).lower()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise UnreadableSource(
            f"{file.name} is named as a notebook but does not hold one ({error}); save it again from Jupyter"
        ) from error
    on_progress(1, 1)
    return _document(file, text, language), problems


def _text_of(file: SourceFile, options: ReadOptions) -> tuple[str, list[Problem]]:
    if options.pages is not None and 1 not in options.pages:
        raise UnreadableSource(f"{file.name} has 1 page; pages {options.pages} were asked for")
    decoded = read_decoded(file.path, file.name)
    return decoded.text, [decoded.problem] if decoded.problem else []


def _document(file: SourceFile, text: str, language: str | None) -> Document:
    page = Page(1, text, origin=TextOrigin.LAYER if text.strip() else TextOrigin.NONE)
    names = definitions_of(text, language)
    return Document(
        file.id, file.name, Kind.CODE, (page,), size_bytes=file.size_bytes, language=language, definitions=names
    )


def _cell_text(number: int, cell: dict[str, Any]) -> str:
    kind = cell["cell_type"]
    source = cell.get("source", cell.get("input", ""))
    text = f"# --- cell {number} ({kind}) ---\n{_joined(source).rstrip()}\n"
    shown = [shown for output in cell.get("outputs", []) if (shown := _output_text(output).strip())]
    return text + (f"# --- output of cell {number} ---\n" + "\n".join(shown) + "\n" if shown else "")


def _output_text(output: dict[str, Any]) -> str:
    if "text" in output:
        return _joined(output["text"])
    return _joined(output.get("data", {}).get("text/plain", ""))


def _joined(source: str | list[str]) -> str:
    text = source if isinstance(source, str) else "".join(source)
    return text.replace("\r\n", "\n").replace("\r", "\n")
