"""What readings leave on disk, without a model: how many bytes, and how to remove them.

The engine does the same for what it holds in memory, too; this serves a process that has loaded none.
"""

from collections.abc import Collection
from pathlib import Path

from llm import stream_store
from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceStore
from llm.kv import store


def kv_folder(state_dir: Path) -> Path:
    return state_dir / "kv"


def index_folder(state_dir: Path) -> Path:
    return state_dir / "index"


def streams_folder(state_dir: Path) -> Path:
    return state_dir / "streams"


def forget(state_dir: Path, document_ids: Collection[str]) -> int:
    """Removes KV, index and tokens of the documents, whatever model made them; bytes removed."""
    evidence = EvidenceStore(index_folder(state_dir), Embedder())  # loads no weights until it embeds
    kv_bytes = store.forget(kv_folder(state_dir), document_ids)
    stream_bytes = stream_store.forget(streams_folder(state_dir), document_ids)
    return kv_bytes + evidence.forget(document_ids) + stream_bytes
