"""Spans of a text as answers: how probable each is, and which of them agrees best with the others.

A model that writes word by word takes the likeliest next word, and so may miss the answer that is likeliest as a whole;
and of many likely answers that overlap, the likeliest alone need not be the best one. Both are decided here over the
spans that a text holds, each scored whole: minimum Bayes-risk decoding (Kumar and Byrne, 2004) with SQuAD's F1.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Scored:
    """Natural logs of probabilities along some tokens."""

    tokens: Sequence[float]  # of each token behind those before it
    ends: Sequence[float]  # that the answer ends behind each


Scorer = Callable[[Sequence[Sequence[int]]], Sequence[Scored]]  # of each of some token sequences, as an answer's first

WITHIN = 4.0  # nats: spans less likely than the likeliest by more than that do not count
_MOST_STARTS = 24  # words that an answer may begin with: 192 tokens of the first round
_ROUNDS = (
    8,
    24,
    64,
)  # tokens of a beginning that are scored at once; the next round has those that may still be likely
_MOST_FOLLOWED = 6  # beginnings beyond the first round: up to 384 tokens
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
    first: torch.Tensor,
    scorer: Scorer,
    *,
    least_logprob: float,
    max_tokens: int,
    may_answer: Callable[[str], bool] = bool,
) -> list[Span]:
    """The spans of `text` within `WITHIN` of the likeliest, which comes first; none if even that is too unlikely.

    Only those count that `may_answer`; without one, all.
    `first` (V,): log-probabilities of an answer's first token. Line ends and runs of spaces count as one space, and a
    capital that begins a span may be small. The likeliest beginnings alone are scored, and of these no more than can
    still become likely enough.
    """
    drafts = _drafts(" ".join(text.split()), tokenizer, first, least_logprob, max_tokens)
    found: dict[str, float] = {}
    best = -math.inf
    for num_tokens in _ROUNDS:
        if not drafts:
            break
        heads = [draft.token_ids[:num_tokens] for draft in drafts]
        reached: list[tuple[float, _Draft]] = []
        for draft, head, scored in zip(drafts, heads, scorer(heads), strict=True):
            logprob = 0.0
            for own, ends, end in zip(scored.tokens, scored.ends, draft.ends, strict=False):
                logprob += own
                if _ends_word(draft.text, end):
                    said = draft.text[:end].strip()
                    if may_answer(said):
                        found[said] = max(found.get(said, -math.inf), logprob + ends)
            if len(head) < len(draft.token_ids):
                reached.append((logprob, draft))
        best = max(found.values(), default=-math.inf)
        if all(logprob < least_logprob for logprob in (best, *(logprob for logprob, _ in reached))):
            return []
        reached.sort(key=lambda one: -one[0])
        drafts = [draft for logprob, draft in reached if logprob >= max(least_logprob, best) - WITHIN][:_MOST_FOLLOWED]
    spans = [Span(said, logprob) for said, logprob in found.items() if logprob >= best - WITHIN]
    return sorted(spans, key=lambda span: -span.logprob) if best >= least_logprob else []


def consensus(spans: Sequence[Span], scores: Sequence[float]) -> Span:
    """The span that shares most words with all of them, each counted by e to its score. There is at least one.

    Of equal ones the first. With log-probabilities for scores it is the span whose expected F1 is best.
    """
    weights = [math.exp(score) for score in scores]
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


def _drafts(
    text: str, tokenizer: PreTrainedTokenizerBase, first: torch.Tensor, least_logprob: float, max_tokens: int
) -> list[_Draft]:
    """What begins at the likeliest words, as far as an answer may go on; nothing if even these are too unlikely.

    None is less likely at its start than what may still count beside the likeliest.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    starts: dict[str, float] = {}
    first_tokens: dict[str, int] = {}
    for number, (begin, end) in enumerate(words):
        start = end - len(text[begin:end].lstrip(_OPENING))
        cut = text[start : min(words[min(number + _MOST_WORDS, len(words)) - 1][1], start + _MOST_CHARS)]
        for said in (cut, cut[:1].lower() + cut[1:]):
            head = said[: end - start]
            if head and head not in first_tokens:
                first_tokens[head] = tokenizer(head, add_special_tokens=False).input_ids[0]
            if head:
                starts[said] = float(first[first_tokens[head]])
    likeliest = sorted(starts, key=lambda said: -starts[said])[:_MOST_STARTS]
    drafts: list[_Draft] = []
    if not likeliest or starts[likeliest[0]] < least_logprob:
        return drafts
    for said in likeliest:
        if starts[said] >= least_logprob - WITHIN:
            coded = tokenizer(said, add_special_tokens=False, return_offsets_mapping=True)
            drafts.append(_Draft(said, coded.input_ids[:max_tokens], [end for _, end in coded.offset_mapping]))
    return drafts


def _ends_word(text: str, end: int) -> bool:
    return end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
