"""The manifest of a snapshot: what it was made from, and how far it is committed. Its size does not grow with length.

`Origin` decides whether a snapshot may be used at all; anything made from something else is never read. `Commit` says
what of the other files counts; whatever else they hold is left over from a kill and is overwritten.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llm.kv import files
from llm.kv.codec import KVDtype
from llm.kv.layout import BLOCK_TOKENS, LayerLayout
from llm.tokens import Tokens

FORMAT = 2
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """Everything that a snapshot's bytes depend on."""

    identity: str  # weights, tokenizer, prompt, options
    kv_dtype: KVDtype
    layouts: tuple[LayerLayout, ...]
    num_stream_tokens: int
    tokens_sha256: str

    def as_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "block_tokens": BLOCK_TOKENS, **asdict(self)}

    def folder_name(self) -> str:
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Commit:
    """How much of a snapshot's files counts."""

    num_tokens: int = 0
    bounds_crc32: tuple[int, ...] = ()  # a layer that keeps all tokens, over the committed part of its bounds
    segments: tuple[tuple[int, int, int], ...] = ()  # of layers with a reach: reach, first block, number of blocks
    tail_dtype: str = ""
    tail_crc32: int = 0

    @property
    def num_blocks(self) -> int:
        return self.num_tokens // BLOCK_TOKENS

    @property
    def tail_tokens(self) -> int:
        return self.num_tokens % BLOCK_TOKENS


@dataclass(frozen=True, slots=True)
class Manifest:
    origin: Origin
    document_ids: tuple[str, ...]
    commit: Commit

    def with_documents(self, document_ids: Sequence[str]) -> "Manifest":
        return replace(self, document_ids=tuple(dict.fromkeys((*self.document_ids, *document_ids))))

    def write(self, folder: Path) -> None:
        """The commit point: after this the files count as `commit` says."""
        content = {
            "origin": self.origin.as_json(),
            "documents": self.document_ids,
            "commit": asdict(self.commit),
        }
        files.replace(folder / MANIFEST, json.dumps(content, indent=1).encode())


def read_manifest(folder: Path, origin: Origin) -> Manifest | None:
    """None when there is none, when it cannot be read, or when it belongs to something else."""
    content = _content(folder)
    try:
        if content.get("origin") != json.loads(json.dumps(origin.as_json())):
            return None
        found = content["commit"]
        commit = Commit(
            num_tokens=int(found["num_tokens"]),
            bounds_crc32=tuple(map(int, found["bounds_crc32"])),
            segments=tuple((int(reach), int(first), int(count)) for reach, first, count in found["segments"]),
            tail_dtype=str(found["tail_dtype"]),
            tail_crc32=int(found["tail_crc32"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return Manifest(origin, tuple(read_documents(folder)), commit)


def read_documents(folder: Path) -> list[str]:
    """The documents that a snapshot of any model or format holds; empty when nobody can tell."""
    documents = _content(folder).get("documents", [])
    return list(map(str, documents)) if isinstance(documents, list) else []


def tokens_sha256(token_ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
    """Hex digest of the token ids as little-endian 32-bit integers, and of what the patch tokens are instead."""
    digest = hashlib.sha256(np.asarray(token_ids, dtype="<i4").tobytes())
    for patches in (token_ids.mixtures, token_ids.runs) if isinstance(token_ids, Tokens) else ():
        if patches:
            digest.update(repr(patches).encode())
    return digest.hexdigest()


def _content(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
