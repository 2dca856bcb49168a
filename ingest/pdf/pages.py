"""One page at a time: where its text comes from, its own layer or its picture, and what is told about it.

Owns that decision and every page's problems. The text layer wins wherever it can be read and agrees with what the
page shows; otherwise the rendered page is recognised.
"""

import logging
from contextlib import suppress
from typing import Any

from ingest.document import Problem, Severity, TextOrigin
from ingest.options import ReadOptions
from ingest.pdf.columns import regions
from ingest.pdf.draft import Item, Line, PageDraft, Row, box_of
from ingest.pdf.grids import ruled_tables
from ingest.pdf.layer import TextLayer, read_layer
from ingest.pdf.links import links_of
from ingest.pdf.opening import DAMAGE, fault_since_last_asked
from ingest.pdf.pictures import Picture, covers_page, figure_boxes, pictures_of, recognise_figure, recognise_page
from ingest.pdf.render import oversized_picture, render_image
from ingest.pdf.rows import rows_of
from ingest.pdf.trust import agrees, is_garbage, stands_on_ink

STAMP_CHARS = 250  # a full-page picture under less text than this is a scan with a stamp or a download notice on it
PROOF_CHARS = 100  # a hidden layer needs that much text on a page to be compared with the picture
SURE = 0.8  # recognition below this confidence cannot convict a text layer
GLANCE_DPI = 72
BLANK_CONTRAST = 24  # grey levels, of 255

logger = logging.getLogger(__name__)


