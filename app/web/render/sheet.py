"""Fragments of the viewer: a page image with the evidence boxed, or a file with line numbers and colours."""

from collections.abc import Iterator, Sequence
from typing import Any

from pygments import lex  # type: ignore[import-untyped]
from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename  # type: ignore[import-untyped]
from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

from app.web.render.basics import bare_name, boxes_of, button, escape, icon, name, pages, place
from app.web.render.heat import heat_boxes, heat_lines, warmth
from app.web.render.layers import patch_tool, patches, words
from app.web.render.quotes import is_row, with_gaps
from app.web.state import View
from app.web.texts import number, t, tn
from ingest.document import Box, Document, Kind, Page
from llm.answer import Citation

LINES_SHOWN = 1500
LINES_BEFORE = 300  # of the cited line, when the file is longer than what is shown
COLOUR_LIMIT = 600_000  # characters; a longer file is shown without colours
LINE_CUT = 2000  # characters of one line
MAX_FILES_LISTED = 3000
THUMB_DPI = 36
LINK_ID = 16  # characters of a leaf's id in an address: enough to tell the leaves of a library apart


def empty() -> str:
    said = t("The page an answer rests on is shown here, with the evidence marked.")
    return f'<div class="ll-viewer-empty"><p>{said}</p></div>'


def unavailable(sentence: str) -> str:
    return f'<div class="ll-viewer-empty"><p class="ll-error" role="alert">{escape(sentence)}</p></div>'


def sheet(view: View, leaf: Document, files: Sequence[tuple[str, str]]) -> str:
    """One page of a leaf. `files`: (leaf id, name) of the folder it was opened from, for the file menu."""
    page = leaf.pages[view.page_index]
    shown = page_image(leaf.id, view, page) if page.has_geometry else text_lines(leaf, view, page)
    stage = (
        f'<div class="ll-stage" tabindex="0" role="region" aria-label="{t("Page")}"{_soon(view, leaf)}>{shown}</div>'
    )
    return f"{_head(view, leaf, page, files)}{_thumbnails(view, leaf)}{stage}"


def _soon(view: View, leaf: Document) -> str:
    """The page images that are likely looked at next; the browser asks for them, so that they are made by then."""
    cited = view.citations[view.at + 1] if view.at is not None and view.at + 1 < len(view.citations) else None
    wanted = [view.page_index + 1] if view.page_index + 1 < len(leaf.pages) else []
    wanted += [cited.page_index] if cited is not None and cited.document == leaf.id else []
    soon = [page for page in dict.fromkeys(wanted) if page != view.page_index and leaf.pages[page].has_geometry]
    return f' data-soon="{" ".join(f"/page/{escape(leaf.id)}/{page}.png" for page in soon)}"' if soon else ""


def _head(view: View, leaf: Document, page: Page, files: Sequence[tuple[str, str]]) -> str:
    title = _file_menu(files, leaf.id) if len(files) > 1 else f"<h2>{name(leaf.name)}</h2>"
    key = escape(f"{leaf.id[:16]}.{view.page_index}.{view.at}.{view.first_line}.{view.linked}")
    at = "" if view.at is None else view.at
    steps = f"{_evidence_tools(view)}{_page_tools(view, leaf)}{_zoom_tools()}"
    layers = f"{_heat_tool(view, leaf)}{patch_tool(page)}"
    back = f'<button type="button" class="ll-link ll-phone" data-toggle="answer">{t("Back to the answer")}</button>'
    tools = f"{steps}{_link(view, leaf, page)}{back}" + (f'<div class="ll-layers">{layers}</div>' if layers else "")
    return (
        f'<header class="ll-sheet-head" data-key="{key}" data-at="{at}"><div class="ll-sheet-title">{title}'
        f'<p class="ll-meta">{_where(view, leaf, page)}</p></div><div class="ll-tools">{tools}</div></header>'
    )


def _link(view: View, leaf: Document, page: Page) -> str:
    """Copies an address that leads here (assets/theme/longleaf.js): the page, or the lines that are marked."""
    lines = view.linked or _chosen_lines(view, leaf.id) if not page.has_geometry else None
    label, title = t("Copy link"), t("Copy a link that leads here; click a line’s number for a link to that line")
    place = link_to(leaf.id, page.page_no, lines)
    return f'<button type="button" class="ll-link" data-copy-link="{escape(place)}" title="{title}">{label}</button>'


def link_to(leaf_id: str, page_no: int, lines: tuple[int, int] | None = None) -> str:
    """The query of an address that opens a page, or lines of a text."""
    first, last = lines or (0, 0)
    place = f"page={page_no}" if lines is None else f"lines={first}" + (f"-{last}" if last > first else "")
    return f"?file={leaf_id[:LINK_ID]}&{place}"


