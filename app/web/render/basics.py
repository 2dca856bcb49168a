"""Escaping, amounts as people read them, and the small pieces that every fragment uses."""

import html
import re

from app.web.texts import number, t, tn
from ingest.code.map import MAP_NAME
from ingest.document import Box
from llm.answer import Citation

# Control characters and the ones that turn the reading direction around: a name must not be able to disguise itself.
UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
KIB = 1024


def escape(text: object) -> str:
    """Text that may stand in an element or in a quoted attribute."""
    return html.escape(UNSHOWABLE.sub("\ufffd", str(text)), quote=True)


def name(text: str) -> str:
    """A file name as an isolated run, so that its direction does not disturb what stands beside it."""
    return f"<bdi>{bare_name(text)}</bdi>"


def bare_name(text: str) -> str:
    """A file's name where no markup may stand; that of a folder's map, which we made, in words."""
    return t("Map of the files") if text == MAP_NAME else escape(text)


def pages(value: int) -> str:
    """12 -> "12 pages"."""
    return tn("{n} page", "{n} pages", value)


def tokens(value: int) -> str:
    """12 -> "12 tokens"."""
    return tn("{n} token", "{n} tokens", value)


def documents(value: int) -> str:
    """12 -> "12 documents"."""
    return tn("{n} document", "{n} documents", value)


def answers(value: int) -> str:
    """12 -> "12 answers"."""
    return tn("{n} answer", "{n} answers", value)


def duration(seconds: float) -> str:
    """0.84 -> "0.8 s"; 95 -> "1 min 35 s"; 7260 -> "2 h 1 min"."""
    if seconds < 9.95:
        return t("{seconds} s", seconds=number(seconds, 1))
    whole = round(seconds)
    if whole < 60:
        return t("{seconds} s", seconds=whole)
    if whole < 3600:
        return t("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)
    return t("{hours} h {minutes} min", hours=whole // 3600, minutes=whole % 3600 // 60)


def time_left(seconds: float) -> str:
    """19.6 -> "about 20 s left"; a guess has no tenths."""
    whole = max(1, round(seconds))
    return t("about {time} left", time=t("{seconds} s", seconds=whole) if whole < 10 else duration(whole))


def size(num_bytes: int) -> str:
    """Bytes with a unit: 52428800 -> "50 MB"; as file managers count, 1 MB being 1,048,576 bytes here."""
    amount = float(num_bytes)
    if amount < KIB:
        return tn("{n} byte", "{n} bytes", num_bytes)
    for unit in ("kB", "MB"):
        amount /= KIB
        if amount < KIB:
            return f"{number(amount, 0 if amount >= 10 else 1)} {unit}"
    return f"{number(amount / KIB, 1)} GB"


def place(cite: Citation) -> str:
    """ ", page 3" or ", lines 10–14"."""
    if cite.lines is not None:
        first, last = cite.lines
        one, many = t("line {n}", n=number(first)), t("lines {first}–{last}", first=number(first), last=number(last))
        return f", {one if first == last else many}"
    return ", " + t("page {n}", n=cite.page) if cite.page is not None else ""


def boxes_of(cite: Citation) -> list[Box]:
    """The boxes of a citation's lines; where two lines overlap, as set tightly they do, each has its half of that."""
    boxes = list(cite.line_boxes or ((cite.box,) if cite.box else ()))
    for at in range(len(boxes) - 1):
        upper, lower = boxes[at], boxes[at + 1]
        are_one_row = upper.x1 <= lower.x0 or lower.x1 <= upper.x0
        if upper.y0 < lower.y0 < upper.y1 < lower.y1 and not are_one_row:
            middle = (lower.y0 + upper.y1) / 2
            boxes[at], boxes[at + 1] = upper._replace(y1=middle), lower._replace(y0=middle)
    return boxes


def button(label: str, act: str, arg: object = "", *, css: str = "ll-button", aria: str | None = None) -> str:
    """`label` is HTML already; `aria` is what a screen reader says where the label alone would not do."""
    spoken = f' aria-label="{escape(aria)}" title="{escape(aria)}"' if aria else ""
    target = f'data-act="{escape(act)}" data-arg="{escape(arg)}"'
    return f'<button type="button" class="{css}" {target}{spoken}>{label}</button>'


def bar(done: float, total: float, label: str) -> str:
    """A progress bar; without a total it says only that work goes on."""
    if total <= 0:
        return f'<div class="ll-bar ll-bar-open" role="progressbar" aria-label="{escape(label)}"><i></i></div>'
    percent = max(0.0, min(100.0, 100.0 * done / total))
    return (
        f'<div class="ll-bar" role="progressbar" aria-label="{escape(label)}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent:.0f}"><i style="width:{percent:.1f}%"></i></div>'
    )


ICONS = {
    "cross": "M4 4l8 8M12 4l-8 8",
    "bin": "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5M6.8 7v3.8M9.2 7v3.8",
    "left": "M10 3L5 8l5 5",
    "right": "M6 3l5 5-5 5",
    "plus": "M8 3.5v9M3.5 8h9",
    "minus": "M3.5 8h9",
    "up": "M8 13V3.5M4 7l4-4 4 4",
    "check": "M3 8.5l3.2 3L13 4.5",
    "half": "M8 2.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM8 2.5v11",
}


def icon(which: str) -> str:
    """A line drawing of 16 units in the text's colour; silent to screen readers."""
    path = f'<path d="{ICONS[which]}"/>'
    return f'<svg class="ll-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{path}</svg>'
