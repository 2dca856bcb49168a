"""What an agreement says of itself: which law governs it, when it was made, how long it lasts, how it may be ended.

Found by what words mean together: a sentence whose subject is the agreement, its term or the duties under it, a verb,
and a time, a place or a notice. Where sentences say different things none is taken, for then nobody can tell without
reading all of it. English only.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ingest.document import Document
from llm.named.candidates import plain
from llm.named.patterns import DATE, DURATION
from llm.named.wording import ITSELF, KIND, Provision, Sentence, sentences_of

_PREAMBLE_PAGES = 3  # a cover and a list of contents may come before
_LONGEST = 260  # characters of an answer
_LONGEST_SENTENCE = 600
_NEAR = 60  # from "for" or "until" to the time itself
_DATE, _DURATION = re.compile(DATE), re.compile(DURATION)

_IS_ABOUT_IT = re.compile(rf"(?i)\b{KIND}\b|\bterms\b|\bhereof\b|\bhereunder\b")
_NOT_IN_NAME = (
    r"(?!(?i:without|with|as|applicable|exclu\w+|regardless|except|in|to|for|which|that|its|other|and|but)\b)"
)
_PLACE = (
    r"(?P<place>(?:(?i:the)\s)?(?:(?i:state|commonwealth|province|republic|kingdom|district|territory)\s(?i:of\s(?:the\s)?))?"
    rf"{_NOT_IN_NAME}[A-Z][\w’'-]*+(?:\s(?:of\s)?{_NOT_IN_NAME}[A-Z][\w’'-]*+){{0,3}}+)(?!\s(?i:and)\s[A-Z])"
)
_GOVERNED = r"\b(?i:governed|construed|interpreted|enforced)\b.{0,200}?"
_LAWS = (
    re.compile(rf"{_GOVERNED}\b(?P<said>(?i:(?:the\s)?laws?\s(?:of|in))\s{_PLACE})"),
    re.compile(rf"{_GOVERNED}\b(?i:by|under|with)\s(?P<said>{_PLACE}\s(?i:laws?))\b"),
)
_NO_PLACE = frozenset({"the", "state", "commonwealth", "province", "of", "federal", "such", "applicable"})

_THIS = re.compile(rf"(?i)\b(?:this|following is an)\s(?:[^\s;]+\s){{0,14}}?{KIND}\b")
_MADE = re.compile(
    r"(?i)\b(?:made|entered into|dated|executed|effective|concluded|signed)\b"
    r"(?:\s|,|\b(?:and|as|of|on|this|the|effective|entered|into|by|is|dated|made)\b)*"
)
_ANOTHER = re.compile(rf"(?i)\b(?:whereas|pursuant|that certain|{KIND})\b")  # agreement is named from here on
_ASIDE = re.compile(r"\([^()]*\)|[“\"][^“”\"]*[”\"]")
_HEAD = re.compile(r"(?i)\b(?:for|until|on|upon|after|from|through|within)\b")

_TERM = rf"\bthe\s(?:initial\s)?(?:term|duration)(?:\s(?:hereof\b|of\s{ITSELF}))?"
_DUTIES = r"\b(?:obligations?|dut(?:y|ies)|restrictions?|covenants?|undertakings?|provisions|confidentiality)\b"
_NO_CASE = r"(?:(?!\b(?:if|which|who|that|whether|unless|not)\b)[^;])"
_LASTS = (
    r"\b(?:(?:terminat|expir|end|laps|continu|remain|surviv|last|ceas)e?s?|(?:be|is)\s(?:valid|effective|binding|for|terminated)|"
    r"(?:force|in effect))\b"
)
_WHEN = r"(?P<said>\b(?:for|until|on|upon|after|at|from|through|within|(?=\w+ (?:\(\d+\) )?years?|\d))\b[^;]{2,})"
_OF_TERM = re.compile(rf"(?i){_TERM}{_NO_CASE}{{0,40}}?\b(?:is|shall be|will be)\s(?P<said>[^;]{{2,}})")
_OF_ITSELF, _OF_DUTIES = (
    re.compile(rf"(?i)(?:{subject}){_NO_CASE}{{0,70}}?{_LASTS}{_NO_CASE}{{0,110}}?{_WHEN}")
    for subject in (f"{_TERM}|{ITSELF}", _DUTIES)
)
_MOMENT = re.compile(r"(?i)\b(?:earlier|later) of\b|\banniversary\b|^until\b")
_SECRET = re.compile(r"(?i)\bconfiden\w*|\b(?:non-?)?disclos\w*|\bsecre\w*|\bthis agreement\b")
_OF_A_PART = re.compile(  # or only of the time after the end
    r"(?i)\bthis (?:clause|section|paragraph|article)\b|"
    rf"\b(?:after|following|beyond)\b[^,;]*\b(?:{ITSELF} ends|terminat|expir)"
)

_SPAN = rf"(?P<said>(?i:(?:at least|not less than) )?{DURATION})"
_NOTICE = (
    re.compile(rf"{_SPAN}[’']?s?[’']?(?i:(?: (?!after|of|from|following)\w+){{0,3}}? notice)\b"),
    re.compile(rf"(?i:\bnotice (?:\w+ ){{0,4}}?){_SPAN}(?i: (?:prior|before|in advance|advance))"),
)
_END = r"(?:terminate|terminated|cancel|canceled|cancelled|rescind|rescinded|end|ended)"
_ENDING = re.compile(r"(?i)\b(?:terminat|cancel|resign|withdraw)\w*|\bend(?:s|ed|ing)?\b")
_WHO = r"(?:(?i:either|any|each|both|neither|no|the|a) (?:(?!either|any|each|both)[\w’'-]+ ){1,3}|[A-Z][\w’'-]* )"
_MAY = r"(?:may|can|has the right to|is entitled to)"
_MAY_BE_ENDED = (
    re.compile(rf"(?i:{ITSELF} (?:may|can) (?:also |only )?be {_END}\b.*)"),
    re.compile(rf"\b{_WHO}(?i:{_MAY} (?:[\w,]+ ){{0,3}}?{_END} {ITSELF}.*)"),
)
_CUTS = (
    r";\s",
    r",\s(?:provided|unless|except|whichever|in which|and (?:shall|will|the|this)|at which)\b",
    r"\s\((?:the\s)?[“\"]",
)


def governing_law(leaf: Document) -> Provision | None:
    """The law that governs: "the laws of the State of Oregon"."""
    found = [
        (_bare(match["place"]), Provision(match["said"].rstrip(".,"), (sentence,)))
        for sentence in sentences_of(leaf)
        if _IS_ABOUT_IT.search(sentence.text)
        for pattern in _LAWS
        if (match := pattern.search(sentence.text)) and _bare(match["place"])
    ]
    return _agreed(found)


def made_on(leaf: Document) -> Provision | None:
    """The date that an agreement's first sentence gives it."""
    for sentence in sentences_of(leaf, _PREAMBLE_PAGES):
        itself = _THIS.search(sentence.text)
        if itself is None:
            continue
        another = _ANOTHER.search(_ASIDE.sub(_blank, sentence.text), itself.end())
        for made in _MADE.finditer(sentence.text, itself.end(), another.start() if another else len(sentence.text)):
            if found := _DATE.match(sentence.text, made.end()):
                return Provision(found[0], (sentence.since(itself.start()),))
    return None


