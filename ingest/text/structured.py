"""JSON and JSON Lines: as the file has them, or laid out when everything stands on one line.

Laying out changes white space and spells out \\u escapes; every other character (1.10, doubled keys) stays.
"""

import json
import re
from collections.abc import Iterator
from pathlib import PurePath

from ingest.document import Document, Kind, Problem, Severity
from ingest.options import ReadOptions
from ingest.page_text import empty_problems
from ingest.reader import OnProgress, SourceFile
from ingest.text.decoding import read_decoded
from ingest.text.plain import exact_page

LONG_LINE = 400  # characters; a file with a longer line on average is laid out
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def read_json(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """One page. What is not valid JSON is read as the text it is, and said so."""
    found = read_decoded(file.path, file.name)
    problems = [found.problem] if found.problem else []
    text = found.text
    is_lines = PurePath(file.name).suffix.lower() in (".jsonl", ".ndjson")
    fault = _fault(text, is_lines)
    if fault:
        problems.append(Problem(file.name, 1, "broken JSON", fault, Severity.DEGRADED))
    elif not is_lines and len(text) > LONG_LINE * (text.count("\n") + 1):
        text = "".join(_laid_out(text))
        why = "The file stands on one line; it was laid out, so that line numbers are those of the text shown here."
        problems.append(Problem(file.name, 1, "laid out anew", why, Severity.NOTICE))
    document = Document(file.id, file.name, Kind.TEXT, pages=(exact_page(text),), size_bytes=file.size_bytes)
    on_progress(1, 1)
    return document, problems + empty_problems(file.name, document.pages)


def _fault(text: str, is_lines: bool) -> str:
    """What is wrong with the first broken value, as a sentence; empty when all are JSON."""
    line_no = 1
    try:
        for line_no, value in enumerate(text.split("\n") if is_lines else [text], start=1):  # noqa: B007
            if value.strip() or not is_lines:
                json.loads(value, parse_int=str)  # an integer of any length is fine
    except RecursionError:
        return "Values are nested too deeply to be checked; the text was read as it is."
    except json.JSONDecodeError as error:
        return f"It is not valid JSON ({error.msg}, line {line_no + error.lineno - 1}); the text was read as it is."
    return ""


def _laid_out(text: str) -> Iterator[str]:
    """Valid JSON with two blanks a level; empty objects and lists stay on their line."""
    depth = 0
    previous = ""
    for token in _TOKEN.findall(text):
        if token in "}]":
            depth -= 1
            if previous not in ("{", "["):
                yield "\n" + "  " * depth
        elif previous in ("{", "[", ","):
            yield "\n" + "  " * depth
        if token in ("{", "["):
            depth += 1
        yield ": " if token == ":" else _spelled_out(token)
        previous = token


def _spelled_out(token: str) -> str:
    if not token.startswith('"') or "\\u" not in token:
        return token
    spelled = json.dumps(json.loads(token), ensure_ascii=False)
    return spelled if spelled.isprintable() else token  # lone surrogates and controls stay escaped
