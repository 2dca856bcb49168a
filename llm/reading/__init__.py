"""Reading: prefill of token streams in chunks, and the sessions over what it left behind."""

from llm.reading.prefill import CHUNK_TOKENS, prefill
from llm.reading.readings import RESERVED_TOKENS, Readings

__all__ = ["CHUNK_TOKENS", "RESERVED_TOKENS", "Readings", "prefill"]
