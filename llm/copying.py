"""An answer that stands nowhere in what was shown is written again, out of what stands there.

A small model spells from memory now and then: "eighteenth" for the eighth, "45 percent" for 95. Where its answer is not
in the text that it read, it decodes once more with every token barred that does not go on in that text. That answer is
taken, unless the model finds it far less likely than its own words, as it does where it counts or retells.
"""

import re
import threading
from collections.abc import Sequence

from llm.attempts import is_refusal
from llm.backbone import Backbone
from llm.generation import Generated, generate
from llm.runtime.working import WorkingKV
from llm.structured.constraint import CopyConstraint, vocabulary_of

_MOST_LOSS = 6.0  # nats by which copied words may be less likely than free ones (docs/LOG.md)


def copied(
    backbone: Backbone,
    kv: WorkingKV,
    prompt_ids: Sequence[int],
    free: Generated,
    shown: str,
    *,
    max_new_tokens: int,
    cancel: threading.Event | None = None,
) -> Generated:
    """What the model says after `prompt_ids` in words of `shown`; or `free`, what it said already, if that is better.

    The tokens are appended to `kv`. `free` was decoded greedily.
    """
    if free.stopped or not is_to_copy(free.text, shown):
        return free
    copy = Generated(thinking=free.thinking)
    constraint = CopyConstraint(shown, vocabulary_of(backbone), backbone.stop_ids)
    for _ in generate(
        backbone, kv, prompt_ids, copy, max_new_tokens=max_new_tokens, constraint=constraint, cancel=cancel
    ):
        pass
    return copy if not copy.stopped and is_copy_better(copy.text, copy.free_logprob, free.free_logprob) else free


def is_to_copy(answer: str, shown: str) -> bool:
    """Whether it is an answer whose words, of any case and spacing, do not stand in the text one behind the other."""
    if is_refusal(answer):
        return False
    words = " ".join(answer.split()).strip(" .,;:").casefold()
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", " ".join(shown.split()).casefold()) is None


def is_copy_better(copy: str, copy_logprob: float, free_logprob: float) -> bool:
    """Whether the copied words are an answer, and not far less likely than the free ones (natural log)."""
    return not is_refusal(copy) and copy_logprob >= free_logprob - _MOST_LOSS
