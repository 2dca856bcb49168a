"""Names of organisations and people: where they stand, whole, and what the document calls them from there on.

A name is a run of words with capitals. It is surely one where it has a legal form ("… Sdn Bhd"), where a defined term
follows it ("… (the “Company”)"), or where an agreement is between it and another. Lines of their own at the head of the
first page, as on letterheads and receipts, come next. Anything else with capitals may be a name, or a heading.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.document import Document
from llm.named.addresses import is_address_line
from llm.named.candidates import Candidate, Strength, lines, plain
from llm.named.vocabulary import (
    ABBREVIATED,
    INSIDE,
    NO_NAME,
    PLACES,
    THINGS,
    is_common_form,
    is_legal_form,
)  # fmt: skip

_OPEN, _CLOSE, _QUOTES = "(（[", ")）]", "“”\"‘’'"
_DEFINED = re.compile(r"[^()]{0,150}?[(]([^()]{2,160})[)]")
_HEREINAFTER = re.compile(r"[^()“”\".;]{0,100}?\bherein(?:after)?\b[^()“”\".;]{0,60}[“\"]([^“”\"]{2,40})[”\"]")
_TERM = re.compile(r"(\bthe\s+)?[“\"]\s*([^“”\"]{2,40}?),?\s*[”\"]", re.I)
_BETWEEN = re.compile(r"\b(?:between|among)\b[\s:]*", re.I)
_AND = re.compile(r"[,;]?\s+and\s+", re.I)
_ASIDE = re.compile(r"\([^()]*\)|, an? [^,;.()]{3,60}")  # (“Acme”), a Georgia corporation
_HEAD_LINES = 6
_NO_HEAD = re.compile(
    r"[:@#]|\d{4}|\b(?:tel|fax|gst|vat|tax|invoice|receipt|bill|date|no|welcome|exhibit|agreement|contract|page|copy|www|ex)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    text: str
    breaks: str  # what stands before it: blanks and line ends

    @property
    def has_capital(self) -> bool:
        core = self.text.lstrip(_OPEN)
        return core[:1].isupper() and core.strip(".,;:").lower() not in NO_NAME

    @property
    def tells(self) -> bool:
        """Whether it tells that a name of an organisation ends with it, or may."""
        return is_legal_form(self.text) or is_common_form(self.text)


def names(leaf: Document, pages: Iterable[int] | None = None) -> list[Candidate]:
    """In the order of the document. `pages`: only on these, by index, as a thousand take seconds."""
    looked_at = range(len(leaf.pages)) if pages is None else pages
    found = [candidate for page_index in looked_at for candidate in _on_page(leaf, page_index)]
    terms = {alias for one in found for alias in one.aliases}
    single = [one for one in found if not _joins_terms(one, terms)]
    return _with_heads(single, list(_heads(leaf)))


def _joins_terms(candidate: Candidate, terms: set[str]) -> bool:
    """Two that were named before: "PSC and Company"."""
    first, _, second = " ".join(candidate.words).partition(" and ")
    return bool(second) and (first in terms or second in terms)


def _with_heads(found: list[Candidate], heads: list[Candidate]) -> list[Candidate]:
    """A line of the head stands for what was found in it, unless a sure name ends before the line does."""
    for head in heads:
        inside = [one for one in found if one.page_index == 0 and head.start < one.end and one.start < head.end]
        sure = [one for one in inside if one.strength is Strength.SURE]
        if any(one.end != head.end for one in sure):
            continue
        aliases = tuple(alias for one in sure for alias in one.aliases)
        strength = Strength.SURE if sure else Strength.HEAD
        is_party = any(one.is_party for one in inside)
        whole = replace(head, strength=strength, aliases=aliases, is_party=is_party)
        found = [one for one in found if one not in inside] + [whole]
    return sorted(found, key=lambda one: (one.page_index, one.start))


def _heads(leaf: Document) -> Iterator[Candidate]:
    """Lines above the address on the first page that could be a name."""
    if not leaf.pages:
        return
    text = leaf.pages[0].text
    for start, end in [(start, end) for start, end in lines(text) if start < end][:_HEAD_LINES]:
        line = text[start:end]
        if is_address_line(line):
            return
        words = re.findall(r"[^\W\d_]+", line)
        capitals = sum(word[0].isupper() for word in words)
        if (
            0 < len(words) <= 8
            and capitals >= 0.6 * len(words)
            and sum(map(len, words)) > 3
            and not _NO_HEAD.search(line)
        ):
            yield Candidate(leaf, 0, start, end, Strength.HEAD)


def _on_page(leaf: Document, page_index: int) -> Iterator[Candidate]:
    text = leaf.pages[page_index].text
    tokens = _tokens(text)
    runs = [Candidate(leaf, page_index, start, end, strength) for start, end, strength in _runs(text, tokens)]
    runs = _between(text, runs)
    for run, following in pairwise([*runs, None]):
        assert run is not None, "only the last has no following"
        terms = _terms(text, run, following)
        if terms:
            yield replace(run, strength=Strength.SURE, aliases=tuple(" ".join(plain(term)) for term in terms))
        elif run.strength or len([word for word in run.words if word != "the"]) > 1:
            yield run


def _tokens(text: str) -> list[_Token]:
    found, end = [], 0
    for match in re.finditer(r"\S+", text):
        found.append(_Token(match.start(), match.end(), match[0], text[end : match.start()]))
        end = match.end()
    return found


def _runs(text: str, tokens: Sequence[_Token]) -> Iterator[tuple[int, int, Strength]]:
    first = 0
    while first < len(tokens):
        if not tokens[first].has_capital or tokens[first].text[0] in _OPEN:
            first += 1
            continue
        last = first
        while (following := _next(tokens, first, last)) is not None:
            last = following
        run = tokens[first : last + 1]
        before = tokens[first - 1] if first else None
        if before is None or before.text.lower() not in ("a", "an"):  # "an Ohio Corporation" says what it is
            start = before.start if before is not None and _is_its_article(before) else run[0].start
            yield start, _end_of(text, run), Strength.SURE if _is_sure(run) else Strength.LOOSE
        first = last + 1


def _is_sure(run: Sequence[_Token]) -> bool:
    if len(run) == 1:
        return len(plain(run[0].text)) > 2 and is_legal_form(run[0].text)
    words = [token.text.lower() for token in run]
    is_kind_of_thing = words[-2] in INSIDE and words[-2] != "&"  # "Confidentiality of Associates"
    is_called_so = any(is_common_form(token.text) and after.text == "of" for token, after in pairwise(run[1:]))
    is_legal = any(is_legal_form(token.text) for token in run[1:])
    return is_legal or is_called_so or (run[-1].tells and not is_kind_of_thing)


def _is_its_article(token: _Token) -> bool:
    """ "The" with a capital in the middle of a sentence is part of the name."""
    return token.text == "The" and token.breaks == " "


def _end_of(text: str, run: Sequence[_Token]) -> int:
    """Without the punctuation of the sentence, and without a bracket that was opened before the name."""
    start, end = run[0].start, run[-1].end
    while end > start:
        last, whole = text[end - 1], text[start:end]
        is_open = last in _CLOSE and sum(map(whole.count, _OPEN)) < sum(map(whole.count, _CLOSE))
        is_stop = last == "." and not _is_abbreviated(run[-1].text[: end - run[-1].start])
        if not (is_open or is_stop or last in ",;:" + _QUOTES):
            break
        end -= 1
    return end


def _next(tokens: Sequence[_Token], first: int, last: int) -> int | None:
    """The token that continues a run, or the one behind a small word that does; None: the run is over."""
    if last + 1 >= len(tokens):
        return None
    now, following = tokens[last], tokens[last + 1]
    begins_line = first == 0 or "\n" in tokens[first].breaks
    if following.breaks.count("\n") > 1 or ("\n" in following.breaks and begins_line):
        return None
    if now.text[-1] in ",":
        return last + 1 if is_legal_form(following.text) else None
    is_opened = any(sign in token.text for token in tokens[first : last + 1] for sign in _OPEN)
    if now.text[-1] in ";:!?" + _QUOTES + ("" if is_opened else _CLOSE) or (
        now.text[-1] == "." and not _is_abbreviated(now.text)
    ):
        return None
    tells_soon = any(is_legal_form(token.text) for token in tokens[last + 1 : last + 3])
    if is_legal_form(now.text) and now.text[-1] not in _CLOSE and not tells_soon:
        return None
    if following.text[0] in _OPEN:
        tells_soon = any(is_legal_form(token.text) for token in tokens[last + 1 : last + 5])
        return last + 1 if following.has_capital and tells_soon else None
    if following.has_capital:
        return last + 1
    return _over_small_word(tokens, first, last)


def _over_small_word(tokens: Sequence[_Token], first: int, last: int) -> int | None:
    """Bank OF America, Marks & Spencer, Heidrick AND Struggles, Inc."""
    small, behind = tokens[last + 1], tokens[last + 2 : last + 4]
    if not behind or not behind[0].has_capital or "\n" in behind[0].breaks + small.breaks:
        return None
    if small.text.lower() in INSIDE:
        return last + 2
    is_one_name = any(token.tells for token in behind) and not any(token.tells for token in tokens[first : last + 1])
    is_listed = first > 0 and tokens[first - 1].text.lower().strip("(,:") in ("between", "among", "and")
    return last + 2 if small.text.lower() == "and" and is_one_name and not is_listed else None


def _is_abbreviated(text: str) -> bool:
    core = text.rstrip(".").lstrip(_OPEN)
    return len(core) == 1 or "." in core or core.lower() in ABBREVIATED or is_legal_form(text)


def _between(text: str, runs: list[Candidate]) -> list[Candidate]:
    """The runs, those surely names that an agreement is between."""
    begins = {match.end() for match in _BETWEEN.finditer(text)}
    marked: list[Candidate] = []
    first_end = None  # of the first party of the sentence at hand
    for run in runs:
        is_party = run.start in begins
        if is_party:
            first_end = run.end
        elif first_end is not None and _AND.fullmatch(_ASIDE.sub("", text[first_end : run.start])):
            is_party = True
        is_sure = is_party and len(run.words) > 1
        strength = Strength.SURE if is_sure else run.strength
        marked.append(replace(run, strength=strength, is_party=is_party))
    return marked


def _terms(text: str, run: Candidate, following: Candidate | None) -> list[str]:
    """The defined terms behind a name: ("Company"), (together, the "Company"), hereinafter called "Buyer"."""
    behind = text[run.end : run.end + 400]
    found = _DEFINED.match(behind) or _HEREINAFTER.match(behind)
    if found is None:
        return []
    gap = behind[: found.start(1)]
    if run.strength is Strength.LOOSE and (len(run.words) < 2 or len(gap.strip()) > 2):
        return []
    if following is not None and following.strength and following.start < run.end + found.start(1):
        return []  # the term is that of the name in between
    if re.search(r"[.;]\s+[A-Z]", gap):
        return []
    terms = [(bool(the), term) for the, term in _TERM.findall(found[0])] or [(False, found[1])] * ("“" in found[0])
    terms = [each for each in terms if not {*plain(each[1])[-1:]} & (THINGS | NO_NAME)]
    return [term for has_article, term in terms if not _names_a_thing(run, term, has_article)]


def _names_a_thing(run: Candidate, term: str, has_article: bool) -> bool:
    """The Transition Services Annex (the “Annex”), the State of Ohio ("Ohio"): no organisation, no person."""
    if run.strength is Strength.SURE:
        return False
    is_place = run.words[0] in PLACES
    return is_place or run.words[-1] in (*THINGS, "party") or (has_article and run.words[-1:] == plain(term)[-1:])
