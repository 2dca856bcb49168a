"""Drafts to pages: text, spans and roles; and the file's metadata.

Guarantees what `ingest.document` promises of a page: spans in order, none overlapping, each the text it names.
"""

import re
from collections.abc import Sequence
from typing import Any

from ingest.document import Page, Role, Span, TextOrigin
from ingest.pdf.draft import PageDraft, Row

MOSTLY_MONO = 0.6  # share of the characters: a document typed in one monospaced font holds no code because of it
PDF_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?")
METADATA = {
    "title": "title",
    "author": "author",
    "subject": "subject",
    "keywords": "keywords",
    "creator": "creator",
    "producer": "producer",
    "creationDate": "created",
    "modDate": "modified",
}


def mark_code(drafts: Sequence[PageDraft]) -> None:
    """Monospaced rows become CODE, or ordinary text where the whole document is typed that way."""
    rows = [row for draft in drafts for row in draft.rows]
    num_mono = sum(len(row.text) for row in rows if row.mono)
    typed = num_mono > MOSTLY_MONO * sum(len(row.text) for row in rows)
    for row in rows:
        if row.mono and row.role is Role.TEXT:
            if typed:
                row.text, row.mono = " ".join(row.text.split()), False
            else:
                row.role = Role.CODE


def composed(drafts: Sequence[PageDraft]) -> tuple[Page, ...]:
    return tuple(_page(draft) for draft in drafts)


def _page(draft: PageDraft) -> Page:
    parts: list[str] = []
    spans: list[Span] = []
    position = 0
    for row in draft.rows:
        if parts:
            parts.append(row.lead)
            position += len(row.lead)
        spans.append(_span(row, position))
        parts.append(row.text)
        position += len(row.text)
    return Page(
        page_no=draft.page_no,
        text="".join(parts),
        spans=tuple(spans),
        label=draft.label if draft.label != str(draft.page_no) else None,
        width_pt=draft.width,
        height_pt=draft.height,
        rotation=draft.rotation,
        origin=draft.origin if spans else TextOrigin.NONE,
        figures=draft.figures,
    )


def _span(row: Row, start: int) -> Span:
    return Span(start, start + len(row.text), row.box, row.role, row.confidence, row.glyphs)


def metadata_of(pdf: Any) -> dict[str, str]:
    """Only what the file states. Dates as ISO 8601 as far as they go, without the time zone."""
    stated = pdf.metadata or {}
    found = {name: " ".join((stated.get(key) or "").split()) for key, name in METADATA.items()}
    for name in ("created", "modified"):
        found[name] = _iso_date(found[name])
    return {name: value for name, value in found.items() if value}


def _iso_date(value: str) -> str:
    match = PDF_DATE.match(value)
    if match is None:
        return value
    year, month, day, hour, minute, second = match.groups()
    date = "-".join(part for part in (year, month, day) if part)
    return f"{date}T{hour}:{minute}:{second}" if second else date
