"""Documents that the question sets lack, made by templates: receipts, invoices and forms; contracts beside them.

Names, dates, amounts and addresses are drawn at random. Every answer stands word for word in the document; a name or
an address perhaps over several lines, which are answered as one.
"""

import random
import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from llm.training.contracts import contract_passage
from llm.training.names import address_lines, company, person, some
from llm.training.sources import Passage, Question

_GOODS = (
    "Notebook A5|Green tea|Printer paper|USB cable|Chicken rice|Paint roller|LED lamp|Coffee beans|Ball pen|Bolt M8"
)
_FIELDS = (
    "Phone|Fax|E-mail|Department|Position|Account No|Case No|Brand|Quantity|Region|Division|Manager|Subject|Status|"
    "Reference|Budget|Sample size|Start date|Completion date|Requested by|Approved by|Sent to|Pages|Cost center"
)
_TOTALS = (
    "Total|TOTAL DUE|Grand total|Amount due|Total (incl. tax)|Total (RM)|Rounded total (RM)|Net total|Total amount|"
    "Total sales (inclusive of tax)|Total payable"
)
_FAREWELLS = "Thank you|Please come again!|***|Goods sold are not returnable|Have a nice day|This is a tax invoice"
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
    make = rng.choice((_receipt, _form, contract_passage))
    return make(rng)


def _day(rng: random.Random) -> str:
    day = date(1985, 1, 1) + timedelta(days=rng.randrange(14_000))
    form = rng.choice(("%d/%m/%Y", "%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%m/%d/%y", "%d-%m-%Y", "%d.%m.%Y", "%d-%b-%y"))
    return day.strftime(form)


def _amount(rng: random.Random, top: float = 900, *, signed: bool = True) -> str:
    sign = rng.choice(("$", "$", "RM ", "EUR ", "£", "")) if signed else ""
    return f"{sign}{rng.uniform(1, top):,.2f}"


def _number(rng: random.Random) -> str:
    return rng.choice(("INV-", "CS", "No. ", "", "R-")) + str(rng.randint(1_000, 999_999))


def _ask(rng: random.Random, key: str, answer: str | None) -> Question:
    return Question(some(rng, _ASKS[key]), (answer,) if answer else ())


def _shout(rng: random.Random, lines: list[str]) -> Callable[[str], str]:
    """Some documents are printed in capitals; answers then are too."""
    capitals = rng.random() < 0.3
    lines[:] = [line.upper() if capitals else line for line in lines]
    return lambda answer: answer.upper() if capitals else answer


def _receipt(rng: random.Random) -> Passage:
    issuer, place, day, number = company(rng), address_lines(rng), _day(rng), _number(rng)
    in_columns = rng.random() < 0.35  # the currency stands above the amounts, not beside them
    amount = partial(_amount, rng, signed=not in_columns)
    total, tax = amount(), amount(40)
    has_tax, has_address = rng.random() < 0.6, rng.random() < 0.8
    lines = [*_printed_name(rng, issuer), *(_printed_address(rng, place) if has_address else [])]
    lines += [f"{rng.choice(('Tel', 'TEL NO', 'Phone'))}: {rng.randint(10**7, 10**8)}"] if rng.random() < 0.8 else []
    lines += [rng.choice(("RECEIPT", "TAX INVOICE", "INVOICE", "CASH BILL"))]
    clock = f" {rng.randint(8, 22)}:{rng.randint(10, 59)}{rng.choice(('', ':07', ' PM'))}" if rng.random() < 0.4 else ""
    facts = [f"{rng.choice(('Date', 'DATE', 'Invoice date', 'Issued'))}: {day}{clock}"]
    facts += [f"{rng.choice(('Invoice No', 'Receipt #', 'Bill No', 'Doc No.'))}: {number}", f"Cashier: {person(rng)}"]
    rng.shuffle(facts)
    lines += facts
    lines += [*rng.sample(("Item", "Qty", "Price", "Amount"), rng.randint(2, 4)), "RM"] if in_columns else []
    items = [(some(rng, _GOODS), rng.randint(1, 9), amount(99)) for _ in range(rng.randint(1, 5))]
    lines += [f"{count} x {goods} {price}" for goods, count, price in items]
    lines += [f"{rng.choice(('Subtotal', 'Sub-total', 'Total excl. tax'))} {amount()}"] if rng.random() < 0.5 else []
    lines += [f"{rng.choice(('Tax', 'GST 6%', 'VAT', 'Sales tax'))} {tax}"] if has_tax else []
    lines += [f"{rng.choice(('Total qty', 'Total items'))}: {len(items)}"] if rng.random() < 0.2 else []
    lines += [f"Rounding adjustment: 0.0{rng.randint(0, 4)}"] if rng.random() < 0.3 else []
    lines += [f"{some(rng, _TOTALS)}: {total}"]
    lines += [f"Cash {amount()}", f"Change {amount(20)}"] if rng.random() < 0.4 else []
    lines += rng.sample(_FAREWELLS.split("|"), rng.randint(1, 3)) if rng.random() < 0.5 else []
    lines = _column_by_column(rng, lines) if rng.random() < 0.4 else lines
    shout = _shout(rng, lines)
    answers = {"total": total, "date": day, "company": issuer, "number": number}
    answers |= {"address": ", ".join(place)} if has_address else {}
    answers |= {"tax": tax} if has_tax else {}
    questions = [_ask(rng, key, shout(answer)) for key, answer in answers.items()]
    questions += [_ask(rng, key, None) for key in ("law", "notice", "tax", "address") if key not in answers]
    if len({goods for goods, _, _ in items}) == len(items):
        goods, _, price = rng.choice(items)
        questions.append(Question(f"What is the price of {goods}?", (shout(price),)))
    return Passage("form", "\n".join(lines), tuple(questions), f"receipt-{rng.randint(1, 900)}.png")