def _chosen_lines(view: View, leaf_id: str) -> tuple[int, int] | None:
    """The lines of the citation that is shown."""
    chosen = _cited_lines(view, leaf_id, only_chosen=True)
    return (min(chosen), max(chosen)) if chosen else None


def _where(view: View, leaf: Document, page: Page) -> str:
    facts = []
    if len(leaf.pages) > 1 or page.has_geometry:
        label = f" ({escape(page.label)})" if page.label and page.label != str(page.page_no) else ""
        facts.append(t("Page {page} of {total}", page=page.page_no, total=number(len(leaf.pages))) + label)
    if leaf.language:
        facts.append(escape(leaf.language))
    if not page.has_geometry:
        facts.append(tn("{n} line", "{n} lines", len(shown_text(page).split("\n"))))
    if view.at is not None:
        cite = view.citations[view.at]
        checked = t("checked") if cite.verified else t("not confirmed")
        facts.append(f'<b class="ll-here">{t("evidence {n}", n=view.at + 1)}{place(cite)}, {checked}</b>')
    return " · ".join(facts)


def _file_menu(files: Sequence[tuple[str, str]], leaf_id: str) -> str:
    options = "".join(
        f'<option value="{escape(file_id)}"{" selected" if file_id == leaf_id else ""}>{bare_name(file_name)}</option>'
        for file_id, file_name in files[:MAX_FILES_LISTED]
    )
    return f'<select class="ll-files" data-act="file" aria-label="{t("File of the folder")}">{options}</select>'


def _evidence_tools(view: View) -> str:
    if not view.citations:
        return ""
    at = -1 if view.at is None else view.at
    label = t("Evidence {at} of {total}", at=at + 1 or "–", total=len(view.citations))
    words = t("Evidence"), t("Previous evidence"), t("Next evidence")
    return _stepper("evidence", words, label, at, len(view.citations))


def _page_tools(view: View, leaf: Document) -> str:
    if len(leaf.pages) < 2:
        return ""
    label = t("Page {page} of {total}", page=view.page_index + 1, total=number(len(leaf.pages)))
    words = t("Page"), t("Previous page"), t("Next page")
    return _stepper("page", words, label, view.page_index, len(leaf.pages))


def _heat_tool(view: View, leaf: Document) -> str:
    """Shows and hides the heat, in the browser (assets/theme/longleaf.js); with the way to the warmest page."""
    warm = {page: heat for (document, page), heat in warmth(view.looks).items() if document == leaf.id}
    if not warm:
        return ""
    warmest = max(warm, key=lambda page: warm[page])
    there = (
        ""
        if warmest == view.page_index
        else button(t("most on page {n}", n=warmest + 1), "page", warmest, css="ll-link")
    )
    said = t("Where the model looked")
    switch = f'<button type="button" class="ll-chip" data-toggle="heat" aria-pressed="false">{said}</button>'
    always = f'<i class="ll-legend-always"></i>{t("always in view")}'
    legend = f'<span class="ll-legend"><i></i>{t("looked at")}{always}</span>'
    return f'<span class="ll-heat-tool">{switch}{legend}{there}</span>'


def _thumbnails(view: View, leaf: Document) -> str:
    """Small pages, those with evidence marked; closed at first, and loaded only when they come into sight."""
    if len(leaf.pages) < 2 or not leaf.pages[0].has_geometry:
        return ""
    cited = {cite.page_index for cite in view.citations if cite.document == leaf.id}
    warm = warmth(view.looks)
    thumbs = "".join(
        _thumbnail(leaf, index, index == view.page_index, index in cited, warm.get((leaf.id, index), 0.0))
        for index in range(len(leaf.pages))
    )
    marked = " · " + t("evidence on {pages}", pages=pages(len(cited))) if cited else ""
    return (
        f'<details class="ll-thumbs" data-keep="thumbs"><summary>{pages(len(leaf.pages))}{marked}</summary>'
        f'<div class="ll-thumb-strip">{thumbs}</div></details>'
    )


def _thumbnail(leaf: Document, index: int, is_shown: bool, is_cited: bool, warm: float) -> str:
    page = leaf.pages[index]
    css = "ll-thumb" + (" ll-thumb-cited" if is_cited else "") + (" ll-thumb-shown" if is_shown else "")
    said = t("Page {n}, evidence", n=index + 1) if is_cited else t("Page {n}", n=index + 1)
    return (
        f'<button type="button" class="{css}" data-act="page" data-arg="{index}" aria-label="{said}" title="{said}" '
        f'style="--ll-warm:{warm:.2f};aspect-ratio:{page.width_pt or 1:.1f}/{page.height_pt or 1:.1f}">'
        f'<img loading="lazy" alt="" src="/page/{escape(leaf.id)}/{index}.png?dpi={THUMB_DPI}">'
        f"<i>{index + 1}</i></button>"
    )


