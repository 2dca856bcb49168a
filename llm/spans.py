"""Spans of a text as answers: how probable each is, and which of them agrees best with the others.

A model that writes word by word takes the likeliest next word, and so may miss the answer that is likeliest as a whole;
and of many likely answers that overlap, the likeliest alone need not be the best one. Both are decided here over the
spans that a text holds, each scored whole: minimum Bayes-risk decoding (Kumar and Byrne, 2004) with SQuAD's F1.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

# log-probabilities (V,) of the token that follows each prefix of some tokens, from the empty one on, as far as asked
Following = Callable[[Sequence[int]], Iterator[torch.Tensor]]

WITHIN = 4.0  # nats: spans less likely than the likeliest by more than that do not count
_MOST_STARTS = 24
_MOST_FOLLOWED = 6  # beginnings beyond their first token: 0.2 s each on one core, however few tokens follow
_MOST_WORDS, _MOST_CHARS = 40, 260
_WORD = re.compile(r"\S+")
_OPENING = "\"'([{“‘«"
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Span:
    """Some words of a text, one behind the other, and the natural log of their probability as the whole answer."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class _Draft:
    """The longest answer that begins at a word."""

    text: str
    token_ids: Sequence[int]
    ends: Sequence[int]  # of each token, in `text`


def likely_spans(
    text: str,
    tokenizer: PreTrainedTokenizerBase,
    following: Following,
    stop_ids: Sequence[int],
    *,
    least_logprob: float,
    max_tokens: int,
) -> list[Span]:
    """The spans of `text` within `WITHIN` of the likeliest, which comes first; none if even that is too unlikely.

    Line ends and runs of spaces count as one space, and a capital that begins a span may be small. `following` is
    asked no further than a span can still become likely enough, and for the likeliest beginnings alone.
    """
    drafts = _Drafts(" ".join(text.split()), tokenizer, next(following(())), max_tokens)
    found = _scored(drafts, following, list(stop_ids), least_logprob)
    best = max(found.values(), default=-math.inf)
    if least_logprob <= best < least_logprob + WITHIN:  # so less likely ones count as well
        found |= _scored(drafts, following, list(stop_ids), best - WITHIN)
    spans = [Span(said, logprob) for said, logprob in found.items() if logprob >= max(least_logprob, best) - WITHIN]
    return sorted(spans, key=lambda span: -span.logprob) if best >= least_logprob else []


def _scored(drafts: "_Drafts", following: Following, stops: list[int], least_logprob: float) -> dict[str, float]:
    """Log-probability of each span with at least that, or within `WITHIN` of the likeliest; and of some others."""
    found: dict[str, float] = {}
    for draft in drafts.likelier_than(least_logprob):
        logprob = 0.0
        for number, after in enumerate(following(draft.token_ids)):
            if number == 1 and not drafts.may_follow():
                return found
            end = draft.ends[number - 1] if number else 0
            if number and _ends_word(draft.text, end):
                said = draft.text[:end].strip()
                found[said] = max(found.get(said, -math.inf), logprob + float(after[stops].logsumexp(0)))
            if number == len(draft.token_ids):
                break
            logprob += float(after[draft.token_ids[number]])
            if logprob < max(least_logprob, max(found.values(), default=-math.inf) - WITHIN):
                break
    return found


def consensus(spans: Sequence[Span]) -> Span:
    """The span that shares most words with all of them, each counted as much as it is probable. There is at least one.

    Of equal ones the first.
    """
    weights = [math.exp(span.logprob) for span in spans]
    words = [normalised(span.text) for span in spans]
    agreement = [
        sum(weight * overlap(own, other) for weight, other in zip(weights, words, strict=True)) for own in words
    ]
    return spans[max(range(len(spans)), key=agreement.__getitem__)]


def normalised(text: str) -> list[str]:
    """The words that count (arXiv:1606.05250): lower case, no punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """F1 of two bags of words, 0 to 1; two empty ones are the same."""
    if not one or not other:
        return float(one == other)
    return 2 * sum((Counter(one) & Counter(other)).values()) / (len(one) + len(other))


class _Drafts:
    """What begins at each word of a text, as far as an answer may go on."""

    def __init__(self, text: str, tokenizer: PreTrainedTokenizerBase, first: torch.Tensor, max_tokens: int) -> None:
        """`first` (V,): log-probabilities of an answer's first token."""
        self._tokenizer, self._max_tokens = tokenizer, max_tokens
        self._num_followed = 0
        words = [match.span() for match in _WORD.finditer(text)]
        starts: list[tuple[float, str]] = []
        first_tokens: dict[str, int] = {}
        for number, (begin, end) in enumerate(words):
            start = end - len(text[begin:end].lstrip(_OPENING))
            cut = text[start : min(words[min(number + _MOST_WORDS, len(words)) - 1][1], start + _MOST_CHARS)]
            for said in dict.fromkeys((cut, cut[:1].lower() + cut[1:])):
                head = said[: end - start]
                if head and head not in first_tokens:
                    first_tokens[head] = tokenizer(head, add_special_tokens=False).input_ids[0]
                if head:
                    starts.append((float(first[first_tokens[head]]), said))
        self._starts = sorted(dict.fromkeys(starts), key=lambda start: -start[0])[:_MOST_STARTS]

    def may_follow(self) -> bool:
        """Whether one more beginning may be followed."""
        self._num_followed += 1
        return self._num_followed <= _MOST_FOLLOWED

    def likelier_than(self, logprob: float) -> Iterator[_Draft]:
        """Those whose first token is as likely as that at least; the likeliest first, none twice."""
        for first_logprob, said in self._starts:
            if first_logprob < logprob:
                return
            coded = self._tokenizer(said, add_special_tokens=False, return_offsets_mapping=True)
            ends = [end for _, end in coded.offset_mapping][: self._max_tokens]
            yield _Draft(said, coded.input_ids[: self._max_tokens], ends)


def _ends_word(text: str, end: int) -> bool:
    return end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
