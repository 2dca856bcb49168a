"""Needles in real text: is an invented sentence found wherever it stands, in documents of 8k to a million tokens?

One document a length, the beginning of the same essays, manuals and contexts (`app.bench.corpus`), with the needles at
even depths between two of its sentences. Beside every length stands the same model reading a short document whole,
exactly: what it cannot answer there is no fault of the runtime.
"""

import random
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.corpus import document, pages_of, real_texts, take
from app.bench.facts import Needle, needles
from app.bench.journal import Journal
from app.bench.report import Report
from app.bench.subject import OnText, Stretch, Subject, code_digest
from app.errors import BadRequest
from ingest.document import Document
from llm.answer import AskOptions

NAME = "essays.txt"
MAX_NEW_TOKENS = 48
_BORDER = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n\n")

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A needle in a document."""

    needle: Needle
    at: Stretch


class NeedleBench:
    """One run; what an earlier run of the same code in the same folder has answered is not asked again."""

    def __init__(self, subject: Subject, data: Path, work_dir: Path, *, number: int, seed: int) -> None:
        """Raises BadRequest for too many needles."""
        self._subject, self._seed = subject, seed
        self._needles = needles(number, seed)
        self._pages = list(pages_of(real_texts(data)))
        depends_on = {"model": subject.identity, "kv": subject.kv_dtype, "code": code_digest()}
        self._journal = Journal(work_dir, "needle", depends_on)

    def run(self, sizes: Sequence[int], whole_sizes: Sequence[int], on_text: OnText) -> Report:
        """Every size as a person would ask; every one of `whole_sizes` read whole and exactly.

        Raises BadRequest where the texts are too short, ContextOverflow where a whole size does not fit the model.
        """
        cells = [(size, True) for size in whole_sizes] + [(size, False) for size in sizes]
        answers = {cell: self._cell(*cell, on_text) for cell in cells}
        alone = [row["answered"] for (_, whole), rows in answers.items() if whole for row in rows]
        ceiling = statistics.fmean(alone) if alone else None
        return Report(
            "Needles in real text",
            self._subject.model,
            [line(size, whole, rows, ceiling) for (size, whole), rows in answers.items()],
            "Invented sentences at even depths of essays, manuals and other real text that repeats nothing. answered: "
            "the value stands in the answer, character for character. selected: a KV block with a character of the "
            "needle was selected by some layer. evidence: the needle was among the "
            "sentences that the engine showed. kept: answered, as a share of what the same model answers when it reads "
            "a short document whole, exactly.",
            {"answers": [{"size": size, "whole": whole, "rows": rows} for (size, whole), rows in answers.items()]},
        )

    def _cell(self, size: int, whole: bool, on_text: OnText) -> list[_Row]:
        hidden_in, hidden = hide(self._needles, self._document_pages(size), self._seed)
        keys = {place: f"{hidden_in.id} {whole} {place.needle.question}" for place in hidden}
        missing = [place for place, key in keys.items() if self._journal.get(key) is None]
        if missing:
            on_text(f"{size:,} tokens{', whole' if whole else ''}: {len(missing)} needles")
            self._subject.read(hidden_in)
        for place in missing:
            self._journal.put(keys[place], self._ask(hidden_in, place, whole))
        return [self._journal.get(key) for key in keys.values()]

    def _document_pages(self, size: int) -> list[str]:
        """Real text that, with the needles, has about `size` tokens. Raises BadRequest."""
        count = self._subject.count_tokens
        cost = sum(count(f" {needle.sentence} ") for needle in self._needles)
        if size < 4 * cost:
            raise BadRequest(
                f"{size:,} tokens hold {len(self._needles)} needles of {cost:,} tokens together only as a heap; choose "
                f"a size of at least {4 * cost:,} or fewer --needles"
            )
        return take(self._pages, NAME, size - cost, count)

    def _ask(self, hidden_in: Document, place: Hidden, whole: bool) -> _Row:
        options = AskOptions(max_new_tokens=MAX_NEW_TOKENS, exact=whole)
        asked = self._subject.ask(hidden_in, place.needle.question, options)
        said = asked.answer.answer if asked.answer.found else ""
        return {
            "question": place.needle.question,
            "value": place.needle.value,
            "said": said,
            "answered": place.needle.value in " ".join(said.split()),
            "evidence": any(place.at.touches(other) for other in asked.evidence),
            "selected": any(place.at.touches(other) for other in asked.looked_at) if asked.looked_at else None,
            "page": place.at.page_index + 1,
            "tokens": asked.answer.coverage.tokens_total,
            "first_token_s": asked.first_token_s,
        }


def hide(some: Sequence[Needle], pages: Sequence[str], seed: int) -> tuple[Document, list[Hidden]]:
    """The pages with the needles in them, at even depths of the text, each between two sentences."""
    rng = random.Random(f"{seed} places")
    ends = [0]
    for page in pages:
        ends.append(ends[-1] + len(page))
    texts, places = list(pages), []
    for number, needle in reversed(list(enumerate(some))):  # from behind, so that places found before stay right
        depth = (number + 0.25 + rng.random() / 2) / len(some)
        at = int(depth * ends[-1])
        page_index = next(index for index, end in enumerate(ends[1:]) if at < end)
        start = _border(texts[page_index], at - ends[page_index])
        sentence = f" {needle.sentence} "
        texts[page_index] = texts[page_index][:start] + sentence + texts[page_index][start:]
        places.append((needle, page_index))
    found = []
    for needle, page_index in reversed(places):
        start = texts[page_index].index(needle.sentence)
        found.append(Hidden(needle, Stretch(page_index, start, start + len(needle.sentence))))
    return document(NAME, texts), found


def _border(page: str, near: int) -> int:
    """The end of a sentence or paragraph nearest to a character of the page; its end where there is none."""
    borders = [match.start() for match in _BORDER.finditer(page)] or [len(page)]
    return min(borders, key=lambda border: abs(border - near))


def line(size: int, whole: bool, rows: Sequence[_Row], ceiling: float | None) -> _Row:
    """One line of the table."""
    answered = statistics.fmean(row["answered"] for row in rows)
    selected = [row["selected"] for row in rows if row["selected"] is not None]
    return {
        "tokens": size,
        "read": "whole, exact" if whole else "as asked",
        "needles": len(rows),
        "answered": round(answered, 3),
        "selected": round(statistics.fmean(selected), 3) if selected else None,
        "evidence": round(statistics.fmean(row["evidence"] for row in rows), 3),
        "kept": None if whole or not ceiling else round(answered / ceiling, 3),
        "first token s": round(statistics.median(row["first_token_s"] or 0.0 for row in rows), 2),
    }
