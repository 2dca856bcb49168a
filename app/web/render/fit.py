"""How the chosen documents fit the model and this machine, said before a question; and what a choice changes."""

from collections.abc import Sequence

from app.service import Entry
from app.web.render.basics import bar, name, pages, size, tokens
from app.web.texts import number, t, tn

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
    meter = bar(total, window_tokens, t("Share of the model’s window"))
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
            t(
                "{total} of the {window} tokens that the model can take in at once",
                total=number(total),
                window=number(window_tokens),
            ),
            t("The model sees every token of the chosen documents."),
        )
    too_much = t("More than the {window} that the model can take in at once.", window=number(window_tokens))
    if all(entry.is_read for entry in chosen):
        return (
            t("{total} tokens, all read: the question goes to all of them", total=number(total)),
            f"{too_much} "
            + t(
                "Of what was read, each of its layers sees the blocks that fit the question; most answers are then "
                "written from the best passages."
            ),
        )
    return (
        t("{total} tokens, not all read yet: answered from the best passages", total=number(total)),
        f"{too_much} {t('Once the documents are read whole, questions go to all of them.')}",
    )


def _advice(chosen: Sequence[Entry], total: int, window_tokens: int, free_bytes: int | None) -> list[str]:
    """What other choices would change: fewer documents, fewer pages, the disk."""
    lines = []
    largest = max(chosen, key=lambda entry: entry.tokens or 0)
    if total > window_tokens and len(chosen) > 1:
        rest = total - (largest.tokens or 0)
        fits = t("all of it can be seen at once") if rest <= window_tokens else t("still more than fits at once")
        lines.append(
            t("Without {document}: {tokens}, {fits}.", document=name(largest.name), tokens=tokens(rest), fits=fits)
        )
    if total > window_tokens and largest.pages > 1:
        fitting = max(1, window_tokens * largest.pages // max(1, largest.tokens or 1))
        if fitting < largest.pages:
            lines.append(
                t(
                    "Of {document} alone, about {pages} fit at once: add it again with those pages under Options.",
                    document=name(largest.name),
                    pages=pages(fitting),
                )
            )
    disk = _disk(chosen, free_bytes)
    return [*lines, disk] if disk else lines


def _disk(chosen: Sequence[Entry], free_bytes: int | None) -> str:
    """What reading the rest will take, by what the readings of these documents took so far."""
    read = sum(entry.tokens_read for entry in chosen)
    kept = sum(entry.kv_bytes for entry in chosen)
    open_tokens = sum((entry.tokens or 0) - entry.tokens_read for entry in chosen)
    if open_tokens <= 0:
        return t("What was read of them takes {size} of the disk.", size=size(kept)) if kept else ""
    lines = [t("Still to be read: {tokens}.", tokens=tokens(open_tokens))]
    if read:
        lines.append(t("That takes about {size} on the disk.", size=size(kept * open_tokens // read)))
    if free_bytes is not None:
        lines.append(t("{size} are free.", size=size(free_bytes)))
    return " ".join(lines)


def _shares(chosen: Sequence[Entry], total: int) -> str:
    """Each document's tokens, the largest first; of one alone there is nothing to tell apart."""
    if len(chosen) < 2:
        return ""
    ranked = sorted(chosen, key=lambda entry: -(entry.tokens or 0))
    rows = "".join(
        f'<li><span class="ll-fit-name">{name(entry.name)}</span><span>{number(entry.tokens or 0)}</span>'
        f"<span>{number(100 * (entry.tokens or 0) / max(1, total))} %</span></li>"
        for entry in ranked[:MAX_LISTED]
    )
    hidden = len(ranked) - MAX_LISTED
    said = tn("and {n} more document", "and {n} more documents", hidden)
    more = f'<li><span class="ll-fit-name">{said}</span></li>' if hidden > 0 else ""
    return f'<ul class="ll-fit-shares ll-meta" aria-label="{t("Tokens of each document")}">{rows}{more}</ul>'