def lasting(leaf: Document) -> Provision | None:
    """How long the agreement lasts; where it says nothing of itself, the sentence on the duties under it."""
    sentences = list(sentences_of(leaf))
    of_duties = [found for found in _secret(sentences) if not _OF_A_PART.search(found[1].said_in[0].text)]
    return _agreed(_times(sentences, _OF_ITSELF)) or _in_full(_agreed(of_duties))


def lasting_secrecy(leaf: Document) -> Provision | None:
    """How long the duty of secrecy lasts; where nothing is said of it, the sentence on the agreement."""
    sentences = list(sentences_of(leaf))
    return _agreed(_secret(sentences)) or _in_full(_agreed(_times(sentences, _OF_ITSELF)))


def notice_period(leaf: Document) -> Provision | None:
    """How long before its end notice has to be given."""
    found = [
        (_length(match["said"]), Provision(match["said"], (sentence,)))
        for sentence in sentences_of(leaf)
        if _ENDING.search(sentence.text)
        for pattern in _NOTICE
        if (match := pattern.search(sentence.text))
    ]
    return _agreed(found)


def ways_to_end(leaf: Document) -> Provision | None:
    """Who may end the agreement, and how."""
    found = [
        (match[0], Provision(_cut(match[0]), (sentence,)))
        for sentence in sentences_of(leaf)
        for pattern in _MAY_BE_ENDED
        if (match := pattern.search(sentence.text))
    ]
    return found[0][1] if found else None


def _times(sentences: Iterable[Sentence], pattern: re.Pattern[str]) -> Iterator[tuple[str, Provision]]:
    for sentence in sentences:
        match = (pattern is _OF_ITSELF and _OF_TERM.search(sentence.text)) or pattern.search(sentence.text)
        if not match:
            continue
        said = _cut(match["said"])
        time = _DURATION.search(said) or _DATE.search(said) or _MOMENT.search(said)
        if time is not None and time.start() < _LONGEST:
            heads = [head.start() for head in _HEAD.finditer(said, 0, time.start())]
            is_far = time.start() > _NEAR and not _MOMENT.search(said, 0, time.start())
            said = said[heads[-1] :] if is_far and heads else said
            yield _length(time[0]) if _DURATION.fullmatch(time[0]) else said, Provision(said, (sentence,))


def _secret(sentences: Iterable[Sentence]) -> Iterator[tuple[str, Provision]]:
    return (found for found in _times(sentences, _OF_DUTIES) if _SECRET.search(found[1].said_in[0].text))


def _agreed(found: Iterable[tuple[str, Provision]]) -> Provision | None:
    """The first of those that say the same; None if two say different things."""
    by_sense: dict[str, Provision] = {}
    for sense, provision in found:
        by_sense.setdefault(sense, provision)
    return next(iter(by_sense.values())) if len(by_sense) == 1 else None


def _in_full(provision: Provision | None) -> Provision | None:
    """With all of its sentence, which says what it is about: something near to what was asked for."""
    if provision is None or len(provision.said_in[0].text) > _LONGEST_SENTENCE:
        return None
    return replace(provision, text=provision.said_in[0].text)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _bare(place: str) -> str:
    return " ".join(word for word in plain(place) if word not in _NO_PLACE)


def _length(duration: str) -> str:
    """Thirty (30) days and 30 days as one."""
    words = plain(duration)
    numbers = [word for word in words if word.isdigit()] or list(words[:1])
    return f"{numbers[-1]} {words[-1].rstrip('s')}"


def _cut(text: str) -> str:
    """Up to where something else begins."""
    for cut in _CUTS:
        text = re.split(f"(?i){cut}", text, maxsplit=1)[0]
    if len(text) > _LONGEST:
        text = (
            text[: text.rfind(", ", 0, _LONGEST)] if ", " in text[:_LONGEST] else text[: text.rfind(" ", 0, _LONGEST)]
        )
    return text.rstrip(" .,")
