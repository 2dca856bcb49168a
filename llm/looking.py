"""Looking: a question put to the stored KV, before it is answered, to see which passages its attention goes to.

A session votes in blocks of snapshots; people, ranking and citations know characters of pages. Stream i of a session
is its snapshot i, behind the prompt's first tokens.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llm.answer import Look
from llm.backbone import Backbone
from llm.evidence.ranking import Ranked
from llm.runtime.heads import retrieving_heads
from llm.runtime.opened import OpenSnapshots
from llm.runtime.selection import Selection
from llm.runtime.session import SessionKV
from llm.stream import TextRange, TokenStream

_MAX_LOOKS = 64
_WEIGHT_VOTE = 2.0  # of a passage's share of the retrieving heads' attention, beside its score (docs/LOG.md)

_Shares = Mapping[int, tuple[float, tuple[int, ...]]]  # of each block, and the layers that chose it


@dataclass(frozen=True, slots=True)
class Looked:
    """A question that was carried over the stored KV, but for its last token."""

    turn: SessionKV
    last_token: int
    num_new: int
    looks: tuple[Look, ...]  # most looked at first
    ranked: list[Ranked]  # as given, and the retrieving heads' votes counted in


def look(
    backbone: Backbone, session: SessionKV, streams: Sequence[TokenStream], question: str, ranked: Sequence[Ranked]
) -> Looked:
    """Puts the question to the stored KV; `ranked` passages, best first, are looked at in any case."""
    prompt, source = backbone.prompt, session.source
    *asked, last = prompt.suffix(question)
    heads = retrieving_heads(backbone.name.name)
    blocks = _blocks_of(ranked, source, streams, len(prompt.prefix))
    turn = session.turn(
        list(dict.fromkeys(block for some in blocks for block in some)),
        asking=prompt.question_range(question),
        retrieving=heads,
    )
    backbone.runner.forward(asked, turn)
    votes = turn.votes()
    retrieved = _shares({layer: votes[layer] for layer in heads if layer in votes})
    scored = [
        replace(item, score=item.score + _WEIGHT_VOTE * max((retrieved.get(one, (0.0,))[0] for one in some), default=0))
        for item, some in zip(ranked, blocks, strict=True)
    ]
    scored.sort(key=lambda item: -item.score)
    return Looked(
        turn, last, len(asked), tuple(_looks(votes, turn.always_shown, source, streams, len(prompt.prefix))), scored
    )


def _blocks_of(
    ranked: Sequence[Ranked], source: OpenSnapshots, streams: Sequence[TokenStream], prefix: int
) -> list[range]:
    """The blocks that carry each passage."""
    leaves = {stream.leaves[0].id: index for index, stream in enumerate(streams)}
    blocks = []
    for item in ranked:
        index = leaves[item.document.id]
        tokens = streams[index].tokens(TextRange(0, item.passage.page_index, item.passage.start, item.passage.end))
        blocks.append(source.blocks_of(index, prefix + tokens.start, prefix + tokens.stop))
    return blocks


def _shares(votes: Mapping[int, Selection]) -> _Shares:
    """For each block that some layer chose: its mean share of attention over layers, and which layers chose it."""
    sums: dict[int, float] = defaultdict(float)
    layers: dict[int, list[int]] = defaultdict(list)
    for layer, selection in votes.items():
        for block, share in zip(selection.blocks.tolist(), selection.shares.tolist(), strict=True):
            sums[block] += share / len(votes)
            layers[block].append(layer)
    return {block: (sums[block], tuple(layers[block])) for block in sums}


def _looks(
    votes: Mapping[int, Selection],
    always: Sequence[int],
    source: OpenSnapshots,
    streams: Sequence[TokenStream],
    prefix: int,
) -> Iterator[Look]:
    """Where the layers looked, most looked at first; then what they see always, with a share of 0."""
    by_block = _shares(votes)
    for block in [*sorted(by_block, key=lambda one: -by_block[one][0])[:_MAX_LOOKS], *always]:
        at = source.place(block)
        stream = streams[at.snapshot_index]
        share, layers = by_block.get(block, (0.0, ()))
        for place in stream.places(max(0, at.start - prefix), max(0, at.end - prefix)):
            leaf = stream.leaves[place.leaf_index]
            yield Look(leaf.name, leaf.id, place.page_index, place.start, place.end, share, layers)
