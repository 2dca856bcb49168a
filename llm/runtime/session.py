"""The working set of a session: the snapshots that one question sees, plus the tokens of the conversation.

While everything fits the exact length, all blocks of all snapshots are shown, numbered compactly. Beyond it each layer
shows sinks, the blocks that it selects for the pass's queries, the end of the last snapshot, and the conversation. The
selection is kept over decoding steps while a new one would hardly differ. Snapshots are never changed; forks share
what is shown and copy it when they append.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
import torch.nn.functional as F

from llm.kv.layout import BLOCK_TOKENS, LayerKind, LayerLayout
from llm.pictures import position_shift
from llm.runtime.indexed import IndexQuery
from llm.runtime.latent import LatentExpansion
from llm.runtime.opened import OpenSnapshots
from llm.runtime.rotation import Rotations
from llm.runtime.selection import Selection, SelectionOptions, select
from llm.runtime.streamed import StreamedBlocks
from llm.runtime.working import Devices, LayerKV, States, WorkingKV

_RECHECK_TOKENS = 16  # decoding steps between two looks at whether the selection is still good
_STILL_GOOD = 0.75  # share of a new selection that the old one must hold to be kept


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Lengths in tokens."""

    exact: int  # snapshots up to this length together are shown whole
    sinks: int = 64
    window: int = 512  # of the last snapshot's end, beside what is selected
    selection: SelectionOptions = field(default_factory=SelectionOptions)
    device_budget_bytes: int | None = None  # of decoded blocks; where all do not fit they are streamed. None: no limit


class Chooser:
    """Chooses the blocks of one layer. `always` are shown without being chosen: sinks and the end."""

    def __init__(self, source: OpenSnapshots, layer: int, options: SessionOptions) -> None:
        self._source, self._layer = source, layer
        self._options = options.selection
        num_sinks = options.sinks // BLOCK_TOKENS
        self._end = source.last_blocks(options.window)
        self._sinks = range(min(num_sinks, self._end.start))

    def choose(self, query: torch.Tensor, weights: torch.Tensor, scaling: float, prior: Sequence[int]) -> Selection:
        """query (H, S, C) un-rotated, weights (H, S)."""
        return select(
            query.to(self._source.device),
            self._source.index(self._layer),
            lambda blocks: self._source.keys(self._layer, blocks),
            scaling=scaling,
            weights=weights.to(self._source.device),
            allowed=range(self._sinks.stop, self._end.start),
            prior=prior,
            options=self._options,
        )

    def states(self, selection: Selection) -> States:
        """Sinks, the selection and the end, un-rotated."""
        return self._source.gather(self._layer, [*self._sinks, *selection.blocks.tolist(), *self._end])

    @property
    def always(self) -> list[int]:
        """Blocks that are shown without being chosen."""
        return [*self._sinks, *self._end]


