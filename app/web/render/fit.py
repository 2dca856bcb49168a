"""How the chosen documents fit the model and this machine, said before a question; and what a choice changes."""

from collections.abc import Sequence

from app.service import Entry
from app.service.values import Room
from app.web.render.basics import bar, button, name, pages, size, tokens
from app.web.texts import number, t, tn
from llm.fitting import Memory, Pictures

MAX_LISTED = 12


def fit(chosen: Sequence[Entry], room: Room | None) -> str:
    """A meter that opens into what it rests on. Nothing before all tokens are counted and a model is loaded."""
    if not chosen or room is None:
        return ""
    total, window_tokens = sum(entry.tokens or 0 for entry in chosen), room.window_tokens
    facts, how = _said(chosen, total, window_tokens)
    over = " ll-fit-over" if total > window_tokens else ""
    meter = bar(total, window_tokens, t("Share of the model’s window"))
    lines = (how, *_advice(chosen, total, window_tokens), _memory(room.memory), _disk(chosen, room.free_disk_bytes))
    more = "".join(f'<p class="ll-meta">{line}</p>' for line in lines if line)
    return (
        f'<div class="ll-fit{over}">{meter}<details data-keep="fit"><summary class="ll-meta">{facts}</summary>{more}'
        f"{_pictures(room.pictures, total, window_tokens)}{_shares(chosen, total)}</details></div>"
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


def _advice(chosen: Sequence[Entry], total: int, window_tokens: int) -> list[str]:
    """What other choices would change: fewer documents, fewer pages."""
    lines = []
    largest = max(chosen, key=lambda entry: entry.tokens or 0)
    if total > window_tokens and len(chosen) > 1:
        rest = total - (largest.tokens or 0)
        lines.append(
            t(
                "Without {document}: {tokens}, {fits}.",
                document=name(largest.name),
                tokens=tokens(rest),
                fits=_fits(rest, window_tokens),
            )
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
    return lines


def _fits(total: int, window_tokens: int) -> str:
    return t("all of it can be seen at once") if total <= window_tokens else t("still more than fits at once")


def _pictures(pictures: Pictures | None, total: int, window_tokens: int) -> str:
    """What pages cost as pictures, and other sizes of them to choose, where these would change that."""
    if pictures is None:
        return ""
    now, shown = pictures.tokens[pictures.page_px], pages(pictures.num_pages)
    each, text = tokens(round(now / pictures.num_pages)), total - now
    said = t(
        "The model sees {pages} as pictures of {px} pixels, of {tokens} each.",
        pages=shown,
        px=number(pictures.page_px),
        tokens=each,
    )
    rows = "".join(
        f"<li>{button(t('{px} pixels', px=number(px)), 'pictures', px, css='ll-link')} "
        f"{t('{tokens} in all, {fits}', tokens=tokens(text + of), fits=_fits(text + of, window_tokens))}</li>"
        for px, of in sorted(pictures.tokens.items())
        if of != now
    )
    others = t("Fewer pixels take fewer tokens, and show less:") if rows else ""
    return f'<p class="ll-meta">{said} {others}</p><ul class="ll-meta ll-fit-pictures">{rows}</ul>'


def _memory(memory: Memory | None) -> str:
    if memory is None:
        return ""
    return t(
        "Once read, a question opens about {held} of it in memory; {free} are free there.",
        held=size(memory.held_bytes),
        free=size(memory.free_bytes),
    )


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
        lines.append(t("{size} of the disk are free.", size=size(free_bytes)))
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
