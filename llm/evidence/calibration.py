"""Whether the documents hold an answer: a probability from the ranked evidence and from what the model wrote.

Two logistic regressions: "evidence" over a dozen numbers of the ranking; "answer" over its log odds and what the model
wrote. The coefficients ship in `calibration.json`, made by `python -m llm.evidence.fit`; how well predicted and
observed shares agree is in docs/BENCHMARKS.md.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llm.evidence.lexical import YES_OR_NO, terms
from llm.evidence.locating import locate, normal_answer
from llm.evidence.ranking import Ranked

PATH = Path(__file__).with_name("calibration.json")

_NUMBER = re.compile(r"\d")
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\b1\d{{3}}\b|\b20\d\d\b|\d[/.-]\d|\b(?:{_MONTHS})[a-z]*\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:year|month|week|day|hour)s?\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|zero|an?|first|second|third|\w+th|no|none|nothing|never|once|twice|thrice|single|only|sole"
    r"|both|pair|couple|double|dual|triple|half|quarter|multi\w*|several|few|many|much|more|most|majority|less|fewer"
    r"|some|any|all|each|every|another|various|lots?|loads|tons|plenty|numerous|countless|infinite|unlimited"
    r"|(?:dozen|score|hundred|thousand|million|billion)s?)\b",
    re.IGNORECASE,
)
# Asked for by name, so that another kind of answer is none: 29 of 6,469 right answers in six question sets lack it.
_MUST_SAY = (
    (
        re.compile(
            r"\b(?:what|which)"
            r"(?: (?:is|was|are|were|will be)(?: the| its| their)?(?: [\w'’-]+){0,3}| [\w'’-]+)? dates?\b",
            re.IGNORECASE,
        ),
        re.compile(
            r"^\D*(?:1\d{3}|20\d\d)(?:\D+(?:1\d{3}|20\d\d))*\D*$|\d[/.-]\d|\b\d{1,2}(?:st|nd|rd|th)\b"
            r"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
        ),
    ),
    (
        re.compile(r"\b(?:in|of|since|by) (?:what|which) years?\b|^\W*(?:what|which) years?\b", re.IGNORECASE),
        re.compile(r"\d|\b(?:years?|decades?|century|centuries|last|this|next|recent)\b", re.IGNORECASE),
    ),
    (re.compile(r"^\W*how many\b", re.IGNORECASE), _QUANTITY),
    (
        re.compile(
            r"\b(?:what|which) (?:is|was|are|were)(?: (?:the|its|their|your|our|his|her|postal|mailing|street|business"
            r"|company|billing|shipping|delivery|registered|office|[\w-]+['’]s?)){0,3} address(?:es)?(?: of\b|\W*$)",
            re.IGNORECASE,
        ),
        re.compile(rf"(?!\b(?:{_MONTHS})[a-z]*\b)\b[^\W\d_]{{3,}}|0x|\d+\.\d+\.\d+\.\d|\w:\w+:", re.IGNORECASE),
    ),
)
_MAY_REPEAT = re.compile(  # a choice, yes or no, an amount: these may be answered in words of the question
    r"\b(?:or|whether|between|which of|how (?:many|much|old|often|long|far)|percent\w*)\b"
    rf"|^\W*{YES_OR_NO}",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z]\w+")
_ASKED = (
    (
        re.compile(r"\bhow (?:many|much|old|long|far|tall|big|large)\b|\bwhat (?:number|percent|amount|price)", re.I),
        _NUMBER,
    ),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|month|day|time)\b", re.I), _DATE),
    (re.compile(r"\bwho(?:m|se)?\b|\bwhere\b", re.I), _NAME),
)


@dataclass(frozen=True, slots=True)
class Regression:
    """Probability = 1 / (1 + exp(-(bias + sum of weight * number))). `threshold` has the best balanced accuracy."""

    bias: float
    weights: dict[str, float]
    threshold: float

    def log_odds(self, numbers: dict[str, float]) -> float:
        return self.bias + sum(weight * numbers[name] for name, weight in self.weights.items())

    def probability(self, numbers: dict[str, float]) -> float:
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, self.log_odds(numbers)))))


def probability_of_answer(
    question: str, ranked: Sequence[Ranked], answer: str | None = None, *, place: int = 0, is_doubted: bool = False
) -> float:
    """The probability that the documents hold an answer, judged also by the model's, if given; 0 without evidence.

    `place`: how many passages, read alone, had no answer before that one. `is_doubted`: it refuses, but words of the
    text are hardly less likely (`llm.weighing`).
    """
    if not ranked or (answer and _is_name_from_elsewhere(answer, ranked)):
        return 0.0
    evidence, numbers = shipped("evidence"), evidence_numbers(question, ranked)
    if answer is None:
        return evidence.probability(numbers)
    written = answer_numbers(question, ranked, answer, place, is_doubted=is_doubted)
    return shipped("answer").probability({"evidence": evidence.log_odds(numbers), **written})


def _is_name_from_elsewhere(answer: str, ranked: Sequence[Ranked]) -> bool:
    """Whether the answer is a name of two words or more, and none of them stands in the documents at all."""
    words = answer.strip(" .").split()
    if len(words) < 2 or not all(word[0].isupper() and word.isalpha() for word in words):
        return False
    documents = {item.document.id: item.document for item in ranked}  # most passages are of the same one
    pages = (page.text.lower() for document in documents.values() for page in document.pages)
    wanted = [word.lower() for word in words]
    return not any(word in text for text in pages for word in wanted)


def is_found(probability: float, *, with_answer: bool = True) -> bool:
    """Whether to say that an answer was found: at the threshold that was best on questions kept for choosing it."""
    return probability >= shipped("answer" if with_answer else "evidence").threshold


def is_of_another_kind(question: str, answer: str) -> bool:
    """Whether a date, a year, a number or an address is asked for and none is said: "two years" is no effective date.

    Nor is "1950 0598" a date: years count where no other number stands beside them.
    """
    return any(asked.search(question) and not says.search(answer) for asked, says in _MUST_SAY)


def only_repeats(question: str, answer: str, *, is_whole: bool = True) -> bool:
    """Whether the answer has no word of its own: "1.1" for "When was 1.1 out?". `is_whole`: no word is to follow.

    A name of code may be repeated: its value is told with it (llm/constants.py).
    """
    asked, said = normal_answer(question).split(), normal_answer(answer).split()
    if not said or "_" in answer or _MAY_REPEAT.search(question):
        return False
    *before, last = said
    return all(word in asked for word in before) and any(
        word == last or (not is_whole and word.startswith(last)) for word in asked
    )


@cache
def shipped(name: str) -> Regression:
    """The coefficients in `calibration.json`: "evidence", or "answer" for evidence with an answer."""
    return Regression(**json.loads(PATH.read_text(encoding="utf-8"))[name])


def evidence_numbers(question: str, ranked: Sequence[Ranked]) -> dict[str, float]:
    """What the ranking says. `ranked` is not empty; all numbers are of the order of one."""
    best, weights = ranked[0], ranked[0].term_weights
    cosines = sorted((item.cosine for item in ranked), reverse=True)
    rest = cosines[1:] or [0.0]
    words = set(terms(best.text))
    nearest = max(best.pieces, key=lambda piece: piece.cosine + piece.covered)
    page = best.document.pages[best.passage.page_index]
    return {
        "cosine": best.cosine,
        "cosine_gap": cosines[0] - sum(rest) / len(rest),
        "lexical": best.lexical,
        "terms_covered": sum(term in words for term in weights) / len(weights) if weights else 0.0,
        "pairs": best.pairs,
        "score_gap": best.score - ranked[1].score if len(ranked) > 1 else 0.0,
        "asked_kind": _kind_found(question, page.text[nearest.start : nearest.end]),
        "num_passages": math.log1p(best.num_passages) / 5,
        "num_terms": math.log1p(len(weights)) / 2,
    }


def answer_numbers(
    question: str, ranked: Sequence[Ranked], answer: str, place: int = 0, *, is_doubted: bool = False
) -> dict[str, float]:
    """What the model's answer adds; `place` and `is_doubted` as in `probability_of_answer`."""
    words = set(terms(answer))
    places = locate(answer, ranked)
    in_best = words & set(terms(ranked[0].text))
    return {
        "refused": float(normal_answer(answer).startswith("not found")),
        "located": float(bool(places)),
        "located_in_best": float(any(place.inside(ranked[0]) for place in places)),
        "words_in_best": len(in_best) / len(words) if words else 0.0,
        "words_of_question": len(words & set(ranked[0].term_weights)) / len(words) if words else 0.0,
        "answer_kind": _kind_found(question, answer),
        "place": place / 4,
        "doubted": float(is_doubted),
    }


def _kind_found(question: str, text: str) -> float:
    """1 where the question asks for a number, a date or a name and the text has one, -1 where it has none, else 0."""
    for asked, wanted in _ASKED:
        if asked.search(question):
            return 1.0 if wanted.search(text) else -1.0
    return 0.0
