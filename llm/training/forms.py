"""Documents that the question sets lack, made by templates: receipts, invoices, forms and contracts.

Names, dates, amounts and addresses are drawn at random; every answer stands word for word in the document.
"""

import random
from collections.abc import Callable
from datetime import date, timedelta

from llm.training.sources import Passage, Question

_FIRST = (
    "Anna James Maria Wei Omar Lucia Peter Fatima John Sofia David Mei Carlos Emma Ivan Grace Ahmed Julia Paul Nina"
)
_LAST = "Smith Lee Tanaka Garcia Novak Khan Brown Muller Rossi Tan Jensen Silva Clark Kim Dubois Wong Patel Lopez Evans"
_HEAD = "Northwind Apex Sunrise Blue River Golden Harbor Summit Evergreen Pioneer Lotus Crystal Metro United Silver Oak"
_TAIL = "Trading|Foods|Systems|Holdings|Pharma|Logistics|Hardware|Restaurant|Stationery|Energy|Media|Consulting|Motors"
_FORM = "Inc.|LLC|Ltd|Corp.|Sdn Bhd|GmbH|Limited|Co.|L.P.|PLC"
_STREET = "Main Street|Jalan Bukit|Park Avenue|King Road|Lake View Drive|Industrial Way|Church Lane|Market Square"
_CITY = "Boston, MA 02110|Kuala Lumpur|Austin, TX 78701|London|Dover, DE 19901|Singapore 049315|Chicago, IL 60601|Leeds"
_LAW = (
    "the State of Delaware|the State of New York|California|England and Wales|Texas|the Commonwealth of Massachusetts"
)
_GOODS = (
    "Notebook A5|Green tea|Printer paper|USB cable|Chicken rice|Paint roller|LED lamp|Coffee beans|Ball pen|Bolt M8"
)
_FIELDS = (
    "Phone|Fax|E-mail|Department|Position|Account No|Case No|Brand|Quantity|Region|Division|Manager|Subject|Status|"
    "Reference|Budget|Sample size|Start date|Completion date|Requested by|Approved by|Sent to|Pages|Cost center"
)
_ASKS = {
    "total": "What is the total?|What is the total amount?|How much was paid in total?|How much is the total?",
    "date": "What is the date?|When was this issued?|On what date was it issued?|What is the date of the document?",
    "company": "Which company issued this?|What is the name of the company?|Who is the seller?",
    "address": "What is the address?|Where is the company located?|What is the address of the company?",
    "number": "What is the invoice number?|What is the document number?|Which number does the document have?",
    "tax": "How much tax was charged?|What is the tax amount?",
    "law": "Which law governs the agreement?|What is the governing law?|Which jurisdiction governs this contract?",
    "term": "What is the term of the agreement?|How long does the agreement last?|For how long is it in force?",
    "effective": "What is the effective date?|When does the agreement take effect?|What is the date of the agreement?",
    "party1": "Who is the first party?|Which party discloses the information?|Who is the disclosing party?",
    "party2": "Who is the other party?|Which party receives the information?|Who is the receiving party?",
    "notice": "How much notice is needed to terminate?|What is the notice period?",
    "fee": "What is the fee?|How much does the client pay?",
}


def form_passage(rng: random.Random) -> Passage:
    """One made-up document with its questions, some of which it does not answer."""
    make = rng.choice((_receipt, _receipt, _form, _form, _contract, _contract))
    return make(rng)


def _pick(rng: random.Random, choices: str, separator: str = "|") -> str:
    return rng.choice(choices.split(separator))


def _person(rng: random.Random) -> str:
    return f"{_pick(rng, _FIRST, ' ')} {_pick(rng, _LAST, ' ')}"


def _company(rng: random.Random) -> str:
    head = _pick(rng, _HEAD, " ") if rng.random() < 0.6 else _pick(rng, _LAST, " ")
    return f"{head} {_pick(rng, _TAIL)} {_pick(rng, _FORM)}"


