"""An answer that is in doubt is weighed against everything that the text it was shown could answer (`llm.spans`).

A small model spells from memory now and then: "eighteenth" for the eighth, "45 percent" for 95; and what it copies from
doubtful pixels, in another way than they read best. It begins an answer that it cannot end well, takes one of several
that it finds as likely, and refuses where it all but knows. So an answer that stands nowhere in the text, one that is
less likely than not, and a refusal are compared with the text's own words. What these say best is the answer, unless it
is far less likely than what was written, as it is where the model counts or retells; what is no date is none where a
date is asked for. Beside a refusal it is kept: whether there is an answer is for the evidence to say.
"""

import difflib
import math
import re
import threading
from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

from llm.attempts import is_refusal
from llm.backbone import Backbone
from llm.evidence.calibration import is_of_another_kind
from llm.generation import Generated
from llm.reranking import Fitness
from llm.runtime.runner import Carrier
from llm.runtime.working import WorkingKV
from llm.spans import WITHIN, Scored, Scorer, Span, consensus, likely_spans
from vision import Seen

# Nats by which words of the text may be less likely than those that stand nowhere in it, and than a refusal
# (docs/LOG.md).
_MOST_LOSS, _MOST_DOUBT = 6.0, 3.0
_LIKENESS = 0.8  # of an answer to words that may be read otherwise
_SURE = math.log(0.5)  # nothing else can be as likely


def weighed(
    backbone: Backbone,
    kv: WorkingKV,
    last_token: int,
    free: Generated,
    question: str,
    seen: Seen,
    *,
    max_new_tokens: int,
    cancel: threading.Event | None = None,
) -> Generated:
    """What the model says best in words that it saw; or `free`, what it said already, if that is better or a refusal.

    Fills `free.doubted`. `kv` holds the prompt but for its last token, which is appended to it. `free` was decoded
    greedily. The runner is a Carrier.
    """
    if free.stopped:
        return free
    free = _as_it_stands(free, seen)
    if not _is_settled(free, question, seen.text):
        tokenizer = backbone.tokenizer
        first, scorer = _scorer(backbone, kv, last_token)
        best = _best_span(
            free.text, free.logprob, question, seen.text, tokenizer, first, scorer, max_new_tokens=max_new_tokens
        )
        if best is not None and not (cancel and cancel.is_set()):
            free = _taken(best, free, tokenizer)
    free.recognised = seen.as_recognised(free.doubted or free.text)
    return free


def _taken(best: Span, free: Generated, tokenizer: PreTrainedTokenizerBase) -> Generated:
    """Instead of `free`, or beside it where that is a refusal."""
    if is_refusal(free.text):
        free.doubted = best.text
        return free
    token_ids: list[int] = tokenizer(best.text, add_special_tokens=False).input_ids
    return Generated(text=best.text, thinking=free.thinking, token_ids=token_ids, logprobs=[best.logprob])


def _is_settled(free: Generated, question: str, shown: str) -> bool:
    """Whether it is an answer, and nothing in the text can be a better one."""
    if is_refusal(free.text) or is_of_another_kind(question, free.text):
        return False
    return free.logprob > _SURE and stands_in(free.text, shown)


def _as_it_stands(free: Generated, seen: Seen) -> Generated:
    """In the text's own spelling, if it differs in signs and spaces alone; over doubtful pixels, in few letters."""
    if is_refusal(free.text) or stands_in(free.text, seen.text):
        return free
    near = nearest(free.text, seen.text, _LIKENESS if seen.is_doubtful else 1.0)
    if near is None:
        return free
    return Generated(text=near, thinking=free.thinking, token_ids=free.token_ids, logprobs=free.logprobs)


def nearest(answer: str, text: str, least_likeness: float) -> str | None:
    """The words of a text, one behind the other, whose letters and digits are most like the answer's.

    None: not even `least_likeness`, 0 to 1, as `difflib` counts it.
    """
    wanted = _squashed(answer)
    words = text.split()
    squashed = [_squashed(word) for word in words]
    matcher = difflib.SequenceMatcher(None, b=wanted, autojunk=False)
    floor, best = least_likeness, ""
    for start in range(len(words) if wanted else 0):
        joined = ""
        for end in range(start, len(words)):
            joined += squashed[end]
            matcher.set_seq1(joined)
            if matcher.real_quick_ratio() >= floor and matcher.quick_ratio() >= floor:
                likeness = matcher.ratio()
                if likeness > floor or (likeness == floor and not best):
                    floor, best = likeness, " ".join(words[start : end + 1]).strip(" .,;:")
            if len(joined) > len(wanted):
                break
    return best or None


def _squashed(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def stands_in(answer: str, shown: str) -> bool:
    """Whether it is an answer whose words, of any case and spacing, stand in the text one behind the other."""
    words = " ".join(answer.split()).strip(" .,;:").casefold()
    found = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", " ".join(shown.split()).casefold())
    return found is not None and not is_refusal(answer)


def _best_span(
    free: str,
    free_logprob: float,
    question: str,
    shown: str,
    tokenizer: PreTrainedTokenizerBase,
    first: torch.Tensor,
    scorer: Scorer,
    *,
    max_new_tokens: int,
) -> Span | None:
    """What a text answers in its own words, `free` among them if it stands there.

    None: nothing that is as good as `free`, or that itself.
    """
    is_there = stands_in(free, shown) and not is_of_another_kind(question, free)
    most_loss = WITHIN if is_there else _MOST_DOUBT if is_refusal(free) else _MOST_LOSS
    spans = likely_spans(
        shown,
        tokenizer,
        first,
        scorer,
        least_logprob=free_logprob - most_loss,
        max_tokens=max_new_tokens,
        may_answer=lambda said: not is_of_another_kind(question, said),
    )
    if is_there and all(span.text.casefold() != free.casefold() for span in spans):
        spans = sorted([*spans, Span(free, free_logprob)], key=lambda span: -span.logprob)
    if not spans:
        return None
    fitness = Fitness(question, " ".join(shown.split()))
    best = consensus(spans, [span.logprob + fitness.of(span.text) for span in spans])
    return None if best.text == free else best


def _scorer(backbone: Backbone, kv: WorkingKV, last_token: int) -> tuple[torch.Tensor, Scorer]:
    """Log-probabilities (V,) of what comes first behind the prompt, and what scores answers behind it."""
    runner, stop_ids = backbone.runner, sorted(backbone.stop_ids)
    assert isinstance(runner, Carrier), "the packaged model's runners tell the logits of every token"
    first = runner.forward([last_token], kv).log_softmax(-1)

    def scorer(sequences: Sequence[Sequence[int]]) -> list[Scored]:
        scored = []
        for token_ids, logits in zip(sequences, runner.carry_apart(sequences, kv), strict=True):
            whole = logits.logsumexp(-1)  # (S,)
            next_ids = torch.tensor(token_ids[1:], dtype=torch.int64, device=logits.device)[:, None]  # (S - 1, 1)
            own = logits[:-1].gather(1, next_ids)[:, 0] - whole[:-1]
            ends = logits[:, stop_ids].logsumexp(-1) - whole
            scored.append(Scored([float(first[token_ids[0]]), *own.tolist()], ends.tolist()))
        return scored

    return first, scorer
