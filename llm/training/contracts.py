"""Contracts made by templates: parties, dates, law, term, notice and money among clauses that say something else.

In the manner of real agreements: the parties are named once, with what they are and where they sit, then called by a
defined term; dates stand in every notation; a clause that answers may stand anywhere. Every answer stands word for
word in the document; "the parties" are two such answers.
"""

import random
from datetime import date, timedelta

from llm.training.names import address_lines, company, person, some
from llm.training.sources import Passage, Question

_STATES = (
    "Delaware|New York|California|Texas|Ohio|Illinois|Florida|Massachusetts|Pennsylvania|Georgia|Michigan|Indiana|"
    "Minnesota|Washington|New Jersey|Virginia|Colorado|Arizona|Nevada|Utah|Oregon|North Carolina|Wisconsin|Missouri"
)
_COUNTRIES = "England and Wales|Ireland|Singapore|Germany|the Netherlands|Ontario|Scotland|New South Wales|Malaysia"
_TITLES = (
    "CONFIDENTIALITY AGREEMENT|NON-DISCLOSURE AGREEMENT|MUTUAL NON-DISCLOSURE AGREEMENT|SERVICES AGREEMENT|"
    "CONSULTING AGREEMENT|LICENSE AGREEMENT|SUPPLY AGREEMENT|Confidentiality and Standstill Agreement|LEASE"
)
_ROLES = (
    ("Disclosing Party", "Receiving Party"), ("Company", "Recipient"), ("Client", "Contractor"),
    ("Licensor", "Licensee"), ("Company", "Consultant"), ("Seller", "Buyer"), ("Landlord", "Tenant"),
    ("Employer", "Employee"), ("Customer", "Supplier"),
)  # fmt: skip
_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_HEADS = {
    "plain": 'This Agreement is entered into as of {day} by and between {first} (the "{one}") and {second} '
    '(the "{two}").',
    "of": 'THIS AGREEMENT, dated {day} (the "Effective Date"), is made between {first}, {kind}, having its principal '
    'place of business at {place} ("{one}"), and {second} ("{two}").',
    "whereas": 'This Agreement is made and entered into this {day}, between {first} ("{one}") and {second}, residing '
    'at {place} ("{two}"). WHEREAS, the parties wish to discuss a possible transaction; NOW, THEREFORE, they agree:',
    "letter": "{day}\n\n{second}\n{place}\n\nIn connection with your interest in a transaction with {first} (the "
    '"{one}"), you (the "{two}") agree to the following.',
}
_LAWS = (
    "This Agreement shall be governed by and construed in accordance with the laws of {law}, without regard to its "
    "conflict of laws rules.",
    "This Agreement shall be governed by the laws of {law}.",
    "The validity and interpretation of this Agreement are subject to the law of {law}, whose courts alone decide on "
    "any dispute.",
    "The parties agree that the internal laws of {law} apply to this Agreement.",
)
_TERMS = (
    "This Agreement shall remain in force for {term} from the date first written above, unless terminated earlier.",
    "The obligations set out here continue for {term} after the disclosure of the information.",
    "This Agreement expires {term} after its Effective Date.",
    "The initial term of this Agreement is {term}, and it renews itself for periods of one month.",
)
_NOTICES = (
    "Either party may terminate this Agreement with {notice} prior written notice.",
    "The {one} may end this Agreement at any time upon {notice} notice to the {two}.",
    "Termination takes effect {notice} after the other party has received notice of it.",
)
_FEES = (
    "The {one} shall pay the {two} a fee of {fee} for the services.",
    "In consideration of the foregoing, the {one} pays {fee} within thirty days of signing.",
)
_FILLERS = (
    "The {two} shall hold all Confidential Information in strict confidence and use it for no other purpose.",
    "Confidential Information does not include what is or becomes public other than by a breach of this Agreement.",
    "Upon request, the {two} shall return or destroy all copies of such materials and confirm it in writing.",
    "This document supersedes all prior understandings between the parties on its subject.",
    "Neither party may assign this Agreement without the written consent of the other.",
    "No failure or delay in exercising any right under this Agreement operates as a waiver of it.",
    "If any provision is found to be unenforceable, the remainder of this Agreement stays in effect.",
    "Nothing in this Agreement obliges either party to proceed with any transaction between them.",
    "Money damages may not be a sufficient remedy, and the {one} may seek an injunction without posting a bond.",
    "The {two} is an independent contractor and not an employee, agent or partner of the {one}.",
    "All notices must be in writing and are deemed given when delivered by hand or by recognised courier.",
    "This Agreement may be executed in counterparts, each of which is an original.",
    "The {two} shall not solicit any employee of the {one} whom it met in the course of the discussions.",
    "Each party warrants that it has the power and authority to enter into this Agreement.",
)
_ASKS = {
    "law": "Which law governs the agreement?|What is the governing law?|Which jurisdiction governs this contract?|"
    "Under the laws of which state is the agreement?|What is the jurisdiction?",
    "term": "What is the term of the agreement?|How long does the agreement last?|For how long is it in force?|"
    "How long do the obligations last?",
    "notice": "How much notice is needed to terminate?|What is the notice period?",
    "fee": "What is the fee?|How much is to be paid?|How much does the {one} pay?",
    "day": "What is the effective date?|When does the agreement take effect?|What is the date of the agreement?|"
    "On what date was the agreement made?|When was it signed?",
    "first": "Who is the {one}?|Which party is the {one}?|What is the name of the {one}?",
    "second": "Who is the {two}?|Which party is the {two}?|What is the name of the {two}?|Who is the other party?",
    "parties": "Who are the parties?|Between whom is the agreement made?|Which parties made the agreement?",
    "place": "What is the address of the {holder}?|Where is the {holder} located?",
}


