"""A mail (.eml): its headers, its text, and what was attached and not read. Parsing is the standard library's."""

import contextlib
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

from bs4 import BeautifulSoup

from ingest.document import Document, Kind, Link, Problem, Severity
from ingest.errors import UnreadableSource
from ingest.options import ReadOptions
from ingest.page_text import PageText, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile
from ingest.text.decoding import decoded
from ingest.text.html import decoded_html, write_html

SHOWN_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def read_eml(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """One page: headers, then the body, plain text preferred. Each attachment is a problem: left out."""
    message = _parsed(file)
    page_text = PageText()
    for name in SHOWN_HEADERS:
        for value in message.get_all(name, []):
            page_text.add(f"{name}: {one_line(str(value))}")
    page_text.gap()
    problems: list[Problem] = []
    links = _write_body(message, file.name, page_text, problems)
    problems += [_left_out(part, file.name) for part in message.iter_attachments() if isinstance(part, EmailMessage)]
    document = Document(
        file.id,
        file.name,
        Kind.TEXT,
        pages=(page_text.page(),),
        size_bytes=file.size_bytes,
        headings=tuple(page_text.headings),
        links=tuple(links),
        metadata=_metadata(message),
    )
    on_progress(1, 1)
    return document, problems + empty_problems(file.name, document.pages)


def _parsed(file: SourceFile) -> EmailMessage:
    data = file.path.read_bytes()
    if not data:
        raise UnreadableSource(f"{file.name} is empty (0 bytes); hand over the mail itself")
    message = BytesParser(policy=policy.default).parsebytes(data)
    assert isinstance(message, EmailMessage), "policy.default makes EmailMessages"
    if not {"from", "to", "subject", "date", "received"} & {name.lower() for name in message}:
        raise UnreadableSource(
            f"{file.name} is not a mail (it has no From, To, Subject or Date line); check its ending"
        )
    return message


def _write_body(message: EmailMessage, name: str, page: PageText, problems: list[Problem]) -> list[Link]:
    body = message.get_body(("plain", "html"))
    payload = body.get_payload(decode=True) if isinstance(body, EmailMessage) else None
    if not isinstance(body, EmailMessage) or not isinstance(payload, bytes) or not payload.strip():
        return []
    if body.get_content_subtype() == "html":
        found = decoded_html(payload, name)
        links = write_html(BeautifulSoup(found.text, "lxml"), page)
    else:
        found = decoded(payload, name, body.get_content_charset())
        page.add(found.text)
        links = []
    problems += [found.problem] if found.problem else []
    return links


def _left_out(part: EmailMessage, name: str) -> Problem:
    payload = part.get_payload(decode=True)
    size = f", {len(payload)} bytes" if isinstance(payload, bytes) else ""
    what = part.get_filename() or part.get_content_type()
    why = f"The attachment {what!r} ({part.get_content_type()}{size}) was not read; save it and add it by itself."
    return Problem(name, 1, "attachment left out", why, Severity.LEFT_OUT)


def _metadata(message: EmailMessage) -> dict[str, str]:
    found = {"title": message.get("Subject"), "author": message.get("From"), "created": message.get("Date")}
    metadata = {key: one_line(str(value)) for key, value in found.items() if value}
    with contextlib.suppress(KeyError, ValueError):  # no date, or one that is none: as it stands
        metadata["created"] = parsedate_to_datetime(metadata["created"]).isoformat()
    return metadata
