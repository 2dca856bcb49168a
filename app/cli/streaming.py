"""The answer while it is being written, on a terminal only.

What the model writes is a draft: once checked it may turn out to rest on nothing, and the answer is then another. So
the draft is shown, taken away, and the checked answer printed; a pipe or a file gets the checked answer alone.
"""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Passing:
    """What is drawn again and again on a terminal, and nowhere else, and leaves nothing behind."""

    def __init__(self) -> None:
        self._live: Any = None  # rich.live.Live, from the first drawing on

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def draw(self, drawn: Callable[[Any], Any]) -> None:
        """Shows what `drawn` makes for a rich.console.Console, in place of what was shown."""
        if not sys.stdout.isatty():
            return
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(), transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(drawn(self._live.console), refresh=True)


class Draft(Passing):
    """The end of the draft that fits the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def add(self, piece: str) -> None:
        self._text += piece
        self.draw(self._end)

    def _end(self, console: Any) -> Any:
        from rich.text import Text

        lines = Text(self._text).wrap(console, console.size.width)
        return Text("\n").join(lines[-(console.size.height - 2) :])
