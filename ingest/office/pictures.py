"""Text in the pictures of an office file, as FIGURE spans behind the paragraph or shape that shows them."""

import hashlib
import io

from ingest.document import Problem, Role, Severity
from ingest.errors import IngestError
from ingest.image.pixels import frame, opened
from ingest.ocr import page_from_recognised, recognise
from ingest.options import ReadOptions
from ingest.page_text import PageText

MIN_SIDES_PX = (40, 120)  # shorter and longer side; smaller pictures are icons and bullets
MAX_PICTURES = 300  # different ones of one file; at 1-3 s each


class Pictures:
    """The pictures of one file. The same picture (a logo on every slide) is recognised and written once."""

    def __init__(self, name: str, options: ReadOptions) -> None:
        self._name = name
        self._options = options
        self._seen: set[bytes] = set()
        self._unread: list[str] = []
        self._too_many = 0

    def write(self, data: bytes, page: PageText) -> None:
        """Writes the text recognised in one picture, if it has any and is new."""
        digest = hashlib.sha256(data).digest()
        if not self._options.ocr or digest in self._seen:
            return
        if len(self._seen) >= MAX_PICTURES:
            self._too_many += 1
            return
        self._seen.add(digest)
        try:
            with opened(io.BytesIO(data), "a picture", self._options.limits) as image:
                if min(image.size) < MIN_SIDES_PX[0] or max(image.size) < MIN_SIDES_PX[1]:
                    return
                picture = frame(image, 1, "a picture", self._options.limits)
        except IngestError as error:
            self._unread.append(str(error))
            return
        recognised = recognise(picture)
        text = page_from_recognised(recognised, page_no=page.page_no, size_px=picture.size).text
        page.add(text, Role.FIGURE, recognised.confidence)

    def problems(self) -> list[Problem]:
        """What was left out of all pictures written so far."""
        found = []
        if self._unread:
            why = f"{len(self._unread)} pictures could not be read; the first: {self._unread[0]}."
            found.append(Problem(self._name, None, "pictures not read", why, Severity.LEFT_OUT))
        if self._too_many:
            why = f"Text was recognised in {MAX_PICTURES} pictures; {self._too_many} more were left out."
            found.append(Problem(self._name, None, "pictures not read", why, Severity.LEFT_OUT))
        return found
