"""Answers as values, as libraries read them; what is no value says so."""

import re

import pytest

from app.extraction import BadValue, load_schema, value_of
from llm.named.patterns import DATE, DURATION, NUMBER


def value(short: str, answer: str, *shown: str) -> object:
    (field,) = load_schema(short)
    return value_of(answer, field, shown)


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("February 8, 1999", "1999-02-08"), ("4th day of June, 2005", "2005-06-04"), ("Sept. 3, 2001", "2001-09-03"),
        ("22nd May 2001", "2001-05-22"), ("2007-03-15", "2007-03-15"), ("12 MAR 2018", "2018-03-12"),
        ("25/12/2018", "2018-12-25"), ("12/25/2018", "2018-12-25"), ("18-11-18", "2018-11-18"),
        ("1.2.2020", "2020-02-01"),
    ],
)  # fmt: skip
def test_dates(written: str, iso: str) -> None:
    assert value("d date", written) == iso
    found = re.search(DATE, f"signed on {written}.")
    assert found is not None
    assert value("d date", found[0]) == iso


def test_the_order_of_a_date_is_that_of_the_document() -> None:
    assert value("d date", "02/03/2020") == "2020-03-02"
    assert value("d date", "02/03/2020", "paid on 10/28/2019") == "2020-02-03"
    assert value("d date", "02/03/2020", "signed March 1, 2020") == "2020-02-03"
    assert value("d date", "02/03/2020", "signed March 1, 2020", "due 28/10/2019") == "2020-03-02"
    assert value("d date", "02/03/2020", "the laws of the State of Ohio") == "2020-02-03"
    assert value("d date", "02/03/2020", "of Sugar Land, TX 77478") == "2020-02-03"
    assert value("d date", "02/03/2020", "the laws of Ireland") == "2020-03-02"


@pytest.mark.parametrize("text", ["20__", "June", "2005", "3.14", "version 1.2.3.4", "12/34/2020", "maybe"])
def test_what_is_no_date(text: str) -> None:
    assert re.search(DATE, text) is None
    with pytest.raises(BadValue, match="the schema asks for a date"):
        value("d date", text)


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("two (2) years", "P2Y"),
        ("eighteen months", "P18M"),
        ("a period of 90 calendar days", "P90D"),
        ("5-year", "P5Y"),
    ],
)
def test_durations(written: str, iso: str) -> None:
    assert re.search(DURATION, written)
    assert value("d duration", written) == iso


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("RM 9.00", 9),
        ("$1,250.50", 1250.5),
        ("EUR 109.03", 109.03),
        ("RM7.5", 7.5),
        ("1.234,50 €", 1234.5),
        ("-12.5", -12.5),
        ("(300)", -300),
        ("12 %", 12),
    ],
)
def test_numbers(written: str, number: float) -> None:
    assert value("n number", written) == number
    found = re.search(NUMBER, written)
    assert found is not None
    assert abs(number) == abs(float(str(value("n number", found[0]))))


def test_choices_lists_and_schemas() -> None:
    assert value("c: mild|Harsh", "harsh") == "Harsh"
    assert (value("b bool", "yes"), value("b bool", "No")) == (True, False)
    assert value("n: number[]", "$12 and 1,300.50") == [12, 1300.5]
    assert value("p[]", "Neon Systems, Inc.; Progress Software and Acme Ltd") == [
        "Neon Systems, Inc", "Progress Software", "Acme Ltd",
    ]  # fmt: skip
    small = '{"properties": {"n": {"type": "integer", "maximum": 10}}}'
    with pytest.raises(BadValue, match="the value of n breaks its schema: 12 is greater than the maximum of 10"):
        value(small, "12")
    with pytest.raises(BadValue, match=r"12\.5 is not of type 'integer'"):
        value("n int", "12.5")
    with pytest.raises(BadValue, match="the answer for c is 'odd', and the schema asks for one of a, b"):
        value("c: a|b", "odd")
