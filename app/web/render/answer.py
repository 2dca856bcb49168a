"""Fragments of the ask panel: the answer as it streams, its citations, what the model saw, what it cost."""

import re
from collections.abc import Sequence
from itertools import zip_longest

from app.service import Conversation, Entry, KeptAnswer
from app.service.exporting import is_unseen
from app.service.values import VERDICTS, Room
from app.web.render.basics import bar, button, documents, duration, escape, icon, name, pages, place, time_left, tokens
from app.web.render.fit import fit
from app.web.render.markup import ShowMark, rendered
from app.web.render.previews import preview
from app.web.render.quotes import is_row, quoted, with_gaps
from app.web.texts import noted, number, t, tn
from ingest.document import Page
from llm.answer import Answer, Citation, Coverage, ReadingProgress

STRAY_MARK = re.compile(r"\s*\[\d{1,2}\]")
MAX_LEFT_OUT_SHOWN = 100
NOT_FOUND = re.compile(  # the title says it already
    r"^not found\s*[:.,]?\s*(?:the documents do not hold an answer to this question\.)?", re.IGNORECASE
)
QUOTE_SHOWN = 280
SUGGESTIONS_SHOWN = 5
UNITS = (noted("tokens"), noted("characters"), noted("pages"), noted("files"))  # of a reading's steps
VERDICT_NAMES = dict(zip(VERDICTS, (noted("Right"), noted("Wrong"), noted("Wrong evidence")), strict=True))


def in_progress(
    question: str, status: str, progress: ReadingProgress | None, text: str, found: int, run: str | None = None,
    *, stopping: bool = False,
) -> str:  # fmt: skip
    """An answer on its way: what is being done, how far it is, and the words that came so far.

    `run` finds it again after a reload. `stopping`: a person wants no more of it.
    """
    written = rendered(text, last='<i class="ll-caret"></i>') if text else ""
    body = f'<div class="ll-text ll-streaming">{written}</div>' if text else ""
    if stopping:
        status, progress = noted("Stopping"), None
    doing = "" if text and not stopping else working(status, progress)
    said = tn("{n} passage found and shown.", "{n} passages found; the first is shown.", found)
    evidence = f'<p class="ll-meta">{said}</p>' if found else ""
    inside = f"{_asked(question)}{body}{doing}{evidence}"
    address = f' data-address="run={escape(run)}" data-key="question" data-under-way="{t("An answer")}"' if run else ""
    return f'<article class="ll-answer" aria-live="polite" aria-busy="true"{address}>{inside}</article>'


def working(status: str, progress: ReadingProgress | None) -> str:
    """What is being done before the first word, and how far that is."""
    if progress is None:
        return f'<p class="ll-meta" role="status">{escape(t(status))}</p>{bar(0, 0, t(status))}'
    verb = t("Indexing") if progress.stage == "index" else t("Reading")
    facts = f"{verb} {how_far(progress.done, progress.total, progress.unit)}"
    if progress.rate_per_s:
        facts += f" · {number(progress.rate_per_s)} {t(progress.unit)}/s"
    if progress.eta_s:
        facts += f" · {time_left(progress.eta_s)}"
    if progress.reused:
        facts += " · " + t("{n} were read earlier", n=number(progress.reused))
    return f'<p class="ll-meta" role="status">{escape(facts)}</p>{bar(progress.done, progress.total, verb)}'


def how_far(done: float, total: float, unit: str) -> str:
    """ "2,048 of 8,120 tokens"."""
    return t("{done} of {total} {unit}", done=number(done), total=number(total), unit=t(unit))


def failed(question: str, sentence: str, text: str = "") -> str:
    """A question that could not be answered, with the reason; what had been said stays."""
    said = f'<div class="ll-text">{rendered(text)}</div>' if text else ""
    return (
        f'<article class="ll-answer" aria-live="polite">{_asked(question)}{said}'
        f'<p class="ll-error" role="alert">{escape(sentence)}</p></article>'
    )


