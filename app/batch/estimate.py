"""What a batch would take: files, pages, tokens, time, disk, and what does not fit. Writes no row.

Every file is parsed, which the run then does not do again. Time and disk are measured on one document that the model
can hold and one that it cannot, each the smallest of its kind: what that one takes a token, the others will take.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.batch.ahead import Ahead
from app.batch.questions import Question
from app.batch.running import Batch
from app.batch.sources import Source
from app.errors import sentence_of
from app.service import Longleaf
from ingest.document import Document
from llm.answer import ReadingProgress


@dataclass(frozen=True, slots=True)
class Planned:
    """One document that is still to be asked about."""

    source: Source
    document: Document
    questions: Sequence[Question]
    tokens: int
    fits: bool  # into the model's context; else it is answered from passages, unless it is to be read whole


@dataclass(frozen=True, slots=True)
class Rate:
    """What one measured document took."""

    name: str
    prepare_s_per_token: float
    answer_s: float
    bytes_per_token: float


@dataclass(frozen=True, slots=True)
class Estimate:
    documents: tuple[Planned, ...]
    unreadable: tuple[tuple[str, str], ...]  # name and why
    rates: tuple[Rate, ...]
    rows: int  # to be made, of documents that can be read
    time_s: float
    disk_bytes: int
    free_bytes: int

    @property
    def pages(self) -> int:
        return sum(planned.document.num_pages for planned in self.documents)

    @property
    def tokens(self) -> int:
        return sum(planned.tokens for planned in self.documents)

    @property
    def beyond(self) -> list[Planned]:
        """Documents that do not fit the model's context."""
        return [planned for planned in self.documents if not planned.fits]


def estimate(longleaf: Longleaf, batch: Batch, on_parsed: Callable[[int, int], None]) -> Estimate:
    """Parses and measures; `on_parsed` gets files done and files in all."""
    missing = batch.missing()
    documents, unreadable = [], []
    with Ahead(list(missing), batch.parse, batch.options.workers) as ahead:
        for number, (source, find) in enumerate(ahead, 1):
            try:
                if source.refused is None:
                    documents.append(_planned(longleaf, source, find().id, missing[source]))
                else:
                    unreadable.append((source.name, source.refused))
            except Exception as error:
                why = sentence_of(error)
                if why is None:
                    raise
                unreadable.append((source.name, why))
            on_parsed(number, len(missing))
    rates = [
        (group, _measured(longleaf, min(group, key=lambda one: one.tokens), batch))
        for fits in (True, False)
        if (group := [planned for planned in documents if planned.fits is fits])
    ]
    rows = sum(len(planned.questions) for planned in documents)
    tokens = [(sum(planned.tokens for planned in group), rate) for group, rate in rates]
    answers_s = sum(len(planned.questions) * rate.answer_s for group, rate in rates for planned in group)
    return Estimate(
        tuple(documents), tuple(unreadable), tuple(rate for _, rate in rates), rows,
        time_s=answers_s + sum(count * rate.prepare_s_per_token for count, rate in tokens),
        disk_bytes=round(sum(count * rate.bytes_per_token for count, rate in tokens)),
        free_bytes=shutil.disk_usage(longleaf.settings.data_dir).free,
    )  # fmt: skip


def _planned(longleaf: Longleaf, source: Source, document_id: str, questions: Sequence[Question]) -> Planned:
    document = longleaf.document(document_id)
    coverage = longleaf.engine().coverage([document])
    return Planned(source, document, questions, coverage.tokens_total, coverage.tokens_read == coverage.tokens_total)


def _measured(longleaf: Longleaf, planned: Planned, batch: Batch) -> Rate:
    """Prepares the document and asks its first question; what was read stays for the run."""
    ids, question = [planned.document.id], planned.questions[0].text
    began = time.monotonic()
    if batch.options.whole:
        for _ in longleaf.read(ids):
            pass
    prepared = time.monotonic()
    for event in longleaf.ask(ids, question, batch.options.ask):
        if isinstance(event, ReadingProgress):
            prepared = time.monotonic()
    answer_s = time.monotonic() - prepared
    stored = longleaf.engine().stored_bytes(*{leaf.id for leaf in planned.document.leaves()})
    tokens = max(planned.tokens, 1)
    return Rate(planned.source.name, (prepared - began) / tokens, answer_s, stored / tokens)