def _address(rng: random.Random) -> str:
    return f"{rng.randint(1, 990)} {_pick(rng, _STREET)}, {_pick(rng, _CITY)}"


def _day(rng: random.Random) -> str:
    day = date(1985, 1, 1) + timedelta(days=rng.randrange(14_000))
    form = rng.choice(("%d/%m/%Y", "%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%m/%d/%y", "%d-%m-%Y", "%d.%m.%Y"))
    return day.strftime(form)


def _amount(rng: random.Random, top: float = 900) -> str:
    sign = rng.choice(("$", "$", "RM ", "EUR ", "£", ""))
    return f"{sign}{rng.uniform(1, top):,.2f}"


def _number(rng: random.Random) -> str:
    return rng.choice(("INV-", "CS", "No. ", "", "R-")) + str(rng.randint(1_000, 999_999))


def _ask(rng: random.Random, key: str, answer: str | None) -> Question:
    return Question(_pick(rng, _ASKS[key]), (answer,) if answer else ())


def _shout(rng: random.Random, lines: list[str]) -> Callable[[str], str]:
    """Some documents are printed in capitals; answers then are too."""
    capitals = rng.random() < 0.3
    lines[:] = [line.upper() if capitals else line for line in lines]
    return lambda answer: answer.upper() if capitals else answer


def _receipt(rng: random.Random) -> Passage:
    company, address, day, number = _company(rng), _address(rng), _day(rng), _number(rng)
    total, tax = _amount(rng), _amount(rng, 40)
    has_tax, has_address = rng.random() < 0.6, rng.random() < 0.8
    lines = [company, *([address] if has_address else []), f"Tel: {rng.randint(10**7, 10**8)}"]
    lines += [rng.choice(("RECEIPT", "TAX INVOICE", "INVOICE", "CASH BILL"))]
    facts = [f"{rng.choice(('Date', 'DATE', 'Invoice date', 'Issued'))}: {day}"]
    facts += [f"{rng.choice(('Invoice No', 'Receipt #', 'Bill No', 'Doc No.'))}: {number}", f"Cashier: {_person(rng)}"]
    rng.shuffle(facts)
    lines += facts
    items = [(_pick(rng, _GOODS), rng.randint(1, 9), _amount(rng, 99)) for _ in range(rng.randint(1, 5))]
    lines += [f"{count} x {goods} {price}" for goods, count, price in items]
    lines += [f"{rng.choice(('Subtotal', 'Sub-total'))} {_amount(rng)}"] if rng.random() < 0.5 else []
    lines += [f"{rng.choice(('Tax', 'GST 6%', 'VAT', 'Sales tax'))} {tax}"] if has_tax else []
    lines += [f"{rng.choice(('Total', 'TOTAL DUE', 'Grand total', 'Amount due', 'Total (incl. tax)'))}: {total}"]
    lines += [f"Cash {_amount(rng)}", f"Change {_amount(rng, 20)}"] if rng.random() < 0.4 else []
    shout = _shout(rng, lines)
    answers = {"total": total, "date": day, "company": company, "number": number}
    answers |= {"address": address} if has_address else {}
    answers |= {"tax": tax} if has_tax else {}
    questions = [_ask(rng, key, shout(answer)) for key, answer in answers.items()]
    questions += [_ask(rng, key, None) for key in ("law", "notice", "tax", "address") if key not in answers]
    if len({goods for goods, _, _ in items}) == len(items):
        goods, _, price = rng.choice(items)
        questions.append(Question(f"What is the price of {goods}?", (shout(price),)))
    return Passage("form", "\n".join(lines), tuple(questions), f"receipt-{rng.randint(1, 900)}.png")


