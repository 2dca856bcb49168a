"""Fragments of the ask panel: the answer as it streams, its citations, what the model saw, what it cost."""

import re
from collections.abc import Sequence

from app.web.render.basics import bar, button, count, duration, escape, icon, name, number
from llm.answer import Answer, Citation, Coverage, ReadingProgress, Timing

MARK = re.compile(r"\[(\d{1,2})\]")
STRAY_MARK = re.compile(r"\s*\[\d{1,2}\]")
MAX_LEFT_OUT_SHOWN = 100
NOT_FOUND = re.compile(r"^not found\s*[:.,]?\s*", re.IGNORECASE)  # the title says it already
QUOTE_SHOWN = 280
SUGGESTIONS_SHOWN = 5


def in_progress(question: str, status: str, progress: ReadingProgress | None, text: str, found: int) -> str:
    """An answer on its way: what is being done, how far it is, and the words that came so far."""
    body = f'<div class="ll-text ll-streaming">{escape(text)}<i class="ll-caret"></i></div>' if text else ""
    working = "" if text else _working(status, progress)
    evidence = f'<p class="ll-meta">{count(found, "passage")} found; the first is shown beside.</p>' if found else ""
    inside = f"{_asked(question)}{working}{body}{evidence}"
    return f'<article class="ll-answer" aria-live="polite" aria-busy="true">{inside}</article>'


def _working(status: str, progress: ReadingProgress | None) -> str:
    if progress is None:
        return f'<p class="ll-meta" role="status">{escape(status)}</p>{bar(0, 0, status)}'
    verb = "Indexing" if progress.stage == "index" else "Reading"
    facts = f"{verb} {number(progress.done)} of {number(progress.total)} {progress.unit}"
    if progress.rate_per_s:
        facts += f" · {number(progress.rate_per_s)} {progress.unit}/s"
    if progress.eta_s:
        facts += f" · about {duration(max(1.0, progress.eta_s))} left"
    if progress.reused:
        facts += f" · {number(progress.reused)} were read earlier"
    return f'<p class="ll-meta" role="status">{escape(facts)}</p>{bar(progress.done, progress.total, verb)}'


def failed(question: str, sentence: str, text: str = "") -> str:
    """A question that could not be answered, with the reason; what had been said stays."""
    said = f'<div class="ll-text">{escape(text)}</div>' if text else ""
    return (
        f'<article class="ll-answer" aria-live="polite">{_asked(question)}{said}'
        f'<p class="ll-error" role="alert">{escape(sentence)}</p></article>'
    )


def answered(answer: Answer) -> str:
    """The whole answer. Which citation the viewer is at is marked in the browser."""
    return (
        f'<article class="ll-answer" aria-live="polite">{_asked(answer.question)}{_body(answer)}'
        f"{_citations(answer)}{coverage_line(answer.coverage)}"
        f"{timing_line(answer.timing, answer.model.name)}</article>"
    )


def _asked(question: str) -> str:
    return f'<h2 class="ll-asked">{escape(question)}</h2>'


def _body(answer: Answer) -> str:
    stopped = '<p class="ll-meta">Stopped: this is what had come so far.</p>' if answer.stopped else ""
    if answer.found or answer.stopped:
        return f'<div class="ll-text">{_with_marks(answer.answer, len(answer.citations))}</div>{stopped}'
    text = NOT_FOUND.sub("", answer.answer.strip())
    said = f"<p>{escape(text[:1].upper() + text[1:])}</p>" if text else ""
    return (
        f'<div class="ll-not-found"><p class="ll-not-found-title">Not found in the '
        f"{'documents' if answer.coverage.sources > 1 else 'document'}</p>{said}</div>"
    )


def _with_marks(text: str, num_citations: int) -> str:
    """[n] becomes a button where citation n exists; citations that the text does not name are put after it."""
    named: set[int] = set()

    def as_button(match: re.Match[str]) -> str:
        number_ = int(match[1])
        if not 1 <= number_ <= num_citations:
            return match[0]
        named.add(number_)
        return _mark(number_ - 1)

    marked = MARK.sub(as_button, escape(text.strip()))
    rest = " ".join(_mark(index) for index in range(num_citations) if index + 1 not in named)
    return f"{marked} {rest}" if rest else marked


def _mark(index: int) -> str:
    return button(str(index + 1), "cite", index, css="ll-mark", aria=f"Show evidence {index + 1}")


def _citations(answer: Answer) -> str:
    if not answer.citations:
        return ""
    title = "Evidence" if answer.found else "The nearest passages"
    rows = "".join(_citation(index, cite) for index, cite in enumerate(answer.citations))
    return f'<h3 class="ll-label">{title}</h3><ol class="ll-citations">{rows}</ol>'


def _citation(index: int, cite: Citation) -> str:
    state = (
        f'<span class="ll-verified">{icon("check")}quote checked</span>'
        if cite.verified
        else '<span class="ll-unverified">quote not confirmed</span>'
    )
    quote = " ".join(cite.quote.split())
    quote = quote if len(quote) <= QUOTE_SHOWN else quote[: QUOTE_SHOWN - 1].rstrip() + "…"
    return (
        f'<li><button type="button" class="ll-citation{"" if cite.verified else " ll-citation-unverified"}" '
        f'data-act="cite" data-arg="{index}" aria-pressed="false">'
        f'<span class="ll-number">{index + 1}</span><span class="ll-citation-body">'
        f'<span class="ll-place">{name(cite.source)}{place(cite)}</span>'
        f"<q>{escape(quote)}</q>{state}</span></button></li>"
    )


