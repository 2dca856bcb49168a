"""Tables in text files (CSV, TSV): a row a line, cells joined by " | ", on the lines where the file has them."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

from ingest.document import Document, Kind, Problem, Role, Severity, Span
from ingest.options import ReadOptions
from ingest.page_text import CELL_GAP, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile
from ingest.text.decoding import read_decoded
from ingest.text.plain import exact_page

DELIMITERS = ",;\t|"
SAMPLE_LINES = 100
SAMPLE_CHARS = 10_000  # of a line


def read_csv(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """One page. A row of several lines (a quoted line break) stands on its first, and blank lines keep the count."""
    found = read_decoded(file.path, file.name)
    delimiter = sniffed_delimiter(found.text)
    problems = [found.problem] if found.problem else []
    try:
        lines = list(_rows(found.text, delimiter))
    except csv.Error as error:
        lines = [_joined(line.split(delimiter)) for line in found.text.split("\n")]
        why = f"Quotes do not match ({error}); each line was read as one row."
        problems.append(Problem(file.name, 1, "broken table", why, Severity.DEGRADED))
    spans = []
    start = 0
    for line in lines:
        if line:
            spans.append(Span(start, start + len(line), role=Role.TABLE))
        start += len(line) + 1
    document = Document(
        file.id, file.name, Kind.TEXT, pages=(exact_page("\n".join(lines), spans),), size_bytes=file.size_bytes
    )
    on_progress(1, 1)
    return document, problems + empty_problems(file.name, document.pages)


def sniffed_delimiter(text: str) -> str:
    """The one that cuts most of the first rows into the same number of cells, the more the better; else a comma."""
    sample = [line[:SAMPLE_CHARS] for line in text.split("\n", SAMPLE_LINES)[:SAMPLE_LINES]]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter) if row)
        cells, rows = max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        score = rows / max(1, counts.total()) * (1 - 1 / cells)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _rows(text: str, delimiter: str) -> Iterator[str]:
    """One string for each line of the file. Raises csv.Error when quotes do not match."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    last_line = 0
    for row in reader:
        yield _joined(row)
        yield from [""] * (reader.line_num - last_line - 1)
        last_line = reader.line_num


def _joined(cells: list[str]) -> str:
    return CELL_GAP.join(one_line(cell) for cell in cells) if any(cell.strip() for cell in cells) else ""