def _value(rng: random.Random, field: str) -> str:
    if "date" in field:
        return _day(rng)
    if field in ("Phone", "Fax"):
        return f"({rng.randint(200, 990)}) {rng.randint(200, 990)}-{rng.randint(1000, 9999)}"
    if field in ("Manager", "Requested by", "Approved by", "Sent to"):
        return _person(rng)
    if field in ("Quantity", "Pages", "Sample size"):
        return f"{rng.randint(1, 5000):,}"
    if field == "E-mail":
        return f"{_pick(rng, _FIRST, ' ').lower()}@{_pick(rng, _LAST, ' ').lower()}.com"
    if field == "Budget":
        return _amount(rng, 90_000)
    if field in ("Brand", "Division", "Department", "Region", "Subject", "Status", "Position"):
        return f"{_pick(rng, _HEAD, ' ')} {_pick(rng, _TAIL)}"
    return _number(rng)


def _form(rng: random.Random) -> Passage:
    fields = rng.sample(_FIELDS.split("|"), rng.randint(6, 13))
    shown, missing = fields[3:], fields[:3]
    values = {field: _value(rng, field) for field in shown}
    mark = rng.choice((": ", ":\n", " ", " - ", ": "))
    lines = [
        rng.choice(("REQUEST FORM", "FAX COVER SHEET", "PROJECT REPORT", "APPLICATION", "MEMORANDUM")),
        _company(rng),
    ]
    lines += [f"{field}{mark}{value}" for field, value in values.items()]
    shout = _shout(rng, lines)
    asks = ("What is the {}?", "What is written under {}?", "What does the form say for {}?", "{}?")
    questions = [Question(rng.choice(asks).format(f.lower()), (shout(v),)) for f, v in values.items()]
    questions += [Question(rng.choice(asks).format(f.lower()), ()) for f in missing]
    return Passage("form", "\n".join(lines), tuple(questions), f"form-{rng.randint(1, 900)}.pdf")


def _contract(rng: random.Random) -> Passage:
    first, second, day, law = _company(rng), _company(rng), _day(rng), _pick(rng, _LAW)
    term = rng.choice(("{} years", "{} months", "a period of {} years", "{} ({0}) years")[:3]).format(
        rng.randint(2, 36)
    )
    notice = f"{rng.choice((10, 14, 30, 45, 60, 90))} days"
    fee = _amount(rng, 90_000)
    role = rng.choice((("Disclosing Party", "Receiving Party"), ("Company", "Recipient"), ("Client", "Contractor")))
    head = f'This Agreement is entered into as of {day} by and between {first} (the "{role[0]}") and {second} '
    head += f'(the "{role[1]}").'
    clauses = {
        "term": f"Term. This Agreement shall remain in force for {term} from its date, unless terminated earlier.",
        "law": f"Governing Law. This Agreement shall be governed by and construed under the laws of {law}.",
        "notice": f"Termination. Either party may terminate this Agreement with {notice} prior written notice.",
        "fee": f"Payment. The {role[0]} shall pay the {role[1]} a fee of {fee} for the services.",
    }
    always = [
        f"Confidentiality. The {role[1]} shall keep all Confidential Information in strict confidence.",
        "Entire Agreement. This document supersedes all prior understandings between the parties.",
        "Assignment. Neither party may assign this Agreement without written consent of the other.",
    ]
    shown = rng.sample(sorted(clauses), rng.randint(2, 4))
    body = [clauses[key] for key in shown] + rng.sample(always, rng.randint(1, 3))
    rng.shuffle(body)
    lines = [rng.choice(("NON-DISCLOSURE AGREEMENT", "SERVICE AGREEMENT", "AGREEMENT")), head]
    lines += [f"{number}. {clause}" for number, clause in enumerate(body, 1)]
    lines += [f"Signed: {_person(rng)}, for {first}", f"Signed: {_person(rng)}, for {second}"]
    answers = {"effective": day, "term": term, "law": law, "notice": notice, "fee": fee}
    questions = [_ask(rng, key, answers[key] if key in {*shown, "effective"} else None) for key in answers]
    if role[0] == "Disclosing Party":
        questions += [_ask(rng, "party1", first), _ask(rng, "party2", second)]
    else:
        questions += [Question(f"Who is the {r}?", (who,)) for r, who in zip(role, (first, second), strict=True)]
    return Passage("form", "\n".join(lines), tuple(questions), f"contract-{rng.randint(1, 900)}.pdf")