def contract_passage(rng: random.Random) -> Passage:
    """One made-up agreement with its questions, some of which it does not answer."""
    one, two = rng.choice(_ROLES)
    first = company(rng)
    second = company(rng) if rng.random() < 0.7 else person(rng)
    head = rng.choice(sorted(_HEADS))
    facts = {
        "one": one, "two": two, "first": first, "second": second, "day": _day(rng, head),
        "place": ", ".join(address_lines(rng)), "law": _law(rng), "term": _term(rng),
        "notice": _days(rng), "fee": f"{rng.choice(('$', 'EUR ', 'US$'))}{rng.randrange(500, 90_000):,}",
        "kind": f"a {some(rng, _STATES)} corporation", "holder": one if head == "of" else two,
    }  # fmt: skip
    clauses = {"law": _LAWS, "term": _TERMS, "notice": _NOTICES, "fee": _FEES}
    shown = rng.sample(sorted(clauses), rng.randint(1, 4))
    body = [rng.choice(clauses[key]).format(**facts) for key in shown]
    body += [filler.format(**facts) for filler in rng.sample(_FILLERS, rng.randint(2, 8))]
    rng.shuffle(body)
    lines = [some(rng, _TITLES), _HEADS[head].format(**facts), *_numbered(rng, body)]
    lines += [f"{first}\nBy: {person(rng)}", f"{second}\nBy: {person(rng)}"] if rng.random() < 0.6 else []
    stated = {*shown, "first", "second", "day", *(() if head == "plain" else ("place",))}
    facts["parties"] = f"{first} and {second}"
    questions = [_ask(rng, key, facts, key in stated or key == "parties") for key in _ASKS]
    return Passage("form", "\n".join(lines), tuple(questions), f"contract-{rng.randint(1, 900)}.pdf")


def _ask(rng: random.Random, key: str, facts: dict[str, str], is_stated: bool) -> Question:
    return Question(some(rng, _ASKS[key]).format(**facts), (facts[key],) if is_stated else ())


def _numbered(rng: random.Random, body: list[str]) -> list[str]:
    style = rng.choice(("{number}. {clause}", "Section {number}. {clause}", "{clause}", "({letter}) {clause}"))
    return [
        style.format(number=number, letter=chr(96 + number), clause=clause) for number, clause in enumerate(body, 1)
    ]


def _law(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return some(rng, _COUNTRIES)
    return rng.choice(("the State of {}", "{}", "the State of {}", "the Commonwealth of {}")).format(some(rng, _STATES))


def _term(rng: random.Random) -> str:
    number, unit = rng.randint(2, 12), rng.choice(("years", "years", "months"))
    word = _NUMBERS[number]
    return rng.choice((f"{number} {unit}", f"{word} ({number}) {unit}", f"a period of {word} {unit}", f"{word} {unit}"))


def _days(rng: random.Random) -> str:
    number = rng.choice((7, 10, 14, 15, 30, 45, 60, 90))
    return rng.choice((f"{number} days", f"{number} ({number}) days", f"{number} calendar days"))


def _day(rng: random.Random, head: str) -> str:
    day = date(1990, 1, 1) + timedelta(days=rng.randrange(13_000))
    if head == "whereas":
        end = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0, "th")
        return f"{day.day}{end} day of {day:%B}, {day.year}"
    american = f"{day:%B} {day.day}, {day.year}"
    return rng.choice((american, american, f"{day.day} {day:%B} {day.year}", f"{day:%m/%d/%Y}", f"{day:%d.%m.%Y}"))
