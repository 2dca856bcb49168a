"""Whether the runtime computes what transformers computes: logits and greedy tokens, reading in chunks of any size.

The reference is transformers' own eager attention in float32: greedy decoding over its own cache, and the logits of
one pass without a cache over everything read and decoded. What is compared with it is a `Way`, a function from tokens
to logits, so that snapshots, small budgets and other runners are checked by the same rows. Every way decodes the
reference's tokens; its own choice must be the same token at each step.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from app.bench.checkpoints import Checkpoint, packaged, tiny
from app.bench.report import Report
from app.bench.stored import StoredWay
from llm.answer import ModelName
from llm.packaged import PACKAGED_NAME
from llm.packed import PackedLlama
from llm.runtime.latent import LatentExpansion, attend_absorbed, attend_expanded
from llm.runtime.runner import Runner
from llm.runtime.runners import runner_of
from llm.runtime.working import WorkingKV

CHUNKS = (1, 7, 64, 512)  # tokens
TOLERANCE = 1e-3
NUM_DECODED = 64
NUM_READ = 600  # more than the largest chunk
_NOTE = (
    "Largest absolute difference of logits from transformers' eager attention in float32, over the last token read and "
    f"{NUM_DECODED} decoded tokens, and over reading in chunks of {', '.join(map(str, CHUNKS))} tokens; and the fewest "
    "greedy tokens that were equal. Model shapes are tiny and random, in the released layouts, except where a row "
    "names packaged weights."
)

Way = Callable[[Sequence[int], Sequence[int], int], torch.Tensor]
"""(read, decoded, chunk) -> logits (1 + N, V): of the last token of `read`, which is read in passes of `chunk` tokens,
and of each of the N tokens `decoded`, taken one by one."""
MakeWay = Callable[[Checkpoint], Way | None]
"""None for a checkpoint that this way does not carry."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What transformers computes."""

    read: list[int]
    decoded: list[int]  # greedily
    logits: torch.Tensor  # (1 + N, V) of the last token read and of each decoded token


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a way is from the reference."""

    chunk: int
    logits: float  # largest absolute difference
    equal_tokens: int  # of `num_decoded`
    num_decoded: int

    @property
    def is_exact(self) -> bool:
        return self.logits <= TOLERANCE and self.equal_tokens == self.num_decoded


def run(cache_dir: Path, on_text: Callable[[str], None] = lambda _: None) -> Report:
    """Every checkpoint by every way that carries it, in chunks of every size. `cache_dir`: of the packaged weights."""
    rows = [_latent_row()]
    details: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="longleaf-exact-") as folder:
        for checkpoint in chain(tiny(Path(folder)), packaged(cache_dir)):
            expected = reference(checkpoint, NUM_READ, NUM_DECODED)
            for name, make_way in WAYS.items():
                if (way := make_way(checkpoint)) is None:
                    continue
                found = differences(way, expected, CHUNKS)
                rows.append(_row(checkpoint.name, name, found))
                details += [_detail(checkpoint.name, name, difference) for difference in found]
                on_text(f"{checkpoint.name}, {name}: {rows[-1]['difference']:.1e}")
    failed = [f"{row['model']}, {row['way']}" for row in rows if not row["exact"]]
    return Report(
        "Exactness",
        ModelName(f"tiny checkpoints and {PACKAGED_NAME}", ""),
        rows,
        _NOTE,
        {"tolerance": TOLERANCE, "passed": not failed, "failed": failed, "by_chunk": details},
    )


@torch.no_grad()
def reference(checkpoint: Checkpoint, num_read: int, num_decoded: int) -> Reference:
    """Greedy tokens over transformers' own cache; logits of one pass without a cache."""
    model = checkpoint.load()
    read = checkpoint.prompt(num_read)
    decoded = _greedy(model, read, num_decoded)
    logits = model(input_ids=torch.tensor([read + decoded]), use_cache=False).logits[0, len(read) - 1 :]  # (1 + N, V)
    return Reference(read, decoded, logits)


