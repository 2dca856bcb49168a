"""An overview of a long snapshot's bounds: those of 16 blocks together, so that opening it reads a sixteenth of them.

Kept beside the bounds as `overview.bin` (safetensors), made when it is first asked for from bounds that were checked.
It names the commit that it was made of, and is made again for any other. It has a checksum of itself, and one of each
group's own bounds: those of a few blocks can then be checked without reading those of all.
"""

import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from llm.kv import files
from llm.kv.manifest import Commit

GROUP_BLOCKS = 16
_FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Overview:
    """N = G/16 groups of G blocks, the last one shorter; of each layer that keeps all tokens."""

    bounds: Mapping[int, torch.Tensor]  # (N, 2, K, C) bfloat16
    crc32: Mapping[int, torch.Tensor]  # (N,) int64, of the bounds of the group's blocks

    @classmethod
    def of(cls, bounds: Mapping[int, torch.Tensor]) -> "Overview":
        """From the bounds (G, 2, K, C) of all blocks of each layer."""
        checksums = {
            layer: torch.tensor([_crc32(part) for part in own.split(GROUP_BLOCKS)]) for layer, own in bounds.items()
        }
        return cls({layer: united(own) for layer, own in bounds.items()}, checksums)

    def holds(self, layer: int, group: int, bounds: torch.Tensor) -> bool:
        """Whether `bounds` (G, 2, K, C) of a layer are, as far as the group goes, what this was made of."""
        own = bounds[group * GROUP_BLOCKS : (group + 1) * GROUP_BLOCKS]
        return _crc32(own) == int(self.crc32[layer][group])


def united(bounds: torch.Tensor) -> torch.Tensor:
    """bounds (G, 2, K, C), minima then maxima -> those of every 16 blocks together (G/16, 2, K, C)."""
    whole = len(bounds) // GROUP_BLOCKS * GROUP_BLOCKS
    groups = [bounds[:whole].unflatten(0, (-1, GROUP_BLOCKS))] if whole else []
    if whole < len(bounds):
        groups.append(bounds[None, whole:])
    parts = [torch.stack((group[:, :, 0].amin(1), group[:, :, 1].amax(1)), 1) for group in groups]
    return torch.cat(parts) if parts else bounds


def load(path: Path, commit: Commit) -> Overview | None:
    """None where there is none of this commit, or it is damaged."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            metadata: dict[str, str] = stored.metadata() or {}
            if metadata.get("made_of") != _name(commit):
                return None
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        _log.warning("%s cannot be read and is made again: %s", path, error)
        return None
    if metadata.get("crc32") != _checksum(tensors):
        _log.warning("%s is damaged and is made again", path)
        return None
    parts = [{int(name[1:]): tensor for name, tensor in tensors.items() if name[0] == kind} for kind in "bc"]
    return Overview(*parts)


def keep(overview: Overview, path: Path, commit: Commit) -> None:
    """Writes it, wholly or not at all; a full disk harms nothing, it is made again then."""
    tensors = {f"b{layer}": own for layer, own in overview.bounds.items()}
    tensors |= {f"c{layer}": own for layer, own in overview.crc32.items()}
    try:
        files.replace(path, save(tensors, {"made_of": _name(commit), "crc32": _checksum(tensors)}))
    except OSError as error:
        _log.warning("%s is not kept: %s", path, error)


def _name(commit: Commit) -> str:
    return repr((_FORMAT, commit.num_blocks, commit.bounds_crc32))


def _checksum(tensors: Mapping[str, torch.Tensor]) -> str:
    total = 0
    for name in sorted(tensors):
        total = _crc32(tensors[name], total)
    return f"{total:08x}"


def _crc32(tensor: torch.Tensor, before: int = 0) -> int:
    return zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data, before)
