"""How answers and documents look on a terminal, and as JSON. What a person reads goes through `click.echo`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from app.service import Entry
from app.service.exporting import is_unseen, origin
from llm.answer import Answer, Citation, Coverage, ExpertUse, LeftOut

SHOWN_LEFT_OUT = 5
SHOWN_WORDS = 8


def echo_json(value: Any, *, one_line: bool = False) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=None if one_line else 2))


def after_answer(answer: Answer) -> Iterator[str]:
    """The lines below an answer: how it was computed, citations, then what the model saw, or that none wrote it."""
    if answer.how:
        yield how_line(answer.how)
    for number, citation in enumerate(answer.citations, 1):
        yield f"[{number}] {citation_line(citation)}"
    yield seen_line(answer)


def seen_line(answer: Answer) -> str:
    """What the model saw, in one line, or that none wrote the answer."""
    if is_unseen(answer):
        return origin(answer) + _all_left_out(answer.coverage.left_out[1:])  # the first says that the model saw nothing
    return f"{origin(answer)} {coverage_line(answer.coverage)}" if answer.derived else coverage_line(answer.coverage)


def how_line(how: str) -> str:
    """How an answer was computed from a table."""
    return f"From the table: {how}."


def citation_line(citation: Citation) -> str:
    doubt = "" if citation.verified else " (not found there word for word)"
    return f"{citation.source}{_where(citation)}: “{' '.join(citation.quote.split())}”{doubt}"


def _where(citation: Citation) -> str:
    if citation.lines is not None:
        first, last = citation.lines
        return f", line {first}" if first == last else f", lines {first}-{last}"
    return f", page {citation.page}" if citation.page is not None else ""


def coverage_line(coverage: Coverage) -> str:
    """What the model saw, in one line; what it did not see is never left unsaid."""
    if coverage.tokens_read == coverage.tokens_total and coverage.pages_read == coverage.pages_total:
        read = f"Read all {_count(coverage.pages_total, 'page')} ({_count(coverage.tokens_total, 'token')})"
    else:
        read = (
            f"Read {coverage.pages_read:,} of {_count(coverage.pages_total, 'page')} "
            f"({coverage.tokens_read:,} of {_count(coverage.tokens_total, 'token')})"
        )
    where = f" of {_count(coverage.sources, 'file')}" if coverage.sources != 1 else ""
    return f"{read}{where}.{_all_left_out(coverage.left_out)}"


def _all_left_out(items: Sequence[LeftOut]) -> str:
    if not items:
        return ""
    shown = "; ".join(_left_out(item) for item in items[:SHOWN_LEFT_OUT])
    more = len(items) - SHOWN_LEFT_OUT
    return f" Left out: {shown}" + (f"; and {more:,} more (--json lists them all)." if more > 0 else ".")


def _left_out(item: LeftOut) -> str:
    page = f", page {item.page}" if item.page is not None else ""
    return f"{item.source}{page}: {item.reason.rstrip('.')}"


def influence_line(weighed: Sequence[Mapping[str, Any]]) -> str:
    """The words that weighed most, for or against, with their shares."""
    if not weighed:
        return "Nothing is cited, so no word was weighed."
    best = sorted((one for one in weighed if one["text"].strip()), key=lambda one: -abs(one["share"]))[:SHOWN_WORDS]
    words = ", ".join(f"{one['text'].strip()!r} {one['share']:+.0%}" for one in best)
    return f"What weighed most, for (+) or against (-) it: {words}."


def timing_line(answer: Answer) -> str:
    timing = answer.timing
    if is_unseen(answer):
        return f"{timing.total_s:.1f} s in all, without the model."
    return (
        f"{timing.total_s:.1f} s in all, {timing.first_token_s:.1f} s to the first word; read {timing.new_tokens:,} "
        f"new tokens in {timing.read_s:.1f} s and reused {timing.reused_tokens:,}; wrote "
        f"{timing.decode_tokens_per_s:.0f} tokens a second with {answer.model.name}."
    )


def expert_line(model: str, use: ExpertUse) -> str:
    """How often a routed expert was there already, since the model was loaded, and what was fetched."""
    times = use.hits + use.misses
    share = f" ({use.hits / times:.0%})" if times else ""
    return (
        f"Of {_count(times, 'use')} of routed experts in {model}, {use.hits:,}{share} found theirs in place; "
        f"{size(use.fetched_bytes)} were fetched."
    )


def entry_line(entry: Entry) -> str:
    """One row of `library list`."""
    state = "not read yet" if entry.tokens is None else f"read, {entry.tokens:,} tokens"
    if entry.tokens is not None and not entry.is_read:
        state = f"{entry.tokens_read:,} of {entry.tokens:,} tokens read"
    tags = "".join(f" #{tag}" for tag in entry.tags)
    problems = f", {_count(len(entry.problems), 'problem')}" if entry.problems else ""
    return (
        f"{entry.id[:12]}  {entry.name}  ({entry.kind}, {_count(entry.pages, 'page')}, {size(entry.size_bytes)}; "
        f"{state}{problems}){tags}"
    )


def size(num_bytes: int) -> str:
    """ "812 bytes", "1.4 MB"; powers of 1000."""
    if num_bytes < 1000:
        return _count(num_bytes, "byte")
    value = float(num_bytes)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 1000 or unit == "GB":
            break
    return f"{value:.1f} {unit}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