def _column_by_column(rng: random.Random, lines: list[str]) -> list[str]:
    """As recognition finds lines whose parts stand far apart: a name, and what it names below it."""
    parts: list[str] = []
    for line in lines:
        found = re.fullmatch(r"(.+:) (.+)|(.+?) ((?:RM |EUR )?\S*\d\.\d\d)", line)
        parts += [part for part in found.groups() if part] if found and rng.random() < 0.7 else [line]
    return parts


def _printed_name(rng: random.Random, name: str) -> list[str]:
    """On one line or two, perhaps with a number of registration behind or below it."""
    words = name.split()
    cut = rng.randint(1, len(words) - 1) if len(words) > 2 and rng.random() < 0.3 else len(words)
    lines = [" ".join(part) for part in (words[:cut], words[cut:]) if part]
    registered = f"({rng.randint(10_000, 999_999)}-{rng.choice('ADHKMPTUVWX')})"
    style = rng.random()
    if style < 0.2:
        lines.append(registered)
    elif style < 0.35:
        lines[-1] += f" {registered}"
    elif style < 0.45:
        lines.insert(0, person(rng).lower())  # whoever wrote on it
    return lines


def _printed_address(rng: random.Random, lines: list[str]) -> list[str]:
    """On as many lines as it has, or on fewer."""
    if rng.random() < 0.4:
        return [", ".join(lines)]
    return [line + ("," if rng.random() < 0.8 else "") for line in lines[:-1]] + lines[-1:]


def _value(rng: random.Random, field: str) -> str:
    if "date" in field:
        return _day(rng)
    if field in ("Phone", "Fax"):
        return f"({rng.randint(200, 990)}) {rng.randint(200, 990)}-{rng.randint(1000, 9999)}"
    if field in ("Manager", "Requested by", "Approved by", "Sent to"):
        return person(rng)
    if field in ("Quantity", "Pages", "Sample size"):
        return f"{rng.randint(1, 5000):,}"
    if field == "E-mail":
        return f"{person(rng).split()[0].lower()}@{person(rng).split()[-1].lower()}.com"
    if field == "Budget":
        return _amount(rng, 90_000)
    if field in ("Brand", "Division", "Department", "Region", "Subject", "Status", "Position"):
        return company(rng)
    return _number(rng)


def _form(rng: random.Random) -> Passage:
    fields = rng.sample(_FIELDS.split("|"), rng.randint(6, 13))
    shown, missing = fields[3:], fields[:3]
    values = {field: _value(rng, field) for field in shown}
    mark = rng.choice((": ", ":\n", " ", " - ", ": "))
    lines = [
        rng.choice(("REQUEST FORM", "FAX COVER SHEET", "PROJECT REPORT", "APPLICATION", "MEMORANDUM")),
        company(rng),
    ]
    lines += [f"{field}{mark}{value}" for field, value in values.items()]
    shout = _shout(rng, lines)
    asks = ("What is the {}?", "What is written under {}?", "What does the form say for {}?", "{}?")
    questions = [Question(rng.choice(asks).format(f.lower()), (shout(v),)) for f, v in values.items()]
    questions += [Question(rng.choice(asks).format(f.lower()), ()) for f in missing]
    return Passage("form", "\n".join(lines), tuple(questions), f"form-{rng.randint(1, 900)}.pdf")
