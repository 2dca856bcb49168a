"""Tags, searching, and questions to begin with."""

from types import SimpleNamespace

import pytest

from app.errors import BadRequest, NotInLibrary
from app.service import Longleaf
from app.service.suggesting import MAX_QUESTIONS, suggested_questions
from ingest.document import Definition, Document, Heading, Kind, Page


def test_tags_replace_tags(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    entry = longleaf.add(texts.lease)
    assert longleaf.tag(entry.id, ["#Home", " rent ", "home", ""]).tags == ("home", "rent")
    assert longleaf.tag("lease.txt", ["two"]).tags == ("two",)
    assert longleaf.tag(entry.id, []).tags == ()
    with pytest.raises(BadRequest, match="the tag 'two words' cannot be used; a tag is one word of at most 40"):
        longleaf.tag(entry.id, ["two words"])
    with pytest.raises(BadRequest, match="21 tags were given; a document has at most 20"):
        longleaf.tag(entry.id, [str(number) for number in range(21)])
    with pytest.raises(NotInLibrary):
        longleaf.tag("nothing", ["x"])


def test_searching_looks_into_everything_that_is_indexed(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    assert longleaf.search("plumber") == ()
    ids = [longleaf.add(source).id for source in (texts.lease, texts.notes)]
    list(longleaf.prepare(ids))
    (found,) = longleaf.search("plumber")
    assert (found.source, found.quote, found.verified) == ("notes.txt", "Call the plumber.", True)
    with pytest.raises(BadRequest, match="there is nothing to look for"):
        longleaf.search(" ")


def headed(*titles: str) -> Document:
    return Document("i", "a.pdf", Kind.PDF, (Page(1, "x"),), headings=tuple(Heading(1, title, 1) for title in titles))


def test_headings_and_names_become_questions() -> None:
    titles = ("Contents", "FORM 10-Q", "(In millions)", "4.2 Termination for Cause", "GOVERNING LAW", "APT tools", "A")
    shown = suggested_questions(headed(*titles))
    assert shown == [
        "What does it say about “Termination for Cause”?",
        "What does it say about “GOVERNING LAW”?",
        "What does it say about “APT tools”?",
    ]
    names = tuple(Definition(name, "function", 1) for name in ("_hidden", "open_port", "go"))
    code = Document("i", "a.py", Kind.CODE, (Page(1, "x"),), definitions=names)
    assert suggested_questions(Document("f", "src", Kind.FOLDER, members=(code,))) == ["What does open_port do?"]
    assert suggested_questions(Document("i", "a.txt", Kind.TEXT, (Page(1, "x"),))) == []


def test_many_headings_give_a_few_questions_from_the_whole_length() -> None:
    shown = suggested_questions(headed(*(f"Topic number {number}" for number in range(100))))
    assert len(shown) == MAX_QUESTIONS
    assert "Topic number 75" in shown[-1]
