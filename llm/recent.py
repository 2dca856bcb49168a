"""Recent readings: the KV of a short document's passages, in memory, so that the next question waits less.

A passage is read behind the prompt's beginning and without any other, so that its KV is the same whatever is asked of
it; the question goes through in a pass of its own then. Whether a passage was kept changes no answer, to the bit: all
passes are the same. Of long documents nothing is kept, since most questions are about other passages than those before,
and a pass more costs a fifth of reading one (docs/LOG.md).
"""

from collections import OrderedDict
from collections.abc import Sequence

from llm.backbone import Backbone
from llm.runtime.working import WorkingKV
from llm.tokens import Placed, Tokens

MOST_TOKENS = 4_096  # of documents whose passages are kept
_BUDGET_BYTES = 100 << 20  # all passages of so many tokens, of the packaged model

_Key = tuple[tuple[int, ...], tuple[Placed, ...]]


class RecentReadings:
    """What one desk has read closely. Bounded in bytes; what was used longest ago goes first. One caller at a time."""

    def __init__(self, backbone: Backbone, budget_bytes: int = _BUDGET_BYTES) -> None:
        self._backbone, self._budget_bytes = backbone, budget_bytes
        self._kept: OrderedDict[_Key, WorkingKV] = OrderedDict()

    def read(self, token_ids: Sequence[int]) -> tuple[WorkingKV, int]:
        """A working set behind the prompt's beginning and these tokens, to append to; how many were read for it now."""
        tokens = Tokens.joined((self._backbone.prompt.prefix, token_ids))
        key = tuple(tokens), tokens.mixtures
        if kept := self._kept.get(key):
            self._kept.move_to_end(key)
            return kept.fork(), 0
        kv = self._backbone.empty_kv()
        self._backbone.runner.forward(tokens, kv)
        if not tokens.runs and kv.num_bytes <= self._budget_bytes:
            self._kept[key] = kv.compacted()
            while sum(each.num_bytes for each in self._kept.values()) > self._budget_bytes:
                self._kept.popitem(last=False)
        return kv, len(tokens)

    def clear(self) -> None:
        """Keeps nothing."""
        self._kept.clear()
