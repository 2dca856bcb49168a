"""How often one program may ask: so many requests in any minute, by the name of its token."""

import threading
import time
from collections import defaultdict, deque

from app.errors import TooBusy

WINDOW_S = 60.0


class Pace:
    """The requests of the last minute. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lately: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def count(self, name: str, per_minute: int) -> None:
        """One more request. Raises TooBusy where that is one too many; it is not counted then."""
        now = time.monotonic()
        with self._lock:
            lately = self._lately[name]
            while lately and lately[0] <= now - WINDOW_S:
                lately.popleft()
            if len(lately) >= per_minute:
                raise TooBusy(
                    f"{name} has sent {per_minute} requests within a minute, which is its limit; "
                    f"wait {lately[0] + WINDOW_S - now:.0f} s"
                )
            lately.append(now)
