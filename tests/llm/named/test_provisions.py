"""What agreements say of themselves, in the words of many of them; and what must not be taken for it."""

from collections.abc import Callable

import pytest

from ingest.document import Document, Kind, Page
from llm.named import answer_from_names
from llm.named.provisions import governing_law, lasting, lasting_secrecy, made_on, notice_period, ways_to_end
from llm.named.signatures import signers
from llm.named.wording import Provision, sentences_of

Find = Callable[[Document], Provision | None]


def agreement(*pages: str) -> Document:
    return Document("a", "a.pdf", Kind.PDF, pages=tuple(Page(number, text) for number, text in enumerate(pages, 1)))


def said(find: Find, *pages: str) -> str | None:
    found = find(agreement(*pages))
    return found.text if found else None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("This Agreement shall be governed by and construed in accordance with the laws of the State of Ohio without "
         "regard to its conflict rules.", "the laws of the State of Ohio"),
        ("THIS CONTRACT SHALL BE GOVERNED BY THE LAWS OF NEW YORK WITHOUT REGARD TO CHOICE OF LAW.",
         "THE LAWS OF NEW YORK"),
        ("The lease is governed by Danish law.", "Danish law"),
        ("The validity and performance of this Agreement is governed by the internal laws\nof the Commonwealth of\n"
         "Virginia.", "laws of the Commonwealth of Virginia"),
        ("This deed is governed by the laws of England and Wales.", None),  # half of it would be wrong
        ("Acme, Inc., a corporation under the laws of Delaware, enters into this Agreement.", None),
        ("This Agreement is governed by the laws of Ohio. Annex 2 of this Agreement is governed by the laws of Texas.",
         None),
        ("This Agreement is governed by the laws of Ohio. It was governed by the law of the State of Ohio under the "
         "earlier agreement.", "the laws of Ohio"),
        ("This Agreement is governed by the laws of the jurisdiction in which the Company sits.", None),
    ],
)  # fmt: skip
def test_the_law_that_governs(text: str, place: str | None) -> None:
    assert said(governing_law, "A cover.", text) == place


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("MUTUAL AGREEMENT\nThis Mutual Agreement (the “Agreement”), dated as of March 3, 2015, is between A and B.",
         "March 3, 2015"),
        ("THIS LEASE is made and entered into as of the 4th day of May 2005 by and between A and B.",
         "4th day of May 2005"),
        ("This Agreement is executed upon hiring and is effective as of 2020-01-13.", "2020-01-13"),
        ("This Agreement is entered into as of the day of , 2013. WHEREAS, pursuant to that certain Plan dated as of "
         "May 1, 2013, the parties merge.", None),
        ("This Agreement, together with the Offer Letter Agreement dated August 6, 2008, is complete.", None),
        ("The report was made on 3 May 2011.", None),
    ],
)  # fmt: skip
def test_the_date_in_the_first_sentence(text: str, day: str | None) -> None:
    assert said(made_on, text) == day


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("7. This Agreement shall have no force after two (2) years from the last disclosure.",
         "after two (2) years from the last disclosure"),
        ("The term of this Agreement shall be three (3) years, unless it is ended before.", "three (3) years"),
        ("This Agreement will remain in effect until the Employee leaves the Company.",
         "until the Employee leaves the Company"),
        ("This lease is valid for all purposes, business and dealings of whatever nature between the Parties for a "
         "period of two years from the date hereof.", "for a period of two years from the date hereof"),
        ("This Agreement expires on 31 December 2026.", "on 31 December 2026"),
        ("The provisions of this Agreement remain in effect until the earlier of (x) the day on which a sale (or a "
         "merger) is closed and (y) eighteen (18) months from its date (the “Term”).",
         "until the earlier of (x) the day on which a sale (or a merger) is closed and (y) eighteen (18) months from "
         "its date"),
        ("The obligations of confidentiality shall survive for five years from disclosure.",  # not the agreement's end
         "The obligations of confidentiality shall survive for five years from disclosure."),
        ("All provisions of this Agreement shall remain in full force and effect.", None),
        ("The covenants shall survive the termination of this Agreement.", None),
        ("If a party breaches it and does not cure within ten days, the rights continue.", None),
        ("This Agreement terminates after two years. The term of this Agreement is five years.", None),
        ("Notices under this Agreement are given one day after they were sent.", None),
    ],
)  # fmt: skip
def test_how_long_it_lasts(text: str, time: str | None) -> None:
    assert said(lasting, text) == time


def test_a_part_of_an_agreement_or_the_time_after_it_is_not_its_end() -> None:
    for text in (
        "The duties of confidentiality in this clause last for five years.",
        "The obligations of confidentiality survive for five years after this agreement ends.",
        "Confidentiality obligations continue for 2 years following termination of the lease.",
    ):
        assert said(lasting, text) is None
        assert said(lasting_secrecy, text) is not None