def answered(
    answer: Answer, kept: KeptAnswer | None = None, permalink: str = "", cited: Sequence[Page | None] = ()
) -> str:
    """The whole answer; what can be done with it, if it is kept. Where the viewer is at is marked in the browser.

    `permalink` names the page on which it can be read only; `cited` are the pages of its citations, for previews.
    """
    done = f'data-key="question" data-done="{t("{question}: answered", question=escape(answer.question))}"'
    address = f' data-address="answer={kept.number}" {done}' if kept else ""
    return (
        f'<article class="ll-answer" aria-live="polite"{address}>{_asked(answer.question)}{_body(answer, cited)}'
        f"{tools(kept, permalink) if kept else ''}{_citations(answer, cited)}{coverage_line(answer)}"
        f"{timing_line(answer)}{_feedback(kept) if kept else ''}</article>"
    )


def tools(kept: KeptAnswer, permalink: str) -> str:
    """Copying happens in the browser (assets/theme/longleaf.js)."""
    copy = f'<button type="button" class="ll-link" data-copy="{escape(as_text(kept.answer))}">{t("Copy")}</button>'
    link = f'<a class="ll-link" href="/answer/{escape(permalink)}" target="_blank">{t("Link")}</a>' if permalink else ""
    again = button(t("Ask again"), "again", css="ll-link", aria=t("Ask again: the same question"))
    edit = button(t("Edit"), "edit", css="ll-link", aria=t("Edit the question and ask it"))
    away = button(t("Delete"), "delete-answer", css="ll-link", aria=t("Delete this answer"))
    return f'<p class="ll-answer-tools">{copy}{again}{edit}{link}{away}</p>'


def as_text(answer: Answer) -> str:
    """Question, answer and evidence as plain text."""
    cited = (
        f"[{index}] {cite.source}{place(cite)}: “{' '.join(cite.quote.split())}”"
        for index, cite in enumerate(answer.citations, 1)
    )
    how = [t("From the table: {how}.", how=answer.how)] if answer.how else []
    return "\n".join([answer.question, "", answer.answer.strip(), *how, "", *cited]).strip()


def _feedback(kept: KeptAnswer) -> str:
    """What a person thinks of it; once they said so, room for a note."""
    choices = "".join(
        f'<button type="button" class="ll-chip" data-act="judge" data-arg="{verdict}" '
        f'aria-pressed="{str(verdict == kept.verdict).lower()}">{t(VERDICT_NAMES[verdict])}</button>'
        for verdict in VERDICTS
    )
    note = (
        f'<input class="ll-input" data-act="note" data-arg="{kept.number}" value="{escape(kept.note)}" '
        f'aria-label="{t("Note on this answer")}" placeholder="{t("A note, if you like")}" maxlength="2000">'
        if kept.verdict
        else ""
    )
    label = f'role="group" aria-label="{t("Is this answer right?")}"'
    return f'<div class="ll-feedback" {label}><span>{t("Your verdict")}</span>{choices}{note}</div>'


def _asked(question: str) -> str:
    return f'<h2 class="ll-asked">{escape(question)}</h2>'


def _body(answer: Answer, cited: Sequence[Page | None]) -> str:
    ended = t("Stopped: this is what had come so far.")
    stopped = f'<p class="ll-meta">{ended}</p>' if answer.stopped else ""
    if answer.found or answer.stopped:
        table = t("From the table: {how}.", how=escape(answer.how))
        how = f'<p class="ll-meta">{table}</p>' if answer.how else ""
        text = said(answer, cited, _mark)
        return f'<div class="ll-text">{text}</div>{how}{stopped}'
    return said_plainly(answer)


def said(answer: Answer, cited: Sequence[Page | None], show_mark: ShowMark) -> str:
    """The answer's text; one that rests on rows of a table may name their cells as they stand there."""
    text = rendered(answer.answer, len(answer.citations), show_mark)
    on_rows = any(is_row(page, cite.start, cite.end) for cite, page in zip(answer.citations, cited, strict=False))
    return with_gaps(text) if on_rows else text


def said_plainly(answer: Answer) -> str:
    """That the documents do not hold an answer."""
    text = NOT_FOUND.sub("", answer.answer.strip())
    said = f"<p>{escape(text[:1].upper() + text[1:])}</p>" if text else ""
    title = t("Not found in the documents") if answer.coverage.sources > 1 else t("Not found in the document")
    return f'<div class="ll-not-found"><p class="ll-not-found-title">{title}</p>{said}</div>'


