"""The tokens of a backbone as a trie of their characters, each with how probable it is in text.

Tokens that are parts of a character, special or that hold a line end are left out: no glyph shows them.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Glyph = Mapping[str, float]  # what one glyph may be, with the logarithm of its probability
_END = ""  # key of a node's token; no character is empty
_Node = dict[str, Any]  # a node by character, and the id of the token that ends here by _END


class Vocabulary:
    """Immutable once made."""

    def __init__(self, tokens: Mapping[int, str], log_probability: NDArray[np.floating[Any]]) -> None:
        """`tokens`: text by id; `log_probability` (V,): natural, of each token in text."""
        self._log_probability: list[float] = log_probability.astype(np.float64).tolist()
        self._tokens = tokens
        self.digest = hashlib.sha256(repr(sorted(tokens.items())).encode() + log_probability.tobytes()).hexdigest()
        self._root: _Node = {}
        for token_id, text in tokens.items():
            if text and text.isprintable() and "\ufffd" not in text:
                node = self._root
                for character in text:
                    node = node.setdefault(character, {})
                node[_END] = token_id

    def text(self, token_id: int) -> str:
        return self._tokens[token_id]

    def log_probability(self, token_id: int) -> float:
        return self._log_probability[token_id]

    def log_probabilities(self) -> NDArray[np.float64]:
        """Of all tokens (V,)."""
        return np.array(self._log_probability)

    def tokens_at(self, glyphs: Sequence[Glyph], start: int) -> Iterator[tuple[int, int, float]]:
        """Every token that the glyphs from `start` on may be: its end, its id, its glyphs' logarithms summed."""
        open_nodes: list[tuple[_Node, int, float]] = [(self._root, start, 0.0)]
        while open_nodes:
            node, at, score = open_nodes.pop()
            if _END in node:
                yield at, node[_END], score
            if at < len(glyphs):
                for character, log_probability in glyphs[at].items():
                    below = node.get(character)
                    if below is not None:
                        open_nodes.append((below, at + 1, score + log_probability))
