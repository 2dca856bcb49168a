"""The answer while it is being written, on a terminal only.

What the model writes is a draft: once checked it may turn out to rest on nothing, and the answer is then another. So
the draft is shown, taken away, and the checked answer printed; a pipe or a file gets the checked answer alone.
"""

import sys
from types import TracebackType
from typing import Any


class Draft:
    """Shows the end of the draft that fits the screen, and leaves nothing behind."""

    def __init__(self) -> None:
        self._text = ""
        self._live: Any = None  # rich.live.Live, from the first piece on

    def __enter__(self) -> "Draft":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def add(self, piece: str) -> None:
        if not sys.stdout.isatty():
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            self._live = Live(console=Console(), transient=True, auto_refresh=False)
            self._live.start()
        self._text += piece
        size = self._live.console.size
        lines = Text(self._text).wrap(self._live.console, size.width)
        self._live.update(Text("\n").join(lines[-(size.height - 2) :]), refresh=True)