def _mark(index: int) -> str:
    return button(str(index + 1), "cite", index, css="ll-mark", aria=t("Show evidence {n}", n=index + 1))


def _citations(answer: Answer, cited: Sequence[Page | None]) -> str:
    if not answer.citations:
        return ""
    title = t("Evidence") if answer.found else t("The nearest passages")
    shown = zip_longest(answer.citations, cited[: len(answer.citations)])
    rows = "".join(_citation(index, cite, page) for index, (cite, page) in enumerate(shown))
    return f'<h3 class="ll-label">{title}</h3><ol class="ll-citations">{rows}</ol>'


def _citation(index: int, cite: Citation, page: Page | None) -> str:
    state = (
        f'<span class="ll-verified">{icon("check")}{t("quote checked")}</span>'
        if cite.verified
        else f'<span class="ll-unverified">{t("quote not confirmed")}</span>'
    )
    return (
        f'<li><button type="button" class="ll-citation{"" if cite.verified else " ll-citation-unverified"}" '
        f'data-act="cite" data-arg="{index}" aria-pressed="false"{preview(cite, page)}>'
        f'<span class="ll-number">{index + 1}</span><span class="ll-citation-body">'
        f'<span class="ll-place">{name(cite.source)}{place(cite)}</span>'
        f"<q>{quoted(cite, page, QUOTE_SHOWN)}</q>{state}</span></button></li>"
    )


def coverage_line(answer: Answer) -> str:
    """One line on what the model saw, or that none wrote this, opening into what was left out."""
    line, left_out = _read(answer.coverage), answer.coverage.left_out
    if is_unseen(answer):
        line, left_out = _origin(answer), left_out[1:]  # the first says that the model saw nothing (llm.coverage)
    elif answer.derived:
        line = f"{_origin(answer)} {line}"
    is_part = bool(left_out) or (not answer.derived and answer.coverage.tokens_read < answer.coverage.tokens_total)
    css = f"ll-coverage{' ll-coverage-part' if is_part else ''}"
    if not left_out:
        return f'<p class="{css}">{line}</p>'
    items = "".join(
        f"<li>{name(item.source)}{', ' + t('page {n}', n=item.page) if item.page is not None else ''}: "
        f"{escape(item.reason)}</li>"
        for item in left_out[:MAX_LEFT_OUT_SHOWN]
    )
    hidden = len(left_out) - MAX_LEFT_OUT_SHOWN
    more = f"<li>{t('… and {n} more.', n=number(hidden))}</li>" if hidden > 0 else ""
    counted = tn("{n} thing left out", "{n} things left out", len(left_out))
    return f'<details class="{css}"><summary>{line} {counted}</summary><ul>{items}{more}</ul></details>'


def _origin(answer: Answer) -> str:
    if answer.how:
        return t("Worked out from a table, not written by the model.")
    return t("Looked up in the document, not written by the model.")


def _read(coverage: Coverage) -> str:
    """What the model saw."""
    read, total = number(coverage.pages_read), pages(coverage.pages_total)
    if coverage.tokens_read >= coverage.tokens_total:
        return t("Read {read} of {pages}, all {tokens}.", read=read, pages=total, tokens=tokens(coverage.tokens_total))
    if not coverage.tokens_read:
        return t("Nothing of {pages} was shown to the model.", pages=total)
    if not coverage.pages_read:
        seen, of = number(coverage.tokens_read), tokens(coverage.tokens_total)
        return t("Only the map of the files was shown to the model: {seen} of {tokens}.", seen=seen, tokens=of)
    return t(
        "Only the best passages were shown to the model: {seen} of {tokens}, from {read} of {pages}.",
        seen=number(coverage.tokens_read), tokens=tokens(coverage.tokens_total), read=read, pages=total,
    )  # fmt: skip


def timing_line(answer: Answer) -> str:
    """ "38,211 tokens reused, 0 read; first word after 0.8 s; 5.1 s in all, 12 tokens/s; LeafMoE-135M."

    Where no model took part, only the time.
    """
    timing = answer.timing
    parts = [t("{time} in all", time=duration(timing.total_s))]
    if timing.decode_tokens_per_s:
        parts[-1] += f", {number(timing.decode_tokens_per_s, 1)} {t('tokens')}/s"
    if not is_unseen(answer):
        reused, read = tokens(timing.reused_tokens), number(timing.new_tokens)
        first = t("first word after {time}", time=duration(timing.first_token_s))
        parts = [t("{reused} reused, {read} read", reused=reused, read=read), first, *parts, escape(answer.model.name)]
    return f'<p class="ll-meta ll-timing">{"; ".join(parts)}.</p>'


