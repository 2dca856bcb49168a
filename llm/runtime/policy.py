"""What a token sees while a stream is read: everything up to the trained context, then sinks and a window.

The window grows through an epoch and starts anew at the next one, so that keys are rotated once an epoch, not once a
pass. What is visible depends on the position alone: a reading that was stopped goes on exactly as it would have. The
first tokens stay visible as sinks, without which a window degrades (StreamingLLM, arXiv:2309.17453).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """All in tokens; multiples of a block."""

    exact: int  # up to here, every token sees all before it
    sinks: int = 64
    window: int = 1024  # at the start of an epoch
    epoch: int = 1024

    def shown(self, position: int) -> tuple[range, ...]:
        """Tokens before `position` that the token at `position` sees."""
        if position < self.exact:
            return (range(position),)
        start = self._epoch_start(position) - self.window
        return range(self.sinks), range(max(start, self.sinks), position)

    def starts_epoch(self, position: int) -> bool:
        """Whether less is visible from `position` on than the pass before it left behind."""
        return position >= self.exact and position == self._epoch_start(position)

    def room(self, position: int) -> int:
        """How many tokens fit before visibility changes."""
        if position < self.exact:
            return self.exact - position
        return self._epoch_start(position) + self.epoch - position

    def _epoch_start(self, position: int) -> int:
        return self.exact + (position - self.exact) // self.epoch * self.epoch

    def mean_shown(self, start: int, end: int) -> float:
        """How many tokens a token of [start, end) sees on average."""
        in_exact = max(0, min(end, self.exact) - start)
        beyond = end - start - in_exact
        exact_sum = in_exact * (start + in_exact / 2)
        return (exact_sum + beyond * (self.sinks + self.window + self.epoch / 2)) / max(end - start, 1)