def through_transformers(checkpoint: Checkpoint) -> Way:
    """Transformers' modules over a working set in memory."""
    return _in_memory(runner_of(checkpoint.load()))


def packed_llama(checkpoint: Checkpoint) -> Way | None:
    """The packaged model's own runner over a working set in memory."""
    runner = PackedLlama.of(checkpoint.load())
    return None if runner is None else _in_memory(runner)


WAYS: Mapping[str, MakeWay] = {
    "through transformers": through_transformers,
    "packed Llama": packed_llama,
    "saved, opened in a new process": partial(StoredWay, in_child=True),
    "saved, a device budget of two blocks": partial(StoredWay, budget_blocks=2),
    "saved, retrieval with every block selected": partial(StoredWay, retrieves=True),
}


def _in_memory(runner: Runner) -> Way:
    def logits(read: Sequence[int], decoded: Sequence[int], chunk: int) -> torch.Tensor:
        kv = WorkingKV(runner.layouts, runner.rotation, device=torch.device("cpu"), dtype=torch.float32)
        for start in range(0, len(read), chunk):
            last = runner.forward(read[start : start + chunk], kv)
        return torch.stack([last, *(runner.forward([token], kv) for token in decoded)])

    return logits


def differences(way: Way, expected: Reference, chunks: Iterable[int]) -> list[Difference]:
    """The way against the reference, for each size of chunks."""
    found = []
    for chunk in chunks:
        logits = way(expected.read, expected.decoded, chunk)  # (1 + N, V)
        chosen = logits[:-1].argmax(-1).tolist()
        equal = sum(ours == theirs for ours, theirs in zip(chosen, expected.decoded, strict=True))
        largest = (logits - expected.logits).abs().max().item()
        found.append(Difference(chunk, largest, equal, len(expected.decoded)))
    return found


def absorbed_against_expanded(num_new: int = 40, num_shown: int = 600) -> float:
    """Largest difference of the two ways through latents, relative to the result's, at DeepSeek-V3's widths."""
    heads, latent, key, rotary, value = 8, 512, 128, 64, 128
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(heads * (key + value), latent, generator=draw) / latent**0.5
    expansion = LatentExpansion.from_weight(weight, key_width=key, value_width=value)
    states = (
        torch.randn(heads, num_new, key + rotary, generator=draw),
        torch.randn(1, num_shown, latent, generator=draw),
        torch.randn(1, num_shown, rotary, generator=draw),
    )
    absorbed, expanded = (
        way(*states, expansion, scaling=(key + rotary) ** -0.5) for way in (attend_absorbed, attend_expanded)
    )
    return ((absorbed - expanded).abs().max() / expanded.abs().max()).item()


def _greedy(model: PreTrainedModel, read: Sequence[int], num_decoded: int) -> list[int]:
    decoded: list[int] = []
    ids, cache = list(read), None
    for _ in range(num_decoded):
        output = model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
        ids, cache = [int(output.logits[0, -1].argmax())], output.past_key_values
        decoded += ids
    return decoded


def _row(model: str, way: str, found: Sequence[Difference]) -> dict[str, Any]:
    return {
        "model": model,
        "way": way,
        "difference": max(difference.logits for difference in found),
        "equal tokens": min(difference.equal_tokens for difference in found),
        "exact": all(difference.is_exact for difference in found),
    }


def _latent_row() -> dict[str, Any]:
    difference = absorbed_against_expanded()
    return {
        "model": "latent attention of DeepSeek-V3's widths",
        "way": "absorbed against expanded",
        "difference": difference,
        "equal tokens": None,
        "exact": difference <= TOLERANCE,
    }


def _detail(model: str, way: str, difference: Difference) -> dict[str, Any]:
    return {
        "model": model,
        "way": way,
        "chunk": difference.chunk,
        "max_abs_difference": difference.logits,
        "equal_tokens": difference.equal_tokens,
    }
