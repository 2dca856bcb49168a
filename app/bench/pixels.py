"""Answers from page images: from patch tokens, from recognised text, and from the true text of the same pages.

The model alone, on one page at a time; the pages are degraded in three strengths (`vision.degradation`). What differs
between patch tokens and recognised text is only what recognition was not sure of.
"""

import hashlib
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.bench.journal import Journal
from app.bench.report import Report
from app.bench.scans import SETS, Scan, scans
from app.bench.subject import OnText, Subject, code_digest
from ingest import serial
from ingest.document import Document, Kind, Page
from ingest.ocr import page_from_recognised, recognise
from llm.prompt import Prompt
from llm.stream import TokenStream, doubts_of
from llm.tokens import Tokens
from llm.training.scores import f1, is_refusal
from vision import Seen
from vision.degradation import LEVELS, degraded

WAYS = ("patches", "reading", "text", "true")
MAX_NEW_TOKENS = 48
_NOTE = (
    "F1 of the answers, weighed as the product does. patches: patch tokens; reading: their likeliest tokens alone; "
    "text: what recognition says; true: the true text of the page. ratio: patches over text. doubtful: share of the "
    "page's tokens that are mixtures. degradation 0: the page as it is."
)

_Row = dict[str, Any]


class PixelsBench:
    """One run; a page that an earlier run of the same code in the same folder has answered is not asked again."""

    def __init__(self, subject: Subject, data: Path, work_dir: Path, *, pages: int, seed: int) -> None:
        self._subject, self._seed = subject, seed
        self._scans = list(scans(data, pages, seed))
        self._recognised = Journal(work_dir, "pixels-recognised", {"format": serial.FORMAT, "seed": seed})
        depends_on = {"model": subject.identity, "code": code_digest(), "seed": seed}
        self._said = Journal(work_dir, "pixels-said", depends_on)
        self._answers = Journal(work_dir, "pixels", depends_on)

    def run(self, on_text: OnText) -> Report:
        """Every page at every level of degradation."""
        rows: list[_Row] = []
        for scan in self._scans:
            on_text(f"{scan.kind}: {scan.name}")
            for level in LEVELS:
                key = f"{scan.kind} {scan.name} {level}"
                rows += self._answers.get(key) or self._answers.put(key, self._ask(scan, level))
        lines = [
            line(kind, level, [row for row in rows if row["kind"] == kind and row["level"] == level])
            for kind in SETS
            for level in LEVELS
        ]
        lines += [line("all", level, [row for row in rows if row["level"] == level]) for level in LEVELS]
        return Report("Answers from page images", self._subject.model, lines, _NOTE, {"answers": rows})

    def _ask(self, scan: Scan, level: int) -> list[_Row]:
        prompt = self._subject.prompt
        recognised = self._document(scan, level)
        (page,) = recognised.pages
        pixels = prompt.seen(page.text, doubts_of(page))
        patches = _tokens(recognised, prompt)
        shown = {
            "patches": (patches, pixels),
            "reading": (Tokens(list(patches)), Seen(pixels.text)),
            "text": (_tokens(_without_doubts(recognised), prompt), Seen(page.text)),
            "true": (_tokens(_of_text(scan), prompt), Seen(scan.true_text)),
        }
        said = {way: self._say(tokens, seen, scan) for way, (tokens, seen) in shown.items()}
        doubtful = len(patches.mixtures) / max(1, len(patches))
        rows = []
        for number, (question, answers) in enumerate(scan.questions):
            row: _Row = {"kind": scan.kind, "level": level, "doubtful": doubtful, "question": question}
            for way in WAYS:
                row[f"{way} said"] = said[way][number]
                row[way] = 0.0 if is_refusal(said[way][number]) else round(f1(said[way][number], answers), 4)
            rows.append({**row, "answers": list(answers)})
        return rows

    def _say(self, tokens: Tokens, seen: Seen, scan: Scan) -> list[str]:
        """An answer to each question of a page; what was asked before is not asked again."""
        questions = [question for question, _ in scan.questions]
        key = hashlib.sha256(f"{tokens} {seen.text} {questions}".encode()).hexdigest()
        said: list[str] = self._said.get(key) or self._said.put(
            key, self._subject.answers(tokens, seen, questions, MAX_NEW_TOKENS)
        )
        return said

    def _document(self, scan: Scan, level: int) -> Document:
        key = f"{scan.kind} {scan.name} {level}"
        known = self._recognised.get(key)
        if known is None:
            image = degraded(scan.image(), level, self._seed)
            page = page_from_recognised(recognise(image, find_rotation=False), page_no=1, size_px=image.size)
            made = Document(f"{key} {self._seed}", scan.name, Kind.IMAGE, (page,))
            known = self._recognised.put(key, serial.to_json(made).decode())
        return serial.from_json(known.encode())


def _tokens(document: Document, prompt: Prompt) -> Tokens:
    return TokenStream.of([document], prompt).token_ids


def _without_doubts(document: Document) -> Document:
    (page,) = document.pages
    return replace(document, pages=(replace(page, spans=tuple(replace(span, glyphs=None) for span in page.spans)),))


def _of_text(scan: Scan) -> Document:
    page = Page(1, scan.true_text, width_pt=1.0, height_pt=1.0)  # with a size, it has the label of a picture's page
    return Document(f"{scan.kind} {scan.name}", scan.name, Kind.IMAGE, (page,))


def line(kind: str, level: int, rows: Sequence[_Row]) -> _Row:
    """One line of the table."""
    means = {way: statistics.fmean(row[way] for row in rows) if rows else 0.0 for way in WAYS}
    return {
        "pages": kind,
        "degradation": level,
        "questions": len(rows),
        **{way: round(mean, 3) for way, mean in means.items()},
        "ratio": round(means["patches"] / means["text"], 3) if means["text"] else None,
        "doubtful": round(statistics.fmean(row["doubtful"] for row in rows), 3) if rows else 0.0,
    }
