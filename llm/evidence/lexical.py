"""Words as the lexical side of the ranking sees them, and which words of a question carry it.

Owns `terms`: lower case, accents folded, English stems (Snowball), numbers without thousands separators, identifiers
whole and in parts ("max_file_bytes", "max", "file", "bytes"), and pairs of characters where a script puts no spaces
between words. Documents and questions pass through the same function, so both sides match.
"""

import re
import unicodedata
from functools import lru_cache

import Stemmer  # type: ignore[import-not-found]

_WORD = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|[^\W_]+(?:_+[^\W_]+)*(?:['’][^\W\d_]+)?")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_STOPWORD_LINES = """
    a about am an and any are as at be been being by can could did do does for from had has have he her his how i if in
    into is it its many me might much my of on or our please shall she should so some such than that the their them
    then there these they this those to us was we were what when where which who whom whose why will with would you
    your
"""
# A pattern of the words that a question begins with which yes or no may answer.
YES_OR_NO = r"(?:is|are|am|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)\b"
_STOPWORDS = frozenset(_STOPWORD_LINES.split())
_stem = lru_cache(maxsize=200_000)(Stemmer.Stemmer("english").stemWord)


def terms(text: str) -> list[str]:
    """The terms of a text in order, repeated as they occur; stop words are left out."""
    return [term for word in _WORD.findall(text) for term in _terms_of(word)]


def question_terms(question: str) -> list[str]:
    """The terms of a question, each once. A question of nothing but stop words keeps them all."""
    question = question.lower() if question.isupper() else question
    return list(dict.fromkeys(terms(question) or [_stem(word.lower()) for word in _WORD.findall(question)]))


@lru_cache(maxsize=200_000)
def _terms_of(word: str) -> tuple[str, ...]:
    plain = _folded(re.sub(r"['’]s?$", "", word))
    if plain[:1].isdigit():
        return (plain.replace(",", ""),)
    if _SPACELESS.fullmatch(plain):
        return tuple(plain[at : at + 2] for at in range(max(1, len(plain) - 1)))
    if plain.lower() in _STOPWORDS and not (plain.isupper() and len(plain) > 1):  # "US" and "IT" are names
        return ()
    parts = _PART.findall(plain) if plain.isalnum() or "_" in plain else []
    whole = _stem(plain.lower())
    if len(parts) < 2:
        return (whole,)
    return (whole, *(_stem(part.lower()) for part in parts if part.lower() not in _STOPWORDS))


def _folded(word: str) -> str:
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", "".join(mark for mark in decomposed if not unicodedata.combining(mark)))