class SessionLayer(LayerKV):
    """One layer over the snapshots of a session. Without a chooser it neither selects nor votes."""

    def __init__(self, layout: LayerLayout, rotation: Rotations, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(layout, rotation, device, dtype)
        self.chooser: Chooser | None = None
        self.shows_whole = True  # whether choosing is for the vote only
        self.is_due = False  # whether this pass chooses anew
        self.prior: Sequence[int] = ()
        self.heads: Sequence[int] = ()  # that retrieve; none: all count
        self.asking: range | None = None  # tokens of the next pass that ask; None: all
        self.voted: Selection | None = None  # what the last pass over more than one token chose
        self.selection: Selection | None = None
        self._own: States | None = None  # of the conversation, un-rotated
        self._asked: tuple[torch.Tensor, ...] = ()  # queries since the selection was looked at

    def attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        scaling: float,
        expansion: LatentExpansion | None = None,
        index: IndexQuery | None = None,
        together: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if self.chooser is not None and not (self.shows_whole and query.shape[1] == 1):
            self._asked += (query if expansion is None else self._among_keys(query, expansion),)
            if self.is_due:
                self._choose(self.chooser, torch.cat(self._asked, 1), scaling)
                self._asked = ()
            if not self.shows_whole:
                self._own = (key, value) if self._own is None else _joined(self._own, (key, value))
        return super().attend(query, key, value, scaling=scaling, expansion=expansion, index=index, together=together)

    def _among_keys(self, query: torch.Tensor, expansion: LatentExpansion) -> torch.Tensor:
        """query (H, S, N + R) -> (1, S, C): the heads' mean, to be multiplied with what is kept as keys."""
        absorbed = expansion.absorb(query).mean(0, keepdim=True)
        return F.pad(absorbed, (self.layout.key_width - absorbed.shape[-1], 0))  # an index key is not scored

    def _choose(self, chooser: Chooser, query: torch.Tensor, scaling: float) -> None:
        chosen = chooser.choose(query, self._weights(query), scaling, self.prior)
        if query.shape[1] > 1 and self.voted is None:
            self.voted = chosen
        if self.shows_whole or (self.selection is not None and _holds(self.selection, chosen)):
            return
        self.selection = chosen
        self.truncate(0)
        self.show(*chooser.states(chosen))
        if self._own is not None:
            self.show(*self._own)

    def _weights(self, query: torch.Tensor) -> torch.Tensor:
        """(H, S): 1 where a head that retrieves meets a token that asks, else 0."""
        weights = query.new_zeros(query.shape[:2])
        rows = list(self.heads) if self.heads and len(query) > 1 else list(range(len(query)))
        tokens = self.asking or range(query.shape[1])
        weights[rows, tokens.start : tokens.stop] = 1
        self.asking = None
        return weights


class SessionKV(WorkingKV):
    """All layers over the snapshots of a session. Not for several threads."""

    layer_class = SessionLayer
    layers: list[SessionLayer]  # type: ignore[assignment]

    def __init__(
        self,
        source: OpenSnapshots,
        layouts: Sequence[LayerLayout],
        rotation: Rotations,
        options: SessionOptions,
        *,
        device: Devices,
        dtype: torch.dtype,
    ) -> None:
        """Raises SnapshotRefused when a block that is shown is damaged."""
        super().__init__(layouts, rotation, device=device, dtype=dtype)
        self.source, self._options = source, options
        self.is_exact = source.num_tokens <= options.exact
        self.num_tokens, self._chunk_origin = source.num_tokens, source.last_start
        self.position_shift = sum(position_shift(one.token_ids, one.num_tokens) for one in source.snapshots)
        self._steps = 0  # since the selection was looked at
        for index, layer in enumerate(self.layers):
            selects = layer.layout.reach is None and layer.layout.kind is not LayerKind.POOLED
            if selects and source.num_tokens:
                layer.chooser = Chooser(source, index, options)
                layer.shows_whole = self.is_exact
            if layer.shows_whole and selects and self._is_over_budget(dtype):
                layer.behind = StreamedBlocks(
                    source, index, layer.layout, layer.rotation, group_blocks=self._group_blocks(dtype)
                )
            elif layer.shows_whole:
                self._show_whole(index, layer)

    @property
    def shows_all(self) -> bool:
        return self.is_exact

    def turn(
        self,
        prior: Sequence[int] = (),
        *,
        asking: range | None = None,
        retrieving: Mapping[int, Sequence[int]] = MappingProxyType({}),
    ) -> "SessionKV":
        """A fork for the next question.

        `prior`: blocks that words and embeddings point at, best first. `asking`: which tokens of the next pass are the
        question's own. `retrieving`: of each layer that has some, the query heads that retrieve.
        """
        fork = self.fork()
        fork._steps = _RECHECK_TOKENS  # the first pass chooses, however short
        few = self._options.selection.from_prior
        for index, layer in enumerate(fork.layers):
            layer.heads = retrieving.get(index, ())
            layer.prior = prior if layer.heads else prior[:few]
            layer.asking, layer.voted, layer._asked = asking, None, ()
        return fork

    @property
    def always_shown(self) -> list[int]:
        """The blocks that every layer without a limit sees whatever it selects: sinks and the end."""
        choosers = [layer.chooser for layer in self.layers if layer.chooser is not None]
        return choosers[0].always if choosers else []

    def votes(self) -> dict[int, Selection]:
        """What each layer that looks back without limit looked at when the turn's question was put."""
        return {index: layer.voted for index, layer in enumerate(self.layers) if layer.voted is not None}

    def begin(self, num_new: int) -> None:
        super().begin(num_new)
        self._steps += 1
        due = num_new > 1 or self._steps >= _RECHECK_TOKENS
        if due:
            self._steps = 0
        for index, layer in enumerate(self.layers):
            layer.is_due = due
            if due and layer.selection is not None:
                self.source.prefetch(index, layer.selection.blocks.tolist())

    def _is_over_budget(self, dtype: torch.dtype) -> bool:
        budget = self._options.device_budget_bytes
        unlimited = [layer.layout for layer in self.layers if layer.layout.reach is None]
        per_token = sum(layout.values_per_token for layout in unlimited) * dtype.itemsize
        return budget is not None and self.source.num_tokens * per_token > budget

    def _group_blocks(self, dtype: torch.dtype) -> int:
        """Blocks of one layer that may be on the device together: half of the budget, the other half is on its way."""
        largest = max(layer.layout.values_per_token for layer in self.layers) * BLOCK_TOKENS * dtype.itemsize
        return max(1, (self._options.device_budget_bytes or 0) // 2 // largest)

    def _show_whole(self, index: int, layer: SessionLayer) -> None:
        """All that the layer keeps: of a limited layer, what the last snapshot's next token sees."""
        source = self.source
        if not source.num_tokens:
            return
        if layer.layout.reach is None:
            layer.show(*source.gather(index, range(source.num_blocks)))
            return
        inside = self.num_tokens - self._chunk_origin
        first = layer.layout.first_kept(inside)
        if first == inside:
            return
        key, value = source.gather(index, source.blocks_of(len(source.snapshots) - 1, first, inside))
        skipped = first % BLOCK_TOKENS
        layer.show(key[:, skipped:], value[:, skipped:])


def _holds(old: Selection, new: Selection) -> bool:
    """Whether most of the new selection is in the old one."""
    shared = torch.isin(new.blocks, old.blocks).sum()
    return bool(shared >= _STILL_GOOD * len(new.blocks))


def _joined(first: States, second: States) -> States:
    return torch.cat((first[0], second[0]), 1), torch.cat((first[1], second[1]), 1)
