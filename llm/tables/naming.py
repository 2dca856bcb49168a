"""Which amount of a statement a question names: the row by its words, the column by its period.

Reports call one thing by several names ("revenue", "net sales") and put half of a row's name into the titles above it
("Net sales by category" over "iPhone"), so both sides are compared by sense, and words of the titles count as said.
A question that asks for more than one amount as it stands, or for a period that no head names, is left to others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from llm.evidence.lexical import question_terms, terms
from llm.tables.statements import Statement

_VALUE_ASKED = re.compile(r"(?i)\s*(?:and )?(?:what|how much|how many|give|tell|state|find)\b")
_MORE_ASKED = re.compile(  # unless the row's own name has the word
    r"(?i)\b(?:\w+est|most|least|chang\w*|increas\w*|decreas\w*|differen\w*|gr[eo]w\w*|percent\w*|compar\w*|why|"
    r"averag\w*|mean|ratio|nine|six|twelve|margin of|than|each|per|sum|between|exceed\w*|both|respective\w*|across|"
    r"without|within|associated|combined|all|proportion|share of)\b"
)
_MEANING_ASKED = re.compile(
    r"(?i)\b(?:consist\w*|compos\w*|component\w*|reflect\w*|main|mainly|primarily|result\w* (?:from|in)|represent\w*|"
    r"compris\w*|includ\w*|factors?|reasons?|due to|caus\w*|defin\w*|refers?|related? to|types?|kinds?|categor\w*|"
    r"how many (?:years|items|quarters|periods|components))\b"
)
_ACRONYMS = {"r&d": "research and development", "sg&a": "selling general administrative", "eps": "earnings per share"}
_SENSES = {"sale": "revenu", "turnov": "revenu", "profit": "incom", "earn": "incom", "expens": "cost", "spend": "cost"}
_SENSES |= {"spent": "cost", "expenditur": "cost", "stockhold": "sharehold", "taxat": "tax"}
_LOOSE = frozenset({"total", "net", "overal"})  # need not be said, nor stand there
_EMPTY = frozenset(
    {"amount", "figur", "valu", "number", "compani", "fiscal", "year", "period", "end", "record", "report"}
)
_EMPTY |= {"sum", "came", "come", "generat", "made", "make", "reach"}
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_PART_OF_YEAR = re.compile(
    r"(?i)\b(?:first|second|third|fourth|last)\s+(?:fiscal )?(?:quarter|month|half|week)\b|\bQ[1-4]\b"
)
_NOTES = re.compile(r"\([^)]*\)?")
_LITTLE = 0.1  # what a loose word weighs that was said
_LIKE = 0.8  # F1 of the words of question and row


@dataclass(frozen=True, slots=True)
class Looked:
    """The amount of one row under one head."""

    statement: Statement
    row: int
    column: int
    like: float  # F1 of the words of the question and of the row's name

    @property
    def text(self) -> str:
        return re.sub(r"(?<=[$€£])\s+", "", self.statement.amounts[self.row][self.column].text)

    @property
    def how(self) -> str:
        """Where it stands, in words, with the unit that the page states."""
        head = self.statement.heads[self.column]
        parts = [f"“{self.statement.labels[self.row].text}”" + (f", {head}" if head else ""), self.statement.unit]
        return "; ".join(part for part in parts if part)


def asks_for_amount(question: str) -> bool:
    """Whether it may be a question that names one amount."""
    return bool(_VALUE_ASKED.match(question)) and not _MEANING_ASKED.search(question)


def look_up(question: str, statement: Statement) -> Looked | None:
    """The amount that a question names by its row; None where it asks for more, or names none clearly."""
    if not asks_for_amount(question):
        return None
    column = _column(question, statement.heads)
    said_by_heads = frozenset(term for head in statement.heads for term in _senses(head))
    asked = _asked(question) - said_by_heads - _part_of_year(question)
    best: tuple[float, int] | None = None
    for row, label in enumerate(statement.labels):
        like = _likeness(asked, label.text, statement.titles[row])
        if (
            like >= _LIKE
            and (best is None or like > best[0])
            and not _asks_for_more(question, f"{statement.titles[row]} {label.text}")
        ):
            best = (like, row)
    if best is None or column is None or _is_share(statement, best[1], column):
        return None
    return Looked(statement, best[1], column, best[0])


def _likeness(asked: frozenset[str], label: str, titles: str) -> float:
    """F1 of the words asked for and the row's, those that the titles say left out; 0 where a word is said nowhere."""
    return max(_in_common(asked, words, _senses(titles)) for words in {_senses(label), _senses(_NOTES.sub(" ", label))})


def _in_common(asked: frozenset[str], words: frozenset[str], said_above: frozenset[str]) -> float:
    shared = len(words & asked)
    if not shared or asked - words - said_above - _LOOSE:
        return 0.0
    lacking, unsaid = words - asked - _LOOSE, asked & _LOOSE - words
    return 2 * shared / (2 * shared + len(lacking) + _LITTLE * len(unsaid))


def _column(question: str, heads: Sequence[str]) -> int | None:
    """The head that most of the question's words stand in, the first of equals; None where its period has no head."""
    years = set(_YEAR.findall(question))
    if len(years) > 1 or (years and not any(year in head for head in heads for year in years)):
        return None
    asked, part = frozenset(question_terms(question)), _part_of_year(question)
    if part and not years and not any("month" in head.lower() or part.intersection(terms(head)) for head in heads):
        return None
    fits = [head if not years or years & set(_YEAR.findall(head)) else "" for head in heads]
    shared = [len(asked.intersection(terms(head))) for head in fits]
    return shared.index(max(shared))


def _part_of_year(question: str) -> frozenset[str]:
    return frozenset(term for found in _PART_OF_YEAR.findall(question) for term in terms(found))


def _asks_for_more(question: str, name: str) -> bool:
    said = name.lower()
    return any(found.lower() not in said for found in _MORE_ASKED.findall(question))


def _is_share(statement: Statement, row: int, column: int) -> bool:
    """Whether a number stands in a column of shares without saying so itself: only the first one says it."""
    first, own = statement.amounts[0][column].text, statement.amounts[row][column].text
    return "%" in first and not re.search(r"[%$€£]", own)


@lru_cache(maxsize=256)
def _asked(question: str) -> frozenset[str]:
    for short, long in _ACRONYMS.items():
        question = re.sub(rf"(?i)(?<!\w){re.escape(short)}(?!\w)", long, question)
    return frozenset(_SENSES.get(term, term) for term in question_terms(question)) - _EMPTY


@lru_cache(maxsize=20_000)
def _senses(text: str) -> frozenset[str]:
    return frozenset(_SENSES.get(term, term) for term in terms(text)) - _EMPTY