def _stepper(act: str, words: tuple[str, str, str], label: str, at: int, total: int) -> str:
    """`words`: what it steps through, one back, one on."""
    noun, back, on = words

    def step(delta: int, drawing: str, word: str) -> str:
        tag = button(icon(drawing), act, at + delta, css="ll-round", aria=word)
        return tag if 0 <= at + delta < total else tag.replace("<button", "<button disabled", 1)

    return (
        f'<div class="ll-stepper" role="group" aria-label="{noun}">{step(-1, "left", back)}'
        f"<span>{label}</span>{step(1, 'right', on)}</div>"
    )


def _zoom_tools() -> str:
    """Zooming happens in the browser (assets/theme/longleaf.js); nothing is sent."""

    def step(delta: int, drawing: str, word: str) -> str:
        spoken = f'aria-label="{word}" title="{word}"'
        return f'<button type="button" class="ll-round" data-zoom="{delta}" {spoken}>{icon(drawing)}</button>'

    fit = f'<button type="button" class="ll-link" data-zoom="0" title="{t("Fit the width")}">{t("Fit")}</button>'
    return (
        f'<div class="ll-stepper" role="group" aria-label="{t("Zoom")}">'
        f"{step(-1, 'minus', t('Smaller'))}{fit}{step(1, 'plus', t('Larger'))}</div>"
    )


def page_image(leaf_id: str, view: View, page: Page) -> str:
    """The page's picture and a box for every cited line; the chosen citation's boxes stand out."""
    width, height = page.width_pt or 1.0, page.height_pt or 1.0
    boxes = "".join(
        _box(box, width, height, index, cite, index == view.at)
        for index, cite in enumerate(view.citations)
        if cite.document == leaf_id and cite.page_index == view.page_index
        for box in boxes_of(cite)
    )
    heat = heat_boxes(view.looks, leaf_id, view.page_index, page)
    source = f"/page/{escape(leaf_id)}/{view.page_index}.png"
    return (
        f'<div class="ll-sheet" style="aspect-ratio:{width:.2f}/{height:.2f}">'
        f'<img src="{source}" data-src="{source}" alt="{t("Page {n}", n=page.page_no)}" draggable="false">{heat}{boxes}'
        f"{patches(page)}{words(page)}</div>"
    )


def _box(box: Box, width: float, height: float, index: int, cite: Citation, is_chosen: bool) -> str:
    css = "ll-box" + (" ll-box-chosen" if is_chosen else "") + ("" if cite.verified else " ll-box-unverified")
    left, top = 100 * box.x0 / width, 100 * box.y0 / height
    wide, high = 100 * (box.x1 - box.x0) / width, 100 * (box.y1 - box.y0) / height
    return (
        f'<div class="{css}" title="{t("Evidence {n}", n=index + 1)}" '
        f'style="left:{left:.3f}%;top:{top:.3f}%;width:{wide:.3f}%;height:{high:.3f}%"></div>'
    )


def text_lines(leaf: Document, view: View, page: Page) -> str:
    """The file with line numbers; cited lines are marked. A long file is shown in parts."""
    text = shown_text(page)
    chosen = _cited_lines(view, leaf.id, only_chosen=True)
    linked = range(view.linked[0], view.linked[1] + 1) if view.linked else range(0)
    first = first_shown(view, text.count("\n") + 1, min([*chosen, *linked[:1]], default=None))
    lines = _coloured(leaf, text) if leaf.kind is Kind.CODE else _prose(page, _chosen_quote(view, leaf.id))
    last = min(len(lines), first + LINES_SHOWN - 1)
    marked = _cited_lines(view, leaf.id)
    warm = heat_lines(view.looks, leaf.id, view.page_index, page.text)
    place = escape(link_to(leaf.id, page.page_no, (1, 1)).removesuffix("1"))
    rows = "".join(
        f'<li value="{line_no}"{_line_class(line_no, marked, chosen, linked)}{_line_heat(warm.get(line_no))}>'
        f'<a class="ll-no" tabindex="-1" href="{place}{line_no}" aria-label="{line_no}"></a>'
        f"{lines[line_no - 1] or ' '}</li>"
        for line_no in range(first, last + 1)
    )
    css = "ll-source" if leaf.kind in (Kind.CODE, Kind.MAP) else "ll-source ll-prose"
    listing = f'<ol class="{css}" style="--ll-digits:{len(str(last))}" start="{first}">{rows}</ol>'
    earlier = _more(t("Earlier lines"), first - LINES_SHOWN, first > 1)
    return earlier + listing + _more(t("Later lines"), last + 1, last < len(lines))


