"""Decoding: one token at a time, streamed as text, until the model stops, the limit is reached or a person stops it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from tokenizers.decoders import DecodeStream

from llm.backbone import Backbone
from llm.drafting import written_greedily
from llm.runtime.through_transformers import TransformersRunner
from llm.runtime.working import WorkingKV
from llm.structured.constraint import Constraint
from llm.thinking import ThinkingSplitter, Thought

_ENDING_TOKENS = 400  # beyond the limit, for what a form still demands


@dataclass(slots=True)
class Generated:
    """What decoding has produced so far; complete when the iterator ends."""

    text: str = ""
    thinking: str = ""  # before the text, of a reasoning model
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)  # natural log, of each token among those that were allowed
    stopped: bool = False  # by `cancel`
    doubted: str = ""  # words of the document that are hardly less likely than this refusal (`llm.weighing`)
    recognised: str = ""  # what recognition says where these words, or those doubted, were read in pixels

    @property
    def as_recognised(self) -> str:
        """The words by which to look an answer up in its documents: those doubted, of a refusal that has such."""
        return self.recognised or self.doubted or self.text

    @property
    def logprob(self) -> float:
        """Of all that was chosen, its end included."""
        return sum(self.logprobs)

    @property
    def mean_logprob(self) -> float:
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else 0.0


def generate(
    backbone: Backbone,
    kv: WorkingKV,
    prompt_ids: Sequence[int],
    into: Generated,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    stop_text: str | None = None,
    constraint: Constraint | None = None,
    opens_thinking: bool | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Thought | str]:
    """Yields pieces of thinking and text; fills `into`. The tokens are appended to `kv`: give a fork to use it again.

    Temperature 0 takes the likeliest token; otherwise the same seed gives the same text. `stop_text` ends the text and
    is no part of it. `constraint` bars tokens; what it demands is brought to its end beyond the limit, too.
    `opens_thinking`: the tokens end within the model's thinking; None: if the house's prompt does.
    """
    sampler = torch.Generator(device="cpu").manual_seed(seed)
    stream = DecodeStream(skip_special_tokens=True)
    splitter = ThinkingSplitter(is_open=backbone.prompt.opens_thinking if opens_thinking is None else opens_thinking)
    next_ids: Sequence[int] = prompt_ids
    step = _stepper(backbone, kv, prompt_ids, is_greedy=temperature == 0 and constraint is None)
    for number in range(max_new_tokens + (_ENDING_TOKENS if constraint is not None else 0)):
        if cancel and cancel.is_set():
            into.stopped = True
            break
        logits = step(next_ids)
        if constraint is not None:
            logits = constraint.masked(logits) if number < max_new_tokens else constraint.ending(logits)
        token = choose_token(logits, temperature, sampler)
        into.logprobs.append(float(logits.log_softmax(-1)[token]))
        if token in backbone.stop_ids:
            break
        into.token_ids.append(token)
        for piece in splitter.take(stream.step(backbone.tokenizer.backend_tokenizer, token) or ""):
            _add(piece, into)
            if stop_text and stop_text in into.text:
                into.text = into.text.partition(stop_text)[0]
                return
            yield piece
        next_ids = [token]
        if constraint is not None:
            constraint.take(token)
            if constraint.is_over:
                break
    for piece in splitter.end():
        _add(piece, into)
        yield piece


def _stepper(
    backbone: Backbone, kv: WorkingKV, prompt_ids: Sequence[int], *, is_greedy: bool
) -> Callable[[Sequence[int]], torch.Tensor]:
    """The tokens chosen last -> logits (V,) of the next; by guesses where the model makes them and they fit."""
    runner = backbone.runner
    if backbone.drafter is not None and is_greedy and kv.shows_all and isinstance(runner, TransformersRunner):
        written = written_greedily(runner, backbone.drafter, kv, prompt_ids)
        return lambda _: next(written)
    return lambda token_ids: runner.forward(token_ids, kv)


def _add(piece: Thought | str, into: Generated) -> None:
    if isinstance(piece, Thought):
        into.thinking += piece.text
    else:
        into.text += piece


def choose_token(logits: torch.Tensor, temperature: float, sampler: torch.Generator) -> int:
    """logits (V,) float32 -> a token id."""
    if temperature == 0:
        return int(logits.argmax())
    weights = (logits / temperature).softmax(-1).cpu()
    return int(torch.multinomial(weights, 1, generator=sampler))
