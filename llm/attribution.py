"""Attribution: how much each token and patch of the passages around an answer's citations weighed in it.

Gradient x input of the answer's log-probability (arXiv:1312.6034, arXiv:1605.01713): to first order, what the answer
would lose if that token's embedding were zero. A mixture of embeddings that stands for a glyph counts as one patch.
The passages are put before the model alone, as in a close reading; what it read elsewhere has no part in this.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ingest.document import Document
from llm.answer import Answer
from llm.backbone import Backbone
from llm.close_reading import Excerpt
from llm.stream import doubts_of, page_label
from llm.tokens import Tokens, embedded

_AROUND_CHARS = 500  # of a page, before and behind a citation


@dataclass(frozen=True, slots=True)
class Influence:
    """Characters [start, end) of a page, and their share: absolutes sum to 1, and those below 0 spoke against it."""

    source: str  # the leaf document's name
    document: str  # its id
    page_index: int
    start: int
    end: int
    share: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def influences(backbone: Backbone, excerpts: Sequence[Excerpt], question: str, answer: str) -> tuple[Influence, ...]:
    """Of every token of the excerpts that stands for text, in order. Costs a pass forwards and one backwards."""
    prompt = backbone.prompt
    parts: list[Sequence[int]] = [prompt.prefix]
    places: list[tuple[int, Excerpt, int, int]] = []  # a token's index, and its characters of the page
    for excerpt in excerpts:
        tokens, chars = _encoded(backbone, excerpt)
        before = sum(map(len, parts))
        places += [(before + at, excerpt, start, end) for at, (start, end) in enumerate(chars) if end > start]
        parts.append(tokens)
    answer_ids = prompt.encode(answer.strip())
    weights = _weights(backbone, Tokens.joined([*parts, prompt.suffix(question), answer_ids]), len(answer_ids))
    total = sum(abs(weights[at]) for at, _, _, _ in places) or 1.0
    return tuple(
        Influence(one.leaf.name, one.leaf.id, one.page_index, start, end, weights[at] / total)
        for at, one, start, end in places
    )


def around_citations(answer: Answer, documents: Sequence[Document]) -> list[Excerpt]:
    """The passages that an answer's citations stand in, each stretch of a page once."""
    leaves = {leaf.id: (index, leaf) for index, leaf in enumerate(one for each in documents for one in each.leaves())}
    found: list[Excerpt] = []
    for citation in sorted(answer.citations, key=lambda one: (leaves[one.document][0], one.page_index, one.start)):
        index, leaf = leaves[citation.document]
        length = len(leaf.pages[citation.page_index].text)
        start, end = max(0, citation.start - _AROUND_CHARS), min(length, citation.end + _AROUND_CHARS)
        last = found[-1] if found else None
        if last is not None and (last.leaf.id, last.page_index) == (leaf.id, citation.page_index) and start < last.end:
            found[-1] = Excerpt(leaf, index, last.page_index, last.start, max(last.end, end))
        else:
            found.append(Excerpt(leaf, index, citation.page_index, start, end))
    return found


def _encoded(backbone: Backbone, excerpt: Excerpt) -> tuple[Tokens, list[tuple[int, int]]]:
    """The tokens of an excerpt behind its label, and of each its characters of the page; none for the label's."""
    page = excerpt.leaf.pages[excerpt.page_index]
    before = page_label(excerpt.leaf, page)
    shift = len(before) - excerpt.start
    doubts = doubts_of(page, excerpt.start, excerpt.end, shift=shift)
    tokens, chars = backbone.prompt.encode_seen(f"{before}{excerpt.text}\n\n", doubts)
    inside = [(max(start, len(before)) - shift, min(end - shift, excerpt.end)) for start, end in chars]
    return tokens, inside


def _weights(backbone: Backbone, tokens: Tokens, num_answer: int) -> list[float]:
    """Gradient x input of each token, for the log-probability of the last `num_answer` ones."""
    model: Any = backbone.model
    with torch.enable_grad():
        states = embedded(tokens, model.get_input_embeddings(), backbone.device).detach().requires_grad_()  # (S, D)
        logits = model(inputs_embeds=states[None], use_cache=False).logits[0, -num_answer - 1 : -1]  # (N, V)
        wanted = torch.tensor(list(tokens)[-num_answer:], device=backbone.device)
        gained = logits.float().log_softmax(-1).gather(1, wanted[:, None]).sum()
        (gradient,) = torch.autograd.grad(gained, states)
    weights: list[float] = (gradient.float() * states.detach().float()).sum(-1).tolist()
    return weights
