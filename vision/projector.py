"""The projector: from what each glyph of a line may be to patch tokens in the backbone's embedding space.

The likeliest sequence of tokens under p(glyphs)^sharpness * p(tokens)^prior gives the line's reading (Viterbi over the
lattice of all tokens that the glyphs may spell). Where tokens begin and end is what the backbone's own tokenizer makes
of that reading, so a line without doubts becomes the tokens of its text. Each token over a doubtful glyph becomes the
mixture of all tokens that its glyphs may spell, weighted by the same score: an embedding between theirs.

p(tokens) is learned from text, and the prior from lines whose text is known (`llm.training.patches`).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.document import Doubt
from vision.vocabulary import Glyph, Vocabulary

_MOST_TOKENS = 4  # of a mixture
_LEAST_WEIGHT = 0.02
_UNKNOWN = -25.0  # of a glyph that no token spells
_CONTEXT = 24  # glyphs before a line's first doubtful one that its reading is judged by


@dataclass(frozen=True, slots=True)
class Mixture:
    """A patch token: tokens of the vocabulary, likeliest first, and their weights, which sum to 1."""

    token_ids: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as its pixels read best, character for character as long as the text that was given."""

    text: str
    _glyphs: Mapping[int, Glyph] = field(default_factory=dict)  # of the doubtful characters
    _projector: "Projector | None" = None  # none is needed where nothing is doubtful
    _recognised: str = ""  # what was given

    @property
    def is_doubtful(self) -> bool:
        """Whether some of it may be read otherwise."""
        return bool(self._glyphs)

    def as_recognised(self, words: str) -> str:
        """What was given where these words stand, in one line; "" where they do not, or nothing is doubtful."""
        if not self._glyphs or not words.split():
            return ""
        found = re.search(r"\s+".join(map(re.escape, words.split())), self.text, re.IGNORECASE)
        return " ".join(self._recognised[found.start() : found.end()].split()) if found else ""

    def mixture(self, start: int, end: int, token_id: int) -> Mixture | None:
        """Of a token over characters [start, end); None where nothing else than the token is worth a weight."""
        if self._projector is None or not any(at in self._glyphs for at in range(start, end)):
            return None
        glyphs = [self._glyphs.get(at) or {self.text[at]: 0.0} for at in range(start, end)]
        return self._projector.mixture(glyphs, token_id)


@dataclass(frozen=True, slots=True)
class Projector:
    """What turns glyphs into patch tokens of one backbone."""

    vocabulary: Vocabulary
    sharpness: float  # exponent of the glyphs' probabilities: 1 takes recognition at its word
    prior: float  # exponent of the tokens' probabilities: 0 takes no account of words

    def identity(self) -> str:
        """Names everything that its tokens depend on."""
        return f"{self.vocabulary.digest} {self.sharpness} {self.prior}"

    def seen(self, text: str, doubts: Sequence[Doubt]) -> Seen:
        """The text as its pixels read best. `doubts` count in it, from the first to the last."""
        glyphs = {doubt.at: self._glyph(doubt) for doubt in doubts}
        characters = list(text)
        for start, end in _regions(text, sorted(glyphs)):
            lattice = [glyphs.get(at) or {text[at]: 0.0} for at in range(start, end)]
            characters[start:end] = self._likeliest(lattice)
        return Seen("".join(characters), glyphs, self, text)

    def mixture(self, glyphs: Sequence[Glyph], token_id: int) -> Mixture | None:
        """See `Seen.mixture`; `glyphs` are those of the token."""
        scores = {
            found: score + self.prior * self.vocabulary.log_probability(found)
            for end, found, score in self.vocabulary.tokens_at(glyphs, 0)
            if end == len(glyphs)
        }
        if token_id not in scores:
            return None  # a part of a character: there is nothing to weigh it against
        best = max(scores.values())
        weights = {found: math.exp(score - best) for found, score in scores.items()}
        likeliest = sorted(weights, key=lambda found: -weights[found])[:_MOST_TOKENS]
        total = sum(weights[found] for found in likeliest)
        kept = [found for found in likeliest if weights[found] >= _LEAST_WEIGHT * total]
        if kept == [token_id]:
            return None
        total = sum(weights[found] for found in kept)
        return Mixture(tuple(kept), tuple(round(weights[found] / total, 4) for found in kept))

    def _glyph(self, doubt: Doubt) -> Glyph:
        logs = {character: self.sharpness * math.log(probability) for character, probability in doubt.readings}
        total = math.log(sum(math.exp(value) for value in logs.values()))
        return {character: value - total for character, value in logs.items()}

    def _likeliest(self, glyphs: Sequence[Glyph]) -> list[str]:
        """One character a glyph."""
        best = [0.0] + [-math.inf] * len(glyphs)
        back = [(0, "")] * (len(glyphs) + 1)  # where the token that ends here starts, and its text
        for start in range(len(glyphs)):
            for end, text, gain in self._steps(glyphs, start):
                if best[start] + gain > best[end]:
                    best[end], back[end] = best[start] + gain, (start, text)
        read: list[str] = []
        at = len(glyphs)
        while at:
            at, text = back[at]
            read[:0] = text
        return read

    def _steps(self, glyphs: Sequence[Glyph], start: int) -> Iterator[tuple[int, str, float]]:
        """What may come next: where it ends, its characters, and what it adds to the score."""
        alone = max(glyphs[start], key=lambda character: glyphs[start][character])
        yield start + 1, alone, glyphs[start][alone] + self.prior * _UNKNOWN
        for end, token_id, score in self.vocabulary.tokens_at(glyphs, start):
            yield end, self.vocabulary.text(token_id), score + self.prior * self.vocabulary.log_probability(token_id)


def _regions(text: str, doubtful: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Of every line with doubtful characters: from some words before the first of them to the line's end."""
    last = 0
    for at in doubtful:
        if at < last:
            continue
        line_start, line_end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        line_end = len(text) if line_end < 0 else line_end
        word = text.rfind(" ", line_start, max(line_start, at - _CONTEXT))
        yield (line_start if word < 0 else word), line_end
        last = line_end
