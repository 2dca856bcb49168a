"""EPUB books: a chapter of the reading order a page, labelled as the table of contents does.

Unzipped by the standard library; chapters are read as the HTML that they are (`ingest.text.html`).
"""

import posixpath
import zipfile
from dataclasses import dataclass
from urllib.parse import unquote

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.document import Document, Heading, Kind, Link, Page, Problem, Severity
from ingest.errors import SourceTooLarge, UnreadableSource, UnsupportedSource
from ingest.office.package import office_reader
from ingest.options import ReadOptions
from ingest.page_text import PageText, empty_problems, one_line
from ingest.reader import OnProgress, SourceFile
from ingest.text.html import decoded_html, write_html

FONT_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
METADATA = {"dc:title": "title", "dc:creator": "author", "dc:date": "created", "dc:language": "language"}


@dataclass(frozen=True, slots=True)
class Book:
    """What the package file says: chapters in reading order, titles by chapter, metadata."""

    chapters: tuple[str, ...]  # members of the zip
    titles: dict[str, str]
    metadata: dict[str, str]


@office_reader
def read_epub(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    pages: list[Page] = []
    problems: list[Problem] = []
    headings: list[Heading] = []
    links: list[Link] = []
    with zipfile.ZipFile(file.path) as archive:
        book = _book(archive, file.name)
        if len(book.chapters) > options.limits.max_pages:
            raise SourceTooLarge(
                f"{file.name} has {len(book.chapters)} chapters; at most {options.limits.max_pages} are read: split it"
            )
        wanted = options.page_numbers(len(book.chapters))
        on_progress(0, len(wanted))
        for done, page_no in enumerate(wanted, start=1):
            page_text = PageText(page_no)
            member = book.chapters[page_no - 1]
            found, problem = _write_chapter(archive, member, file.name, page_text)
            links += found
            problems += [problem] if problem else []
            first = page_text.headings[0].title if page_text.headings else None
            label = book.titles.get(member) or first
            headings += page_text.headings or ([Heading(1, label, page_no)] if label else [])
            pages.append(page_text.page(label))
            on_progress(done, len(wanted))
    document = Document(
        file.id,
        file.name,
        Kind.OFFICE,
        pages=tuple(pages),
        size_bytes=file.size_bytes,
        headings=tuple(headings),
        links=tuple(links),
        metadata=book.metadata,
    )
    if not any(page.text for page in pages):
        problems += empty_problems(file.name, pages)  # a cover without words is no loss
    return document, problems


def _write_chapter(
    archive: zipfile.ZipFile, member: str, name: str, page: PageText
) -> tuple[list[Link], Problem | None]:
    try:
        data = archive.read(member)
    except KeyError:
        why = f"The chapter {member} is listed but missing in the file."
        return [], Problem(name, page.page_no, "chapter not read", why, Severity.LEFT_OUT)
    if not data.strip():
        return [], None
    found = decoded_html(data, name)
    links = write_html(BeautifulSoup(found.text, "lxml"), page)
    return [link for link in links if "://" in link.target or link.target.startswith("mailto:")], found.problem


def _book(archive: zipfile.ZipFile, name: str) -> Book:
    members = set(archive.namelist())
    if "META-INF/container.xml" not in members:
        raise UnreadableSource(f"{name} is no EPUB book (it has no META-INF/container.xml); give it its real ending")
    if "META-INF/encryption.xml" in members:
        _refuse_protected(archive, name)
    rootfile = _xml(archive, "META-INF/container.xml").find("rootfile")
    package_path = str(rootfile.get("full-path", "")) if isinstance(rootfile, Tag) else ""
    if package_path not in members:
        raise UnreadableSource(f"{name} is damaged: its package file {package_path!r} is missing; get the book again")
    package = _xml(archive, package_path)
    folder = posixpath.dirname(package_path)
    items = {str(item.get("id")): item for item in package.find_all("item")}
    spine = [items[str(ref.get("idref"))] for ref in package.find_all("itemref") if str(ref.get("idref")) in items]
    chapters = tuple(_member(folder, str(item.get("href", ""))) for item in spine)
    if not chapters:
        raise UnreadableSource(f"{name} is damaged: its reading order is empty; get the book again")
    metadata = {
        key: value
        for tag, key in METADATA.items()
        if (found := package.find(tag)) and (value := one_line(found.get_text()))
    }
    return Book(chapters, _titles(archive, items, folder), metadata)


def _titles(archive: zipfile.ZipFile, items: dict[str, Tag], folder: str) -> dict[str, str]:
    """Titles of the table of contents (EPUB 3: a nav page, EPUB 2: an NCX file) by chapter, the first of each."""
    titles: dict[str, str] = {}
    for item in items.values():
        is_nav = "nav" in str(item.get("properties", "")).split()
        if not is_nav and item.get("media-type") != "application/x-dtbncx+xml":
            continue
        path = _member(folder, str(item.get("href", "")))
        if path not in archive.namelist():
            continue
        contents = _xml(archive, path)
        if is_nav:
            entries = [(anchor.get("href"), anchor.get_text()) for anchor in contents.find_all("a")]
        else:
            points = [(point.find("content"), point.find("navLabel")) for point in contents.find_all("navPoint")]
            entries = [(target.get("src"), label.get_text()) for target, label in points if target and label]
        for target, title in entries:
            if title.strip():
                titles.setdefault(_member(posixpath.dirname(path), str(target)), one_line(title))
    return titles


def _refuse_protected(archive: zipfile.ZipFile, name: str) -> None:
    methods = [
        str(tag.get("Algorithm")) for tag in _xml(archive, "META-INF/encryption.xml").find_all("EncryptionMethod")
    ]
    if any(method not in FONT_OBFUSCATION for method in methods):
        raise UnsupportedSource(f"{name} is protected against copying (DRM) and cannot be read; use a free copy")


def _xml(archive: zipfile.ZipFile, member: str) -> BeautifulSoup:
    return BeautifulSoup(archive.read(member), "xml")


def _member(folder: str, target: str) -> str:
    """A reference of the package file or of a chapter, as a member's name."""
    return posixpath.normpath(posixpath.join(folder, unquote(target.partition("#")[0])))
