"""How the chosen documents fit the model and this machine, said before a question; and what a choice changes."""

from collections.abc import Sequence

from app.service import Entry
from app.web.render.basics import bar, count, name, number, size

MAX_LISTED = 12


def fit(chosen: Sequence[Entry], window_tokens: int | None, free_bytes: int | None = None) -> str:
    """A meter that opens into each document's share. Nothing before all tokens are counted and a model is loaded.

    `free_bytes`: of the disk that readings go to.
    """
    if not chosen or window_tokens is None or any(entry.tokens is None for entry in chosen):
        return ""
    total = sum(entry.tokens or 0 for entry in chosen)
    facts, how = _said(chosen, total, window_tokens)
    over = " ll-fit-over" if total > window_tokens else ""
    meter = bar(total, window_tokens, "Share of the model's window")
    more = "".join(
        f'<p class="ll-meta">{line}</p>' for line in (how, *_advice(chosen, total, window_tokens, free_bytes))
    )
    return (
        f'<div class="ll-fit{over}">{meter}<details data-keep="fit"><summary class="ll-meta">{facts}</summary>{more}'
        f"{_shares(chosen, total)}</details></div>"
    )


def _said(chosen: Sequence[Entry], total: int, window_tokens: int) -> tuple[str, str]:
    """The line, and what follows for the answer."""
    if total <= window_tokens:
        return (
            f"{number(total)} of the {number(window_tokens)} tokens that the model can take in at once",
            "The model sees every token of the chosen documents.",
        )
    too_much = f"More than the {number(window_tokens)} that the model can take in at once."
    if all(entry.is_read for entry in chosen):
        return (
            f"{number(total)} tokens, all read: the question goes to all of them",
            f"{too_much} Of what was read, each of its layers sees the blocks that fit the question; most answers are "
            "then written from the best passages.",
        )
    return (
        f"{number(total)} tokens, not all read yet: answered from the best passages",
        f"{too_much} Once the documents are read whole, questions go to all of them.",
    )


def _advice(chosen: Sequence[Entry], total: int, window_tokens: int, free_bytes: int | None) -> list[str]:
    """What other choices would change: fewer documents, fewer pages, the disk."""
    lines = []
    largest = max(chosen, key=lambda entry: entry.tokens or 0)
    if total > window_tokens and len(chosen) > 1:
        rest = total - (largest.tokens or 0)
        fits = "all of it can be seen at once" if rest <= window_tokens else "still more than fits at once"
        lines.append(f"Without {name(largest.name)}: {count(rest, 'token')}, {fits}.")
    if total > window_tokens and largest.pages > 1:
        pages = max(1, window_tokens * largest.pages // max(1, largest.tokens or 1))
        if pages < largest.pages:
            lines.append(
                f"Of {name(largest.name)} alone, about {count(pages, 'page')} fit at once: add it again with those "
                "pages under Options."
            )
    disk = _disk(chosen, free_bytes)
    return [*lines, disk] if disk else lines


def _disk(chosen: Sequence[Entry], free_bytes: int | None) -> str:
    """What reading the rest will take, by what the readings of these documents took so far."""
    read = sum(entry.tokens_read for entry in chosen)
    kept = sum(entry.kv_bytes for entry in chosen)
    open_tokens = sum((entry.tokens or 0) - entry.tokens_read for entry in chosen)
    if open_tokens <= 0:
        return f"What was read of them takes {size(kept)} of the disk." if kept else ""
    free = f"; {size(free_bytes)} are free" if free_bytes is not None else ""
    if not read:
        return f"{count(open_tokens, 'token')} are still to be read{free}."
    takes = size(kept * open_tokens // read)
    return f"{count(open_tokens, 'token')} are still to be read, about {takes} on the disk{free}."


def _shares(chosen: Sequence[Entry], total: int) -> str:
    """Each document's tokens, the largest first; of one alone there is nothing to tell apart."""
    if len(chosen) < 2:
        return ""
    ranked = sorted(chosen, key=lambda entry: -(entry.tokens or 0))
    rows = "".join(
        f'<li><span class="ll-fit-name">{name(entry.name)}</span><span>{number(entry.tokens or 0)}</span>'
        f"<span>{100 * (entry.tokens or 0) / max(1, total):.0f} %</span></li>"
        for entry in ranked[:MAX_LISTED]
    )
    hidden = len(ranked) - MAX_LISTED
    more = f'<li><span class="ll-fit-name">and {count(hidden, "more document")}</span></li>' if hidden > 0 else ""
    return f'<ul class="ll-fit-shares ll-meta" aria-label="Tokens of each document">{rows}{more}</ul>'
