"""Reading: prefill of a token stream in chunks, and the snapshot that it leaves on disk."""

from llm.reading.kv_cache import ReadingCache
from llm.reading.prefill import CHUNK_TOKENS, forward, prefill
from llm.reading.readings import Readings, kv_bytes_per_token
from llm.reading.snapshot import Snapshot, SnapshotStore

__all__ = [
    "CHUNK_TOKENS",
    "ReadingCache",
    "Readings",
    "Snapshot",
    "SnapshotStore",
    "forward",
    "kv_bytes_per_token",
    "prefill",
]
