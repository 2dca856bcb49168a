"""Text files: plain, Markdown, reStructuredText, HTML, CSV, JSON and mail, to documents of one page with lines."""

from ingest.reader import Reader
from ingest.text.html import read_html
from ingest.text.mail import read_eml
from ingest.text.plain import MARKDOWN_SUFFIXES, RST_SUFFIXES, read_text
from ingest.text.structured import read_json
from ingest.text.tables import read_csv

SUFFIXES: dict[str, Reader] = {
    **dict.fromkeys((".txt", ".text", ".log", ".adoc", ".org", ".srt", ".vtt"), read_text),
    **dict.fromkeys((*MARKDOWN_SUFFIXES, *RST_SUFFIXES), read_text),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    **dict.fromkeys((".csv", ".tsv"), read_csv),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), read_json),
    ".eml": read_eml,
}

__all__ = ["SUFFIXES", "read_csv", "read_eml", "read_html", "read_json", "read_text"]
