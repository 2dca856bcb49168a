"""Names in contracts and on letterheads: whole, and with the terms that stand for them."""

import pytest

from ingest.document import Document, Kind, Page
from llm.named.candidates import Strength
from llm.named.names import names

SURE, HEAD = Strength.SURE, Strength.HEAD


def found(text: str, strength: Strength = SURE) -> dict[str, tuple[str, ...]]:
    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, text),))
    return {one.text: one.aliases for one in names(document) if one.strength is strength}


@pytest.mark.parametrize(
    ("text", "names_and_terms"),
    [
        (
            "This lease is made between Harbour Tools Ltd, a company of England (“Landlord”), and Mary B. Stone,\n"
            "a resident of the State of Maine (the “Tenant”).",
            {"Harbour Tools Ltd": ("landlord",), "Mary B. Stone": ("tenant",)},
        ),
        (
            "The services of Nordlicht Optik GmbH and its affiliates (together,\nthe “Supplier”) are described below.",
            {"Nordlicht Optik GmbH": ("supplier",)},
        ),
        (
            'by and between Silver Pine Capital and K. L. Moor Enterprises. Collectively, they are the "Parties".',
            {"Silver Pine Capital": (), "K. L. Moor Enterprises": ()},
        ),
        ("signed by Oak & Elm, L.L.C., hereinafter called “Seller”, today", {"Oak & Elm, L.L.C.": ("seller",)}),
        ("made with Heron and Daughters, Inc. in May", {"Heron and Daughters, Inc.": ()}),
        ("an account at the Bank of Northern\nWales Limited since then", {"Bank of Northern Wales Limited": ()}),
        ("Blue River Health, Inc., an Ohio Corporation (“Company”)", {"Blue River Health, Inc.": ("company",)}),
        ("the Transition Services Annex (the “Annex”) and the Effective Date (“Start”)", {}),
        (
            "Pine Corp. (“PSC”) signs. PSC and Company agree. Confidential Information of the Company is kept.",
            {"Pine Corp.": ("psc",)},
        ),
    ],
)
def test_names_in_sentences(text: str, names_and_terms: dict[str, tuple[str, ...]]) -> None:
    assert found("It is agreed as follows.\n\n" + text) == names_and_terms


def test_a_line_at_the_head_is_a_name_whole() -> None:
    receipt = "a 0013\nTHE COPPER KETTLE\n7 Mill Lane\nYork YO1 7HH\nLARGE TEA 2.50\n"
    assert found(receipt, HEAD) == {"THE COPPER KETTLE": ()}
    owned = "32 PUB & BISTRO own by CNU TRADING\n78G, JALAN SS21/62,\n47400 PETALING JAYA.\n"
    assert list(found(owned)) == ["32 PUB & BISTRO own by CNU TRADING"]
    registered = "KOPI PANAS (M) SDN BHD (126926-H)\n8, JALAN BUNGA\n"
    assert list(found(registered)) == ["KOPI PANAS (M) SDN BHD"]


def test_a_heading_or_a_date_is_no_name() -> None:
    text = "CONFIDENTIALITY AGREEMENT\nMarch 3, 2020\nInvoice 17\nTel: 0117 496\n"
    assert not found(text)
    assert not found(text, HEAD)
