"""Pictures in a token stream: which tokens are patches of which page image, and where on the page each patch lies.

Plain values, and what they weigh in the first layer when a model asks for it. How a model cuts an image into patches
is `llm.eyes`' business; where its tokens stand among others is `llm.tokens`'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import torch

from ingest.document import Box, Page

Features = tuple[torch.Tensor, ...]  # (P, D) for the first layer, then one for each further layer that takes some


@dataclass(frozen=True, eq=False)
class Picture:
    """A page image as one model sees it. Two are the same if their identities are."""

    identity: str  # document, page and size
    boxes: tuple[Box, ...]  # of its patches in their order, in points of the page
    grid: tuple[int, int] | None  # rows and columns, where a model's positions follow them
    features: Callable[[], Features]  # of all patches; takes the time of the image tower

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"Picture({self.identity})"


@dataclass(frozen=True, slots=True)
class PatchRun:
    """Tokens [at, at + count) are the patches from `first` on of a picture."""

    at: int
    picture: Picture
    first: int
    count: int


def cut_runs(runs: Sequence[PatchRun], start: int, stop: int) -> tuple[PatchRun, ...]:
    """What of the runs lies in tokens [start, stop), counted from there."""
    cut = []
    for run in runs:
        begin, end = max(run.at, start), min(run.at + run.count, stop)
        if begin < end:
            cut.append(PatchRun(begin - start, run.picture, run.first + begin - run.at, end - begin))
    return tuple(cut)


def encoder_output(runs: Sequence[PatchRun]) -> SimpleNamespace:
    """The patches of these runs as the output of an image tower, which transformers puts in their tokens' places."""
    layers: list[list[torch.Tensor]] = []
    for run in runs:
        for index, rows in enumerate(run.picture.features()):
            if index == len(layers):
                layers.append([])
            layers[index].append(rows[run.first : run.first + run.count])
    first, *deeper = [torch.cat(parts) for parts in layers]
    return SimpleNamespace(
        pooler_output=(first,), last_hidden_state=first, deepstack_features=[(one,) for one in deeper]
    )


def end_of_pictures(token_ids: Sequence[int], start: int, end: int) -> int:
    """Where a pass over tokens [start, end) ends so that it cuts no picture: before the one that `end` would cut.

    Behind that one if the pass begins with it.
    """
    runs: Sequence[PatchRun] = getattr(token_ids, "runs", ())
    for run in runs:
        if run.at < end < run.at + run.count:
            return run.at if run.at > start else run.at + run.count
    return end


def seen_together(token_ids: Sequence[int], device: torch.device) -> torch.Tensor | None:
    """(S, S): True at (i, j) where both are patches of one picture. None where there are no patches."""
    runs = getattr(token_ids, "runs", ())
    if not runs:
        return None
    together = torch.zeros((len(token_ids), len(token_ids)), dtype=torch.bool, device=device)
    for run in runs:
        together[run.at : run.at + run.count, run.at : run.at + run.count] = True
    return together


def axes_of(num_tokens: int, runs: Sequence[PatchRun], start: int) -> tuple[torch.Tensor, int]:
    """Positions (3, S) of time, row and column of S tokens, the first one at `start`; and where the next one stands.

    Text counts on all three alike. Patches stand in the rows and columns of their picture, and what follows it stands
    behind its longer side (M-RoPE, arXiv:2409.12191, section 2.1). `start` inside a picture counts its patches before.
    """
    parts: list[torch.Tensor] = []
    position, done = start, 0
    for run in (*runs, None):
        until = num_tokens if run is None else run.at
        parts.append(torch.arange(position, position + until - done).expand(3, -1))
        position, done = position + until - done, until
        if run is not None:
            rows, columns = run.picture.grid or (1, len(run.picture.boxes))
            base, index = position - run.first, torch.arange(run.first, run.first + run.count)
            parts.append(torch.stack((torch.zeros_like(index), index // columns, index % columns)) + base)
            is_over = run.first + run.count == rows * columns
            position = base + max(rows, columns) if is_over else position + run.count
            done += run.count
    return torch.cat(parts, 1), position


def position_shift(token_ids: Sequence[int], num_tokens: int) -> int:
    """How much further the position behind the first tokens is than their number, where patches have rows and columns.

    Never above 0: a picture takes up as many positions as its longer side has patches.
    """
    runs = cut_runs(getattr(token_ids, "runs", ()), 0, num_tokens)
    if not any(run.picture.grid for run in runs):
        return 0
    return axes_of(num_tokens, runs, 0)[1] - num_tokens


def characters_under(page: Page, box: Box) -> tuple[int, int]:
    """Which characters of the page's text a patch shows: of the line that it covers most. Empty where no text is."""
    best, area = None, 0.0
    for span in page.spans:
        if span.box is not None:
            shared = _overlap(span.box, box)
            if shared > area:
                best, area = span, shared
    if best is None or best.box is None:
        return 0, 0
    scale = (best.end - best.start) / (best.box.x1 - best.box.x0)
    first = int(max(0.0, box.x0 - best.box.x0) * scale)
    last = int(min(best.box.x1, box.x1) * scale - best.box.x0 * scale) + 1
    return best.start + first, min(best.end, best.start + last)


def _overlap(one: Box, other: Box) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width * height if width > 0 and height > 0 else 0.0
