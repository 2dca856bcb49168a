"""From what a model said to the whole that it stands in."""

import pytest

from app.extraction import Field, FieldKind
from app.extraction.completing import candidates_of, meant_by, sure_ones, with_places
from ingest.document import Document, Kind, Page
from llm.answer import Answer, Coverage, ModelName, Timing

LEASE = (
    "LEASE\n\nThis lease is made between Harbour Tools Ltd (“Landlord”), of 14 Quay Street, Bristol, BS1 4DD, and "
    "Mary B. Stone (the “Tenant”). Landlord pays the rates. John Rook signs for Landlord. The agent is North Sea "
    "Lettings, Inc., of Hull. Agent’s fees are paid by Tenant.\n"
)
RECEIPT = "KOPI PANAS JAYA SDN BHD\n(126926-H)\nNO. 8, JALAN MELATI 2/3,\nTAMAN MELATI, 43000 KAJANG\nTEL: 03-1\n"


def answer(text: str, *, found: bool = True) -> Answer:
    return Answer("?", text, found, (), Coverage(1, 1, 1, 9, 9), Timing(0, 0, 0, 0, 0, 0, 0), ModelName("m", "r"))


def meant(text: str, said: str, kind: FieldKind, *, is_list: bool = False) -> list[str]:
    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, text),))
    field = Field("x", kind, {"type": "string"}, is_list)
    return [one.text for one in meant_by(answer(said), field, candidates_of(kind, [document]))]


@pytest.mark.parametrize(
    ("text", "said", "name"),
    [
        (LEASE, "Harbour Tools", "Harbour Tools Ltd"),
        (LEASE, "Landlord", "Harbour Tools Ltd"),
        (LEASE, "the Tenant and its guests", "Mary B. Stone"),
        (LEASE, "Landlord and Tenant", "Harbour Tools Ltd"),
        (LEASE, "Stone", "Mary B. Stone"),
        (LEASE, "Landlord’s", "Harbour Tools Ltd"),
        (LEASE, "North Sea Lettings, Inc., of Hull", "North Sea Lettings, Inc."),
        (LEASE, "Harbor Tools Ltd", "Harbour Tools Ltd"),
        (LEASE, "John Rook", "John Rook"),
        (RECEIPT, "Kopi Panas", "KOPI PANAS JAYA SDN BHD"),
    ],
)
def test_a_name_is_made_whole(text: str, said: str, name: str) -> None:
    assert meant(text, said, FieldKind.NAME) == [name]


@pytest.mark.parametrize("said", ["the parties", "Company", "a plumber", "TAMAN MELATI", "Agent’s"])
def test_what_is_no_name_of_the_document_stays_unknown(said: str) -> None:
    assert meant(LEASE + RECEIPT, said, FieldKind.NAME) == []


def test_an_address_is_made_whole() -> None:
    whole = "NO. 8, JALAN MELATI 2/3, TAMAN MELATI, 43000 KAJANG"
    assert meant(RECEIPT, "Jalan Melati", FieldKind.ADDRESS) == [whole]
    assert meant(RECEIPT, "43000 Kajang", FieldKind.ADDRESS) == [whole]
    assert meant(RECEIPT, "Kopi Panas", FieldKind.ADDRESS) == []


def test_a_list_has_each_once() -> None:
    said = "Landlord, Mary B. Stone and Harbour Tools Ltd"
    assert meant(LEASE, said, FieldKind.NAME, is_list=True) == ["Harbour Tools Ltd", "Mary B. Stone"]


def test_the_place_is_cited_first_and_stands_there() -> None:
    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, RECEIPT),))
    (address,) = sure_ones(candidates_of(FieldKind.ADDRESS, [document]))
    placed = with_places(answer("Kajang"), [address])
    assert placed.citations[0].verified
    assert placed.citations[0].quote == "NO. 8, JALAN MELATI 2/3,\nTAMAN MELATI, 43000 KAJANG"
    assert placed.citations[0].lines == (3, 4)
    assert placed.answer == " ".join(placed.citations[0].quote.split())


def test_nothing_is_made_of_a_refusal() -> None:
    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, LEASE),))
    field = Field("x", FieldKind.NAME, {"type": "string"})
    assert meant_by(answer("Landlord", found=False), field, candidates_of(FieldKind.NAME, [document])) == []
