"""Conversations as files to keep or hand on: Markdown, and HTML that stands alone. Citations go with the answers.

Guarantee: text of documents, models and people is escaped; nothing in it becomes markup.
"""

import html
import re
from collections.abc import Iterator

from app.service.values import Conversation, KeptAnswer
from llm.answer import Answer, Citation

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_AT_LINE_START = re.compile(r"^(\s*)([-+>]|\d+[.)])(?=\s)", re.MULTILINE)
_STYLE = (
    "body{font:17px/1.6 Georgia,serif;max-width:44em;margin:3em auto;padding:0 1em;color:#1c2520}"
    "h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2.2em}"
    "small,footer{color:#566059;font:14px/1.5 system-ui,sans-serif}"
    "blockquote{margin:.3em 0 .3em 1em;color:#566059}li{margin:.5em 0}"
)


def as_markdown(conversation: Conversation, answers: list[KeptAnswer]) -> str:
    return "\n".join([f"# {_plain(conversation.title)}", "", *(line for kept in answers for line in _markdown(kept))])


def _markdown(kept: KeptAnswer) -> Iterator[str]:
    answer = kept.answer
    yield from (f"## {_plain(answer.question)}", "", _plain(answer.answer, keep_lines=True), "")
    for number, cite in enumerate(answer.citations, 1):
        yield f"{number}. **{_plain(cite.source)}{_place(cite)}**: “{_plain(cite.quote)}” ({_checked(cite)})"
    if answer.citations:
        yield ""
    yield from (_plain(_below(kept)), "")
    if kept.verdict:
        yield from (f"Judged {kept.verdict}{': ' + _plain(kept.note) if kept.note else ''}.", "")


def as_html(conversation: Conversation, answers: list[KeptAnswer]) -> str:
    title = html.escape(conversation.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1>{''.join(map(_html, answers))}</body></html>\n"
    )


def _html(kept: KeptAnswer) -> str:
    answer = kept.answer
    rows = "".join(
        f"<li><b>{html.escape(cite.source)}{_place(cite)}</b> <small>{_checked(cite)}</small>"
        f"<blockquote>{html.escape(' '.join(cite.quote.split()))}</blockquote></li>"
        for cite in answer.citations
    )
    judged = f" Judged {kept.verdict}{': ' + html.escape(kept.note) if kept.note else ''}." if kept.verdict else ""
    said = html.escape(answer.answer.strip()).replace("\n", "<br>")
    return (
        f"<section><h2>{html.escape(answer.question)}</h2><p>{said}</p>{f'<ol>{rows}</ol>' if rows else ''}<footer>"
        f"{html.escape(_below(kept))}{judged}</footer></section>"
    )


def _below(kept: KeptAnswer) -> str:
    """How it was computed, what the model saw, which model that was, and when."""
    answer = kept.answer
    how = f"From the table: {answer.how}. " if answer.how else ""
    name = "" if is_unseen(answer) else f"{answer.model.name}, "
    return f"{how}{coverage_sentence(answer)} {name}{kept.asked_at}."


def coverage_sentence(answer: Answer) -> str:
    """What the model saw, or that none wrote this; what was left out is counted, never unsaid."""
    coverage, left_out = answer.coverage, answer.coverage.left_out
    read = (
        f"Read {coverage.pages_read:,} of {coverage.pages_total:,} pages, {coverage.tokens_read:,} of "
        f"{coverage.tokens_total:,} tokens."
    )
    if is_unseen(answer):
        read, left_out = origin(answer), left_out[1:]  # the first says that the model saw nothing (llm.coverage)
    elif answer.derived:
        read = f"{origin(answer)} {read}"
    return f"{read} {len(left_out):,} left out." if left_out else read


def origin(answer: Answer) -> str:
    """Where an answer comes from that no model wrote."""
    if answer.how:
        return "Worked out from a table, not written by the model."
    return "Looked up in the document, not written by the model."


def is_unseen(answer: Answer) -> bool:
    """Whether no model took part in it, neither to write it nor to look over what was read."""
    return answer.derived and answer.coverage.tokens_read < answer.coverage.tokens_total


def _place(cite: Citation) -> str:
    if cite.lines is not None:
        return f", lines {cite.lines[0]}-{cite.lines[1]}"
    return f", page {cite.page}" if cite.page is not None else ""


def _checked(cite: Citation) -> str:
    return "quote checked" if cite.verified else "quote not confirmed"


def _plain(text: str, *, keep_lines: bool = False) -> str:
    """Text that Markdown shows as it is."""
    text = text.strip() if keep_lines else " ".join(text.split())
    return _AT_LINE_START.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", text))