def earlier(answers: Sequence[KeptAnswer], shown: KeptAnswer | None, conversation: Conversation | None) -> str:
    """The conversation's other answers, newest first; without one, what was asked before about the same documents.

    The argument of a click is the answer's number.
    """
    others = [kept for kept in reversed(answers) if shown is None or kept.number != shown.number]
    rows = "".join(map(_earlier, others))
    listed = f'<ul class="ll-earlier">{rows}</ul>' if rows else ""
    if conversation is None:
        return f'<h3 class="ll-label">{t("Asked before")}</h3>{listed}' if rows else ""
    new = button(t("New conversation"), "new", css="ll-link")
    label = f'<h3 class="ll-label">{t("Earlier in this conversation")}</h3>' if rows else "<span></span>"
    return f'<div class="ll-earlier-head">{label}{new}</div>{listed}'


def _earlier(kept: KeptAnswer) -> str:
    answer = kept.answer
    text = " ".join(STRAY_MARK.sub("", answer.answer).split()) if answer.found else t("Not found")
    return (
        f'<li><button type="button" data-act="earlier" data-arg="{kept.number}">'
        f'<span class="ll-earlier-question">{escape(answer.question)}</span>'
        f'<span class="ll-earlier-answer">{escape(text[:160])}</span></button></li>'
    )


def scope(chosen: Sequence[Entry], room: Room | None, refused: str = "", answered: Sequence[Entry] = ()) -> str:
    """Which documents the question goes to, and how the model can take them in; above the question.

    `room` is None while that is not known; `refused`: why another way was not taken; `answered`: of which documents the
    answer is that is still shown, if these are others.
    """
    said = t("The answer below is about {document}.", document=_named(answered)) if answered else ""
    about = f'<p class="ll-meta ll-about">{said}</p>' if said else ""
    if not chosen:
        inside = f"<b>{t('No document chosen.')}</b> {t('Tick at least one in the list.')}"
    else:
        inside = t("Asking {document}", document=f"<b>{_named(chosen)}</b>")
    error = f'<p class="ll-error" role="alert">{escape(refused)}</p>' if refused else ""
    toggle = f'<button type="button" class="ll-link ll-phone" data-toggle="library">{t("Documents")}</button>'
    return f'<p class="ll-scope"><span>{inside}</span>{toggle}</p>{fit(chosen, room)}{about}{error}'


def _named(entries: Sequence[Entry]) -> str:
    """One by its name, several by their number."""
    if len(entries) == 1:
        return name(entries[0].name)
    return f'<span title="{escape(", ".join(entry.name for entry in entries))}">{documents(len(entries))}</span>'


def suggestions(questions: Sequence[str]) -> str:
    """Questions to begin with."""
    if not questions:
        return ""
    chips = "".join(
        button(escape(question), "suggest", question, css="ll-chip") for question in questions[:SUGGESTIONS_SHOWN]
    )
    return f'<div class="ll-chips" role="group" aria-label="{t("Questions to try")}">{chips}</div>'


def welcome(starters: Sequence[tuple[str, str, str]]) -> str:
    """The empty state. Starters: (file, what it is, question)."""
    cards = "".join(
        f'<button type="button" class="ll-starter" data-act="sample" data-arg="{escape(file)}">'
        f'<span class="ll-starter-kind">{escape(t(kind))}</span><span class="ll-starter-name">{name(file)}</span>'
        f'<span class="ll-starter-question">{escape(question)}</span></button>'
        for file, kind, question in starters
    )
    title = f'<h3 class="ll-label">{t("Or start with a sample")}</h3>'
    samples = f'{title}<div class="ll-starters">{cards}</div>' if cards else ""
    said = t(
        "Add a document, a folder or a zip, ask a question about it, and see the answer with the very lines it rests "
        "on."
    )
    return f'<section class="ll-welcome"><h2>{t("Ask a document")}</h2><p>{said}</p>{samples}</section>'
