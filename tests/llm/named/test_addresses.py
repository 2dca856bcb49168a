"""Postal addresses of several countries, on lines of their own and in sentences, and what is none."""

import pytest

from ingest.document import Document, Kind, Page
from llm.named.addresses import addresses


def found(text: str) -> list[str]:
    return [one.text for one in addresses(Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, text),)))]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Harbour Tools Ltd\n14 Quay Street\nBristol\nBS1 4DD\nTel 0117 496 0000", "14 Quay Street Bristol BS1 4DD"),
        ("Nordlicht Optik GmbH\nHafenstraße 12\n20457 Hamburg\nRechnung 17", "Hafenstraße 12 20457 Hamburg"),
        ("Librairie Lune\n12 rue des Lilas\n69003 Lyon\nTVA FR 12", "12 rue des Lilas 69003 Lyon"),
        ("Bakkerij Zon B.V.\nKeizersgracht 4\n1015 CJ Amsterdam\n", "Keizersgracht 4 1015 CJ Amsterdam"),
        ("Calle Mayor 5, 28013 Madrid\nFactura 3", "Calle Mayor 5, 28013 Madrid"),
        (
            "KEDAI SURIA\n(001234-K)\nNO. 8, JALAN MELATI 2/3,\nTAMAN MELATI,\n43000 KAJANG,\nSELANGOR.\nTEL: 03-1",
            "NO. 8, JALAN MELATI 2/3, TAMAN MELATI, 43000 KAJANG, SELANGOR.",
        ),
        ("Unit 4, Level 2\n60 Swan Street\nPerth WA 60001\nABN 1", "Unit 4, Level 2 60 Swan Street Perth WA 60001"),
        ("Elm Partners\nP.O. Box 77\nSalem, OR 97301\nMarch 3, 2020", "P.O. Box 77 Salem, OR 97301"),
        (
            "Acme, Inc., with offices at 77 Mill Road, Suite 4, Sugar\nLand, Texas 77478 (the “Company”), agrees.",
            "77 Mill Road, Suite 4, Sugar Land, Texas 77478",
        ),
    ],
)  # fmt: skip
def test_an_address_is_found_whole(text: str, address: str) -> None:
    assert found(text) == [address]


def test_two_addresses_are_two() -> None:
    text = "Seller\n3 Mill Lane\nYork YO1 7HH\n\nShip to\n9 Station Road\nLeeds LS1 4DY\n"
    assert found(text) == ["3 Mill Lane York YO1 7HH", "9 Station Road Leeds LS1 4DY"]


@pytest.mark.parametrize(
    "text",
    [
        "10273 BATTERY AA 170.00\n2 PC 9.000 0.00 9.00\nTOTAL 31.00",
        "The parties met on the road to Bristol in 2019 and agreed to\nshare the street works of the close.",
        "00 ENGINE OIL 70791\n45 HANDKERCHIEF 71386",
        "MELATI (TAMAN MELATI) SDN BHD\n123456-W",
        "Date: 03/04/2020\nTable 12\nCashier 4, USER",
        "def street(no):\n    return road[no]\n",
        "",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert found(text) == []
