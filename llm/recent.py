"""Recent readings: the KV of passages that questions were put to, in memory, so that the next question waits less.

A passage is read behind the prompt's beginning and without any other, so that its KV is the same whatever is asked of
it. Whether it was kept changes no answer: it is read in the same passes.
"""

from collections import OrderedDict
from collections.abc import Sequence

from llm.backbone import Backbone
from llm.runtime.working import WorkingKV
from llm.tokens import Placed, Tokens

_BUDGET_BYTES = 64 << 20  # about fourteen passages of the packaged model

_Key = tuple[tuple[int, ...], tuple[Placed, ...]]


class RecentReadings:
    """What one desk has read closely. Bounded in bytes; what was used longest ago goes first. One caller at a time."""

    def __init__(self, backbone: Backbone, budget_bytes: int = _BUDGET_BYTES) -> None:
        self._backbone, self._budget_bytes = backbone, budget_bytes
        self._beginning: WorkingKV | None = None  # behind what the prompt puts before every passage
        self._kept: OrderedDict[_Key, WorkingKV] = OrderedDict()

    def read(self, token_ids: Sequence[int]) -> tuple[WorkingKV, int]:
        """A working set behind these tokens of a document, to append to, and how many were read for it now."""
        tokens = Tokens.joined([token_ids])
        key = tuple(tokens), tokens.mixtures
        if kept := self._kept.get(key):
            self._kept.move_to_end(key)
            return kept.fork(), 0
        kv, num_begun = self._begun()
        self._backbone.runner.forward(tokens, kv)
        if not tokens.runs and kv.num_bytes <= self._budget_bytes:
            self._kept[key] = kv.compacted()
            while sum(each.num_bytes for each in self._kept.values()) > self._budget_bytes:
                self._kept.popitem(last=False)
        return kv, num_begun + len(tokens)

    def clear(self) -> None:
        """Keeps nothing of any document."""
        self._kept.clear()

    def _begun(self) -> tuple[WorkingKV, int]:
        """A working set behind the prompt's beginning, and how many tokens were read for it now."""
        if self._beginning is not None:
            return self._beginning.fork(), 0
        kv, prefix = self._backbone.empty_kv(), self._backbone.prompt.prefix
        self._backbone.runner.forward(prefix, kv)
        self._beginning = kv.compacted()
        return kv, len(prefix)