def place(cite: Citation) -> str:
    """ ", page 3" or ", lines 10–14"."""
    if cite.lines is not None:
        first, last = cite.lines
        return f", line {number(first)}" if first == last else f", lines {number(first)}–{number(last)}"
    return f", page {cite.page}" if cite.page is not None else ""


def coverage_line(coverage: Coverage) -> str:
    """One line on what the model saw, opening into what it did not."""
    pages = f"{number(coverage.pages_read)} of {count(coverage.pages_total, 'page')}"
    if coverage.tokens_read >= coverage.tokens_total:
        line = f"Read {pages}, all {count(coverage.tokens_total, 'token')}."
    else:
        line = (
            f"Only the best passages were shown to the model: {number(coverage.tokens_read)} of "
            f"{count(coverage.tokens_total, 'token')}, from {pages}."
        )
    whole = coverage.tokens_read >= coverage.tokens_total and not coverage.left_out
    css = "ll-coverage" + ("" if whole else " ll-coverage-part")
    if not coverage.left_out:
        return f'<p class="{css}">{line}</p>'
    items = "".join(
        f"<li>{name(item.source)}{f', page {item.page}' if item.page is not None else ''}: {escape(item.reason)}</li>"
        for item in coverage.left_out[:MAX_LEFT_OUT_SHOWN]
    )
    hidden = len(coverage.left_out) - MAX_LEFT_OUT_SHOWN
    more = f"<li>… and {number(hidden)} more.</li>" if hidden > 0 else ""
    return (
        f'<details class="{css}"><summary>{line} {count(len(coverage.left_out), "thing")} left out</summary>'
        f"<ul>{items}{more}</ul></details>"
    )


def timing_line(timing: Timing, model: str) -> str:
    """ "38,211 tokens reused, 0 read; first word after 0.8 s; 5.1 s in all, 12 tokens/s"."""
    parts = [
        f"{count(timing.reused_tokens, 'token')} reused, {number(timing.new_tokens)} read",
        f"first word after {duration(timing.first_token_s)}",
        f"{duration(timing.total_s)} in all",
    ]
    if timing.decode_tokens_per_s:
        parts[-1] += f", {timing.decode_tokens_per_s:.1f} tokens/s"
    return f'<p class="ll-meta ll-timing">{"; ".join(parts)}; {escape(model)}.</p>'


def earlier(answers: Sequence[Answer], shown: Answer | None) -> str:
    """Questions that were asked before about the chosen documents, newest first, without the one that is shown.

    The argument of a click is the array position.
    """
    newest_first = [index for index in reversed(range(len(answers))) if not _is_same(answers[index], shown)]
    rows = "".join(_earlier(index, answers[index]) for index in newest_first)
    if not rows:
        return ""
    return f'<h3 class="ll-label">Asked before</h3><ul class="ll-earlier">{rows}</ul>'


def _is_same(answer: Answer, shown: Answer | None) -> bool:
    return shown is not None and (answer.question, answer.timing) == (shown.question, shown.timing)


def _earlier(index: int, answer: Answer) -> str:
    text = " ".join(STRAY_MARK.sub("", answer.answer).split()) if answer.found else "Not found"
    return (
        f'<li><button type="button" data-act="earlier" data-arg="{index}">'
        f'<span class="ll-earlier-question">{escape(answer.question)}</span>'
        f'<span class="ll-earlier-answer">{escape(text[:160])}</span></button></li>'
    )


def scope(names: Sequence[str]) -> str:
    """Which documents the question goes to, above the question."""
    if not names:
        inside = "<b>No document chosen.</b> Tick at least one in the list."
    elif len(names) == 1:
        inside = f"Asking <b>{name(names[0])}</b>"
    else:
        inside = f'Asking <b title="{escape(", ".join(names))}">{count(len(names), "document")}</b>'
    toggle = '<button type="button" class="ll-link ll-phone" data-toggle="library">Documents</button>'
    return f'<p class="ll-scope"><span>{inside}</span>{toggle}</p>'


def suggestions(questions: Sequence[str]) -> str:
    """Ready questions for a sample document."""
    if not questions:
        return ""
    chips = "".join(
        button(escape(question), "suggest", question, css="ll-chip") for question in questions[:SUGGESTIONS_SHOWN]
    )
    return f'<div class="ll-chips" aria-label="Questions to try">{chips}</div>'


def welcome(starters: Sequence[tuple[str, str, str]]) -> str:
    """The empty state. Starters: (file, what it is, question)."""
    cards = "".join(
        f'<button type="button" class="ll-starter" data-act="sample" data-arg="{escape(file)}">'
        f'<span class="ll-starter-kind">{escape(kind)}</span><span class="ll-starter-name">{name(file)}</span>'
        f'<span class="ll-starter-question">{escape(question)}</span></button>'
        for file, kind, question in starters
    )
    samples = f'<h3 class="ll-label">Or start with a sample</h3><div class="ll-starters">{cards}</div>' if cards else ""
    return (
        '<section class="ll-welcome"><h1>Ask a document</h1><p>Add a document, a folder or a zip, ask a question about '
        f"it, and see the answer with the very lines it rests on.</p>{samples}</section>"
    )
