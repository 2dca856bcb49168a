"""Fragments of the compare panel: a column for each model, and what each of them took."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.web.comparing import Comparison, Lane
from app.web.render.answer import coverage_line, said, said_plainly, working
from app.web.render.basics import button, duration, escape, name, place
from app.web.render.markup import rendered
from app.web.render.quotes import quoted
from app.web.texts import noted, number, t, tn
from ingest.document import Page
from llm.answer import Answer, Citation

PageOf = Callable[[Citation], Page | None]
QUOTE_SHOWN = 160  # characters
LANE = 1000  # a click names lane * LANE + citation


def empty() -> str:
    said = t(
        "The same question goes to every ticked model, over the ticked documents. You see their answers side by side, "
        "with evidence and with what each of them took. A second model has to read the documents for itself, and "
        "stays loaded."
    )
    return f'<p class="ll-quiet">{said}</p>'


def lanes(comparison: Comparison, packaged: str, page_of: PageOf) -> str:
    """`packaged`: what the page's own model is called where it was not named; `page_of` a citation, if it is there."""
    error = f'<p class="ll-error" role="alert">{escape(t(comparison.error))}</p>' if comparison.error else ""
    shown = map(_stopping, comparison.lanes) if comparison.stopping else comparison.lanes
    columns = "".join(_lane(at, lane, packaged, page_of) for at, lane in enumerate(shown))
    busy = str(not comparison.over).lower()
    return (
        f'<h2 class="ll-asked">{escape(comparison.question)}</h2>{error}'
        f'<div class="ll-lanes" aria-live="polite" aria-busy="{busy}">{columns}</div>{_took(comparison, packaged)}'
    )


def _lane(at: int, lane: Lane, packaged: str, page_of: PageOf) -> str:
    title = f'<h3 class="ll-lane-name">{escape(lane.model or packaged)}</h3>'
    return f'<article class="ll-lane">{title}{_inside(at, lane, page_of)}</article>'


def _stopping(lane: Lane) -> Lane:
    return replace(lane, status=noted("Stopping"), reading=None)


def _inside(at: int, lane: Lane, page_of: PageOf) -> str:
    if lane.answer is not None:
        return _answer(at, lane.answer, [page_of(cite) for cite in lane.answer.citations])
    text = f'<div class="ll-text">{rendered(lane.text)}</div>' if lane.text else ""
    if lane.error is not None:
        return f'{text}<p class="ll-error" role="alert">{escape(t(lane.error))}</p>'
    return text or working(lane.status, lane.reading)


def _answer(at: int, answer: Answer, cited: Sequence[Page | None]) -> str:
    def mark(index: int) -> str:
        return button(
            str(index + 1), "cell", LANE * at + index, css="ll-mark", aria=t("Show evidence {n}", n=index + 1)
        )

    if answer.found or answer.stopped:
        body = f'<div class="ll-text">{said(answer, cited, mark)}</div>'
    else:
        body = said_plainly(answer)
    rows = "".join(
        f'<li><button type="button" class="ll-hit" data-act="cell" data-arg="{LANE * at + index}">'
        f'<span class="ll-place">{index + 1}. {name(cite.source)}{place(cite)}</span>'
        f"<q>{quoted(cite, page, QUOTE_SHOWN)}</q></button></li>"
        for index, (cite, page) in enumerate(zip(answer.citations, cited, strict=True))
    )
    evidence = f'<ol class="ll-docs">{rows}</ol>' if rows else ""
    return f"{body}{evidence}{coverage_line(answer)}"


def _took(comparison: Comparison, packaged: str) -> str:
    """What each answer took, a line a model; once there is one."""
    rows = "".join(
        f'<tr><th scope="row">{escape(lane.model or packaged)}</th>'
        f"<td>{duration(lane.answer.timing.first_token_s)}</td>"
        f"<td>{duration(lane.answer.timing.total_s)}</td><td>{_rate(lane.answer)}</td>"
        f"<td>{number(lane.answer.timing.new_tokens)}</td><td>{number(lane.answer.timing.reused_tokens)}</td>"
        f"<td>{number(100 * lane.answer.confidence)} %</td><td>{_checked(lane.answer)}</td></tr>"
        for lane in comparison.lanes
        if lane.answer is not None
    )
    head = "".join(
        f'<th scope="col">{title}</th>'
        for title in (
            t("Model"), t("First word"), t("In all"), t("Tokens/s"), t("Tokens read"), t("Tokens reused"),
            t("Holds an answer"), t("Quotes checked"),
        )
    )  # fmt: skip
    return (
        f'<div class="ll-table-scroll" tabindex="0" role="region" aria-label="{t("What each model took")}">'
        f'<table class="ll-table ll-took"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        if rows
        else ""
    )


def _rate(answer: Answer) -> str:
    return number(answer.timing.decode_tokens_per_s, 1) if answer.timing.decode_tokens_per_s else "–"


def _checked(answer: Answer) -> str:
    verified = sum(cite.verified for cite in answer.citations)
    said = tn("{verified} of {n} quote", "{verified} of {n} quotes", len(answer.citations), verified=verified)
    return said if answer.citations else "–"
