"""Reading: prefill of a token stream in chunks, and the snapshot that it leaves on disk."""

from llm.reading.kv_cache import ReadingCache
from llm.reading.prefill import CHUNK_TOKENS, prefill
from llm.reading.snapshot import Snapshot, SnapshotStore

__all__ = ["CHUNK_TOKENS", "ReadingCache", "Snapshot", "SnapshotStore", "prefill"]