def test_secrecy_may_last_longer_than_the_agreement() -> None:
    text = (
        "This Agreement shall terminate one year after its date. The obligations to keep Confidential Information "
        "secret survive for a period of 3 years."
    )
    assert said(lasting, text) == "one year after its date"
    assert said(lasting_secrecy, text) == "for a period of 3 years"
    alone = text.split(". ", maxsplit=1)[0] + "."
    assert said(lasting_secrecy, alone) == alone  # in full, since it says nothing of secrecy


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("Either party may terminate this Agreement upon thirty (30) days' prior written notice.", "thirty (30) days"),
        (
            "Ending it\n9.1 Either party may end this lease by giving the other sixty days' written notice.",
            "sixty days",
        ),
        ("It may be cancelled by giving notice of at least 6 weeks in advance.", "at least 6 weeks"),
        ("The Company may terminate for cause if it is not cured within ten days after notice.", None),
        ("Minutes are sent with ten days' notice.", None),
        ("A may terminate with 10 days' notice. B may terminate with 60 days' notice.", None),
    ],
)
def test_the_notice_before_the_end(text: str, span: str | None) -> None:
    assert said(notice_period, text) == span


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("4.1 This Agreement may be terminated by either party at any time upon 30 days' notice; fees stay due.",
         "This Agreement may be terminated by either party at any time upon 30 days' notice"),
        ("After the first year either party may terminate this Agreement without cause.",
         "either party may terminate this Agreement without cause"),
        ("The Company may terminate the employment at any time.", None),
        ("Termination of this Agreement does not end the duties.", None),
    ],
)  # fmt: skip
def test_how_it_may_be_ended(text: str, way: str | None) -> None:
    assert said(ways_to_end, text) == way


def test_who_signed() -> None:
    conformed = (
        "ACME INC. | BETA LLC\nBy: | /s/ Ada B. Smith | By: | /s/Ben Jones, Jr.\nName: Ada B. Smith | Name: B. Jones"
    )
    assert said(signers, "text", conformed) == "Ada B. Smith and Ben Jones, Jr"
    assert (
        said(signers, "By: ____\nName: Ada Smith\nTitle: CEO\nBy: ____\nName: | Ben Jones") == "Ada Smith and Ben Jones"
    )
    assert said(signers, "By:\nName:\nTitle:") is None
    assert said(signers, "/s/ [ILLEGIBLE]\n/s/ Ada Smith") is None
    assert said(signers, "/s/ ______\n/s/ Ada Smith") == "Ada Smith"
    assert said(signers, "/s/ Ada Smith By: /s/ Ben Jones Title: CEO") == "Ada Smith and Ben Jones"
    assert said(signers, "The name: a word") is None


LEASE = (
    "EXHIBIT 1\nTHE LEASE\nThis Lease (the “Lease”) is made as of May 4, 2019 by and between Birch Holdings, Inc. (the "
    "“Landlord”) and Anna Berg (the “Tenant”). 2. The term of this Lease is two (2) years. 3. The Tenant may terminate "
    "this Lease at any time with sixty days' written notice. 4. This Lease is governed by the laws of Ohio.\n\n"
    "Landlord: /s/ Paul Birch\nTenant: /s/ Anna Berg\n"
)


@pytest.mark.parametrize(
    ("question", "answer", "quote"),
    [
        ("Which law governs?", "the laws of Ohio", "This Lease is governed by the laws of Ohio."),
        ("Which state's law governs this agreement?", "the laws of Ohio", "This Lease is governed by"),
        ("What is the governing law of the lease?", "the laws of Ohio", "This Lease is governed by"),
        ("When was it made?", "May 4, 2019", "This Lease (the “Lease”) is made as of May 4, 2019"),
        ("What is the effective date?", "May 4, 2019", "This Lease (the"),
        ("When does the agreement end?", "two (2) years", "The term of this Lease is"),
        ("How long does it last?", "two (2) years", "The term of this Lease is"),
        ("What is the notice period?", "sixty days", "The Tenant may terminate"),
        ("How much notice must a party give to end it?", "sixty days", "The Tenant may terminate"),
        ("How can it be terminated?", "The Tenant may terminate this Lease at any time with sixty days' written notice",
         "The Tenant may terminate"),
        ("Who can end the lease early?", "The Tenant may terminate this Lease at any time with sixty days' written "
         "notice", "The Tenant may terminate"),
        ("Who signed it?", "Paul Birch and Anna Berg", "/s/ Paul Birch"),
        ("How long do the obligations of confidentiality last?", "The term of this Lease is two (2) years.",
         "The term of this Lease is"),
    ],
)  # fmt: skip
def test_a_plain_question_is_answered_with_the_sentence_that_says_it(question: str, answer: str, quote: str) -> None:
    found = answer_from_names(question, [agreement(LEASE)])
    assert found is not None
    assert found.text == answer
    assert all(citation.verified for citation in found.citations)
    assert found.citations[0].quote.startswith(quote)


@pytest.mark.parametrize(
    "question",
    [
        "Which law governs data protection?",
        "When does the tenant's right to the garden end?",
        "How long does it last in winter?",
        "What is the notice period for rent increases?",
        "How can the rent be changed?",
        "When was the house built?",
        "What is the date of the first payment?",
        "Who signed the amendment of 2020?",
    ],
)
def test_a_question_that_says_more_is_left_to_the_model(question: str) -> None:
    assert answer_from_names(question, [agreement(LEASE)]) is None


def test_two_agreements_are_left_to_the_model() -> None:
    assert answer_from_names("Which law governs?", [agreement(LEASE), agreement(LEASE)]) is None


def test_sentences_know_abbreviations_and_numbers() -> None:
    text = "1. Acme, Inc. and Mr. Smith agree. 2.3 They pay $1.50 a day. (a) Nobody else does.\n\nThe end"
    found = list(sentences_of(agreement(text)))
    assert [one.text for one in found] == [
        "Acme, Inc. and Mr. Smith agree.", "They pay $1.50 a day.", "Nobody else does.", "The end"
    ]  # fmt: skip
    heading = "8. Ending the lease\n8.1 It ends in May.\n8.2. It may\n2 or 3 times be renewed.\n9. Notices are sent."
    assert [one.text for one in sentences_of(agreement(heading))] == [
        "Ending the lease", "It ends in May.", "It may 2 or 3 times be renewed.", "Notices are sent."
    ]  # fmt: skip
    assert [text[one.start : one.end] for one in found] == [one.text for one in found]
