"""Memory given back to the system after a file was parsed, an answer or a reading.

glibc keeps what is freed in arenas, several where many threads compute, and a server answers in whichever thread
comes next: with six people over six documents in 20 threads the process had grown by 1.4 GB after 30 answers, all but
0.1 GB of it free but kept; a child that recognised 60 scans held 615 MB, of which it needed 250 (2026-11-22,
docs/LOG.md). Where there is no glibc this does nothing.
"""

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Hands free pages back; takes some milliseconds, and may be called from any thread."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return None
    return found