class PageReader:
    """Reads the pages of one open file, and remembers what it learned on the way."""

    def __init__(self, pdf: Any, name: str, options: ReadOptions) -> None:
        self.problems: list[Problem] = []
        self._pdf, self._name, self._options = pdf, name, options
        self._has_labels = False
        self._recognised: set[tuple[int, ...]] = set()  # pictures by their objects
        with suppress(*DAMAGE):
            self._has_labels = bool(pdf.get_page_labels())
            pdf.page_xref(0)
        fault_since_last_asked()  # what opening and listing the pages met is no single page's fault
        self._hidden_text_fits: bool | None = None  # unknown until one page was compared with its picture

    def read(self, page_no: int) -> PageDraft | None:
        """The page, or None when the file cannot produce it (told as a problem)."""
        try:
            return self._draft(page_no)
        except MemoryError:  # the limit of the child process, which the whole file must hear of
            raise
        except Exception as error:  # one page's fault, whatever MuPDF makes of it, must not cost the others
            logger.warning("page %d of %s could not be read", page_no, self._name, exc_info=True)
            cause = " ".join(str(error).split())
            self._tell(page_no, "page not read", f"Page {page_no} is damaged and could not be read ({cause}).")
            return None

    def _draft(self, page_no: int) -> PageDraft:
        page = self._pdf[page_no - 1]
        layer = read_layer(page)
        fault = fault_since_last_asked()
        if not layer.lines and not self._pdf.xref_object(page.xref).startswith("<<"):
            fault = "its place in the file holds no page"
        if fault is not None:
            severity = Severity.DEGRADED if layer.lines else Severity.LEFT_OUT
            why = f"Page {page_no} is damaged ({fault}); parts of it may be missing."
            self._tell(page_no, "damaged page", why, severity)
        draft = PageDraft(page_no, layer.width, layer.height, layer.rotation)
        draft.label = page.get_label() if self._has_labels else None
        draft.links = links_of(self._pdf, page, page_no, layer.rotation)
        # a page with text and without picture resources is not searched for inline pictures: it costs half the time
        pictures = pictures_of(page, identified=False) if page.get_images() or not layer.lines else []
        layer.lines = self._credible(page, page_no, layer, pictures)
        is_stamp = sum(len(line.text) for line in layer.lines) < STAMP_CHARS and all(
            line.visible for line in layer.lines
        )
        if layer.lines and not (is_stamp and covers_page(pictures, page)):
            self._read_layer(page, draft, layer, pictures)
        else:
            self._read_picture(page, draft, layer, pictures)
        return draft

    def _credible(self, page: Any, page_no: int, layer: TextLayer, pictures: list[Picture]) -> list[Line]:
        """The lines of the layer that a person looking at the page would agree with."""
        shown = [line for line in layer.lines if line.visible]
        hidden = [line for line in layer.lines if not line.visible]
        if hidden and not self._hidden_text_is_true(page, page_no, layer, hidden, pictures):
            hidden = []
        lines = shown + hidden if hidden else shown
        if is_garbage(lines):
            why = f"The text layer of page {page_no} does not map to readable characters; its picture counts instead."
            self._tell(page_no, "unreadable text layer", why, Severity.NOTICE)
            return []
        return lines

    def _hidden_text_is_true(
        self, page: Any, page_no: int, layer: TextLayer, hidden: list[Line], pictures: list[Picture]
    ) -> bool:
        """Whether invisible text repeats what a picture behind it shows, as the layer of a recognised scan does."""
        reason = ""
        if not pictures:
            reason = "has no picture behind it"
        elif is_garbage(hidden):
            reason = "does not map to readable characters"
        elif oversized_picture(page, self._options.limits) is None and not layer.rotation:
            image, scale = render_image(page, GLANCE_DPI, self._options.limits)
            if not stands_on_ink(hidden, image.convert("L"), scale):
                reason = "stands where the page shows nothing"
            elif not self._matches_recognition(page, page_no, hidden, pictures):
                reason = "says something else than the picture shows"
        if reason:
            why = f"Invisible text on page {page_no} {reason}; it was not read."
            self._tell(page_no, "invisible text ignored", why, Severity.NOTICE)
        return not reason

    def _matches_recognition(self, page: Any, page_no: int, hidden: list[Line], pictures: list[Picture]) -> bool:
        """Compared once a file, on the first page with enough hidden text."""
        text = " ".join(line.text for line in hidden)
        if self._hidden_text_fits is None and self._options.ocr and len(text) >= PROOF_CHARS:
            proof = PageDraft(page_no, 0, 0)
            recognised = recognise_page(page, proof, pictures, self._options.limits)
            sure = bool(recognised.lines) and recognised.confidence >= SURE
            self._hidden_text_fits = not sure or agrees(text, " ".join(row.text for row in proof.rows))
        return self._hidden_text_fits is not False

    def _read_layer(self, page: Any, draft: PageDraft, layer: TextLayer, pictures: list[Picture]) -> None:
        draft.figures = figure_boxes(pictures, page, layer.rotation)
        tables, free = ruled_tables(layer.horizontal, layer.vertical, layer.lines, layer.words)
        items: list[Item] = [*tables, *(line for line in free if line.along)]
        items += self._figures(page, draft, layer, pictures)
        for region in regions(items, layer.height):
            draft.rows += rows_of(region)
        sideways = [line for line in free if not line.along]
        draft.rows += [Row(" ".join(line.text.split()), box_of(line), size=line.size) for line in sideways]

    def _figures(self, page: Any, draft: PageDraft, layer: TextLayer, pictures: list[Picture]) -> list[Item]:
        """The text of pictures big enough to hold some, each picture once a file."""
        worth = [p for p in pictures if p.may_hold_text and not covers_page([p], page)]
        if not (self._options.ocr and worth):
            return []
        excuse = oversized_picture(page, self._options.limits)
        if excuse:
            self._tell(draft.page_no, "picture not read", f"A picture on page {draft.page_no} was not read: {excuse}.")
            return []
        found: list[Item] = []
        for picture in pictures_of(page, identified=True):
            if not picture.may_hold_text or covers_page([picture], page) or picture.parts in self._recognised:
                continue
            if any(picture.parts):
                self._recognised.add(picture.parts)
            block = recognise_figure(page, picture, layer.rotation, layer.lines, self._options.limits)
            found += [block] if block is not None else []
        return found

    def _read_picture(self, page: Any, draft: PageDraft, layer: TextLayer, pictures: list[Picture]) -> None:
        """The page as recognised from its rendering; what little text it has, if that gives nothing."""
        page_no = draft.page_no
        excuse = oversized_picture(page, self._options.limits)
        if excuse:
            self._tell(page_no, "page not read", f"Page {page_no} was not recognised: {excuse}.")
        elif not layer.lines and self._is_blank(page):
            draft.origin = TextOrigin.NONE
            self._tell(page_no, "blank page", f"Page {page_no} is blank.", Severity.NOTICE)
        elif not self._options.ocr:
            why = f"Page {page_no} has no readable text of its own, and text recognition is switched off."
            self._tell(page_no, "page not read", why)
        else:
            self._recognise(page, draft, layer, pictures)
        if not draft.rows and layer.lines:
            draft.rotation, draft.origin = layer.rotation, TextOrigin.LAYER
            self._read_layer(page, draft, layer, [])

    def _recognise(self, page: Any, draft: PageDraft, layer: TextLayer, pictures: list[Picture]) -> None:
        from ingest.ocr import recognition_problem

        recognised = recognise_page(page, draft, pictures, self._options.limits)
        draft.links = links_of(self._pdf, page, draft.page_no, draft.rotation)
        problem = recognition_problem(recognised, self._name, draft.page_no)
        if problem is not None:
            self.problems.append(problem)

    def _is_blank(self, page: Any) -> bool:
        image, _ = render_image(page, GLANCE_DPI, self._options.limits)
        extrema: Any = image.convert("L").getextrema()
        darkest, lightest = extrema
        return bool(lightest - darkest < BLANK_CONTRAST)

    def _tell(self, page_no: int | None, what: str, why: str, severity: Severity = Severity.LEFT_OUT) -> None:
        self.problems.append(Problem(self._name, page_no, what, why, severity))
