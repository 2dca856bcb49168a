"""An answer that stands nowhere in what was shown, and a refusal, is tried again out of what stands there.

A small model spells from memory now and then: "eighteenth" for the eighth, "45 percent" for 95. And it refuses where it
all but knows. In both cases it decodes once more with every token barred that does not go on in the text. That answer
is taken, unless the model finds it far less likely than its own words, as it does where it counts or retells. Beside a
refusal it is kept, if that is in doubt: whether there is an answer is for the evidence to say.
"""

import re
import threading

from llm.attempts import is_refusal
from llm.backbone import Backbone
from llm.generation import Generated, generate
from llm.runtime.working import WorkingKV
from llm.structured.constraint import CopyConstraint, vocabulary_of

# Nats by which copied words may be less likely than free ones, and than a refusal (docs/LOG.md).
_MOST_LOSS, _MOST_DOUBT = 6.0, 2.0


def copied(
    backbone: Backbone,
    kv: WorkingKV,
    last_token: int,
    free: Generated,
    shown: str,
    *,
    max_new_tokens: int,
    cancel: threading.Event | None = None,
) -> Generated:
    """What the model says in words of `shown`; or `free`, what it said already, if that is better or a refusal.

    Fills `free.doubted`. `kv` holds the prompt but for its last token; the tokens are appended to it. `free` was
    decoded greedily.
    """
    if free.stopped or not is_to_copy(free.text, shown):
        return free
    copy = Generated(thinking=free.thinking)
    refuses = is_refusal(free.text)
    constraint = CopyConstraint(shown, vocabulary_of(backbone), backbone.stop_ids, may_refuse=not refuses)
    for _ in generate(
        backbone, kv, [last_token], copy, max_new_tokens=max_new_tokens, constraint=constraint, cancel=cancel
    ):
        if copy.free_logprob < least_logprob(free.text, free.free_logprob):
            return free  # it only falls
    if copy.stopped or not is_better(copy.text, copy.free_logprob, free.text, free.free_logprob):
        return free
    if refuses:
        free.doubted = copy.text
    return free if refuses else copy


def is_to_copy(answer: str, shown: str) -> bool:
    """Whether it refuses, or its words, of any case and spacing, do not stand in the text one behind the other."""
    if is_refusal(answer):
        return True
    words = " ".join(answer.split()).strip(" .,;:").casefold()
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", " ".join(shown.split()).casefold()) is None


def is_better(copy: str, copy_logprob: float, free: str, free_logprob: float) -> bool:
    """Whether copied words are an answer, and not far less likely than the free ones (natural log of all of them)."""
    return not is_refusal(copy) and copy_logprob >= least_logprob(free, free_logprob)


def least_logprob(free: str, free_logprob: float) -> float:
    """How likely a copy must be at least to be taken."""
    return free_logprob - (_MOST_DOUBT if is_refusal(free) else _MOST_LOSS)
