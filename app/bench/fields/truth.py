"""What is measured in extraction: contracts and receipts, the truth about four fields of each, and what is right.

A value of text is right where it names the truth: its words in a row, whatever case and punctuation (which may part
words or not), and not much else for an address. Dates, durations and totals are right only when equal. Several true
values: any of them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import BadRequest
from app.extraction import BadValue, Field, FieldKind, load_schema, value_of

CONTRACT_FIELDS = """
jurisdiction # Which state's law governs this agreement?
effective_date date? # What is the effective date of this agreement?
party # Who are the parties to this agreement?
term duration? # How long do the obligations of confidentiality last?
"""
RECEIPT_FIELDS = """
company # What is the name of the company?
date date # What is the date of the receipt?
address # What is the address of the company?
total number # What is the total?
"""
_ADDRESS_F1 = 0.8


@dataclass(frozen=True, slots=True)
class Case:
    """One file and the true values of its fields; a field without a value does not stand in it."""

    path: Path
    truth: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Task:
    """Files of one kind and the fields that are asked of each."""

    name: str
    fields: Sequence[Field]
    cases: Sequence[Case]


def tasks(data: Path, num_contracts: int, num_receipts: int) -> list[Task]:
    """Raises BadRequest where the folder does not hold them."""
    documents = data / "documents"
    for folder in ("contracts", "receipts"):
        if not (documents / folder).is_dir():
            raise BadRequest(f"{documents} has no folder {folder}; give the folder with documents/contracts as --data")
    contracts = Task(
        "contract", load_schema(CONTRACT_FIELDS), list(_contracts(documents / "contracts"))[:num_contracts]
    )
    receipts = Task("receipt", load_schema(RECEIPT_FIELDS), list(_receipts(documents / "receipts"))[:num_receipts])
    return [task for task in (contracts, receipts) if task.cases]


def is_right(value: object, field: Field, truth: Sequence[str]) -> bool:
    """Whether that is one of the true values."""
    if value is None:
        return False
    if field.kind not in (FieldKind.TEXT, FieldKind.NAME, FieldKind.ADDRESS):
        return value in [_normal(true, field) for true in truth]
    return any(_names(str(value), true, field, mark) for true in truth for mark in ("", " "))


def _names(said: str, true: str, field: Field, mark: str) -> bool:
    said, true = plain(said, mark), plain(true, mark)
    if field.name == "address":
        return _f1(said.split(), true.split()) >= _ADDRESS_F1
    return f" {true} " in f" {said} "


def plain(text: str, mark: str = "") -> str:
    """Lower case, one blank between words, `mark` for each punctuation mark, "and" for an ampersand."""
    return " ".join(re.sub(r"[^\w\s]", mark, text.lower().replace("&", " and ")).split())


def _normal(true: str, field: Field) -> object:
    try:
        return value_of(true, field)
    except BadValue:
        return true


def _f1(said: Sequence[str], true: Sequence[str]) -> float:
    common = sum(min(said.count(word), true.count(word)) for word in set(said))
    return 2 * common / (len(said) + len(true)) if common else 0.0


def _contracts(folder: Path) -> Iterator[Case]:
    for line in (folder / "expected.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield Case(folder / row["file"], row["expected"])


def _receipts(folder: Path) -> Iterator[Case]:
    for key in sorted(folder.glob("*.key.json")):
        truth = json.loads(key.read_text("utf-8"))
        (image,) = (path for path in folder.glob(key.name.split(".")[0] + ".*") if path.suffix in (".jpg", ".png"))
        yield Case(image, {name: [value] for name, value in truth.items() if value})