def _chosen_quote(view: View, leaf_id: str) -> tuple[int, int]:
    """Characters [start, end) of the chosen quote on the page that is shown; none are (0, 0)."""
    cite = view.citations[view.at] if view.at is not None else None
    if cite is None or cite.document != leaf_id or cite.page_index != view.page_index:
        return (0, 0)
    return (cite.start, cite.end)


def _prose(page: Page, quote: tuple[int, int]) -> list[str]:
    """One HTML fragment a line, the quote's very characters underlined: prose has long lines."""
    fragments, offset = [], 0
    for line in shown_text(page).split("\n"):
        start, end = (min(max(edge - offset, 0), len(line)) for edge in quote)
        if start == end or len(line) > LINE_CUT:
            shown = escape(_cut(line))
        else:
            shown = f"{escape(line[:start])}<mark>{escape(line[start:end])}</mark>{escape(line[end:])}"
        is_cells = is_row(page, offset, offset + len(line)) and not line.startswith("|")  # as Markdown writes them
        fragments.append(with_gaps(shown) if is_cells else shown)
        offset += len(line) + 1
    return fragments


def shown_text(page: Page) -> str:
    """Without the line end that closes the last line: editors count no line after it."""
    return page.text.removesuffix("\n")


def first_shown(view: View, num_lines: int, cited: int | None) -> int:
    """From 1: where the shown part of a file of `num_lines` starts."""
    if num_lines <= LINES_SHOWN:
        return 1
    wanted = view.first_line if view.first_line is not None else (cited or 1) - LINES_BEFORE
    return max(1, min(wanted, num_lines))


def _more(word: str, first_line: int, exists: bool) -> str:
    return f'<p class="ll-more">{button(word, "lines", max(1, first_line))}</p>' if exists else ""


def _line_class(line_no: int, marked: set[int], chosen: set[int], linked: range) -> str:
    if line_no in linked:
        return ' class="ll-line ll-line-linked"'
    if line_no in chosen:
        return ' class="ll-line ll-line-chosen"'
    return ' class="ll-line"' if line_no in marked else ""


def _line_heat(warm: float | None) -> str:
    if warm is None:
        return ""
    return f' style="--ll-warm:{warm:.2f}" data-warm' if warm else " data-always"


def _cited_lines(view: View, leaf_id: str, *, only_chosen: bool = False) -> set[int]:
    return {
        line_no
        for index, cite in enumerate(view.citations)
        if cite.lines and cite.document == leaf_id and cite.page_index == view.page_index
        if index == view.at or not only_chosen
        for line_no in range(cite.lines[0], cite.lines[1] + 1)
    }


def _coloured(leaf: Document, text: str) -> list[str]:
    """One HTML fragment a line, as many as the text has lines."""
    if len(text) > COLOUR_LIMIT:
        return [escape(_cut(line)) for line in text.split("\n")]
    lines, line = [], ""
    for css, piece in _tokens(_lexer(leaf), text):
        for index, part in enumerate(piece.split("\n")):
            if index:
                lines.append(line)
                line = ""
            line += f'<span class="{css}">{escape(_cut(part))}</span>' if css and part else escape(_cut(part))
    return [*lines, line]


def _tokens(lexer: Lexer, text: str) -> Iterator[tuple[str, str]]:
    for kind, piece in lex(text, lexer):
        yield _css_class(kind), piece


def _css_class(kind: Any) -> str:
    """The short class of a token kind, or of the nearest kind above it that has one."""
    while kind not in STANDARD_TYPES and kind.parent is not None:
        kind = kind.parent
    return str(STANDARD_TYPES.get(kind, ""))


def _lexer(leaf: Document) -> Lexer:
    """Keeps every character: line numbers must be those of the file."""
    keep = {"stripnl": False, "stripall": False, "ensurenl": False}
    try:
        if leaf.language:
            return get_lexer_by_name(leaf.language, **keep)
        return get_lexer_for_filename(leaf.name, **keep)
    except ClassNotFound:
        return TextLexer(**keep)


def _cut(line: str) -> str:
    if len(line) <= LINE_CUT:
        return line
    return f"{line[:LINE_CUT]} … ({t('{n} more characters', n=number(len(line) - LINE_CUT))})"
