"""What the routed experts do to the base: what they cost, whether they harm its language, and which tokens they serve.

LeafMoE beside its own bare base, with the same runner on the same machine, visits interleaved. Language is measured
as perplexity on essays, plain text that no training saw; routing on the transformers model, whose routers are counted.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from app.bench.report import Report
from app.bench.scans import SETS, scans
from app.bench.timing import seconds
from app.settings import Settings
from ingest.document import Document, Kind
from ingest.ocr import page_from_recognised, recognise
from llm.backbone import LEAFMOE_NAME, Backbone, load_backbone
from llm.leafmoe import LeafMoEForCausalLM
from llm.leafmoe.load import IGNORED, ExpertLoad
from llm.packaged import PACKAGED_NAME
from llm.stream import TokenStream
from llm.tokens import Tokens, embedded
from llm.training.sources import read_sets
from vision.degradation import degraded

OnText = Callable[[str], None]
KINDS = ("prose", "tables", "policies", "dialogue", "code", "patch tokens")
_WINDOW = 1024  # tokens that see each other
_DECODED, _ROUNDS = 32, 7
_PAGES, _DEGRADATION = 6, 2  # receipts for the patch tokens, and how much they are degraded
_ROOT = Path(__file__).resolve().parents[2]
_NOTE = (
    "LeafMoE beside its bare base, same runner. Perplexity: of essays no training saw, in windows of 1,024 tokens. "
    "Times: medians of interleaved visits. Apart: half the summed difference between the shares of tokens that a kind "
    "and all kinds together send to each expert of a layer, mean over layers; 0 is no difference, 0.75 is the most."
)


@dataclass(frozen=True, slots=True)
class Routed:
    """Which experts the tokens of one kind went to."""

    kind: str
    tokens: int
    share: torch.Tensor  # (L, E)


def run(settings: Settings, data: Path, windows: int, figure: Path | None, on_text: OnText) -> Report:
    """All three; the picture of the routing goes to `figure`. Raises ModelNotFound."""
    ours, base = (_load(settings, name) for name in (LEAFMOE_NAME, PACKAGED_NAME))
    prose = _windows(_essays(data), ours, windows)
    rows = []
    for what, measure in (
        ("perplexity", _perplexity),
        ("reading, s", _reading_s),
        ("decoding, s a token", _decoding_s),
    ):
        on_text(what)
        found = measure(ours, base, prose)
        rows.append({"what": what, "LeafMoE": found[0], "base": found[1], "ratio": round(found[0] / found[1], 4)})
    on_text("routing")
    routed = list(_routing(ours, data, prose))
    rows += [{"what": f"apart: {kind}", "LeafMoE": value, "base": None, "ratio": None} for kind, value in apart(routed)]
    if figure:
        figure.write_text(drawn(routed), encoding="utf-8")
    shares = {each.kind: [[round(value, 4) for value in layer] for layer in each.share.tolist()] for each in routed}
    return Report("What the experts do", ours.name, rows, _NOTE, {"routing": shares})


def apart(routed: Sequence[Routed]) -> list[tuple[str, float]]:
    """How differently each kind is routed from all kinds together, every kind counting alike."""
    together = torch.stack([each.share for each in routed]).mean(0)  # (L, E)
    return [(each.kind, round(float((each.share - together).abs().sum(-1).mean()) / 2, 4)) for each in routed]


def drawn(routed: Sequence[Routed]) -> str:
    """An SVG: a column a kind, a row a layer, in it a cell an expert, the darker the more of the tokens it serves."""
    layers, experts = routed[0].share.shape
    cell, left, top, gap = 14, 60, 40, 18
    width = left + len(routed) * (experts * cell + gap)
    parts = []
    for number, each in enumerate(routed):
        x0 = left + number * (experts * cell + gap)
        parts.append(f'<text x="{x0}" y="{top - 12}">{each.kind}</text>')
        for layer, shares in enumerate(each.share.tolist()):
            for expert, share in enumerate(shares):
                x, y = x0 + expert * cell, top + layer * cell
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" fill="#1b5e4b" '
                    f'fill-opacity="{min(1.0, share):.3f}"><title>{each.kind}, layer {layer}, expert {expert}: '
                    f"{share:.0%}</title></rect>"
                )
    labels = "".join(
        f'<text x="{left - 8}" y="{top + layer * cell + 11}" text-anchor="end">{layer}</text>'
        for layer in range(0, layers, 5)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + layers * cell + 10}" '
        f'font-family="sans-serif" font-size="11" fill="#222"><rect width="100%" height="100%" fill="#fff"/>'
        f"{labels}{''.join(parts)}</svg>\n"
    )


def _load(settings: Settings, name: str) -> Backbone:
    return load_backbone(
        name, cache_dir=settings.cache_dir, device=settings.device, dtype=settings.dtype, threads=settings.threads
    )


def _essays(data: Path) -> Iterator[str]:
    return (path.read_text("utf-8") for path in sorted((data / "documents" / "essays").glob("*.txt")))


def _windows(texts: Iterator[str], backbone: Backbone, number: int) -> list[list[int]]:
    """The first windows of so many texts, one a text, as far as they reach."""
    found: list[list[int]] = []
    for text in texts:
        ids = backbone.prompt.encode(text)
        if len(ids) >= _WINDOW and len(found) < number:
            found.append(ids[:_WINDOW])
    return found


@torch.no_grad()
def _perplexity(ours: Backbone, base: Backbone, windows: Sequence[list[int]]) -> tuple[float, float]:
    means = []
    for backbone in (ours, base):
        losses = []
        for ids in windows:
            tokens = torch.tensor([ids], device=backbone.device)
            logits = backbone.model(tokens).logits[0, :-1].float()
            losses.append(float(F.cross_entropy(logits, tokens[0, 1:])))
        means.append(round(math.exp(statistics.fmean(losses)), 3))
    return means[0], means[1]


def _reading_s(ours: Backbone, base: Backbone, windows: Sequence[list[int]]) -> tuple[float, float]:
    def visit(backbone: Backbone, ids: list[int]) -> float:
        return seconds(lambda: backbone.runner.forward(ids, backbone.empty_kv()))

    return _in_turn(visit, ours, base, windows)


def _decoding_s(ours: Backbone, base: Backbone, windows: Sequence[list[int]]) -> tuple[float, float]:
    def visit(backbone: Backbone, ids: list[int]) -> float:
        kv = backbone.empty_kv()
        backbone.runner.forward(ids, kv)
        return seconds(lambda: [backbone.runner.forward([token], kv) for token in ids[:_DECODED]]) / _DECODED

    return _in_turn(visit, ours, base, windows)


def _in_turn(
    visit: Callable[[Backbone, list[int]], float], ours: Backbone, base: Backbone, windows: Sequence[list[int]]
) -> tuple[float, float]:
    """Medians; each side is visited once before any time is taken."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(_ROUNDS + 1):
        for times, backbone in zip(found, (ours, base), strict=True):
            times.append(visit(backbone, windows[number % len(windows)]))
    first, second = (round(statistics.median(times[1:]), 5) for times in found)
    return first, second


@torch.no_grad()
def _routing(backbone: Backbone, data: Path, prose: Sequence[list[int]]) -> Iterator[Routed]:
    texts = read_sets(data / "qa", "test", ("wtq-training", "policyqa-dev", "friendsqa-dev"))
    kinds: Mapping[str, Sequence[Sequence[int]]] = {
        KINDS[0]: prose,
        **{
            kind: [backbone.prompt.encode(passage.context)[:_WINDOW] for passage in texts[name][: len(prose)]]
            for kind, name in zip(KINDS[1:4], ("wtq", "policyqa", "friendsqa"), strict=True)
        },
        KINDS[4]: [
            backbone.prompt.encode(path.read_text("utf-8"))[:_WINDOW]
            for path in sorted((_ROOT / "ingest").rglob("*.py"))[: len(prose)]
        ],
        KINDS[5]: [TokenStream.of([page], backbone.prompt).token_ids for page in _scanned(data)],
    }
    model = backbone.model
    assert isinstance(model, LeafMoEForCausalLM), "the packaged model with experts was loaded"
    for kind, sequences in kinds.items():
        load = ExpertLoad(model, 1)
        for tokens in sequences:
            counted = _counted(tokens, kind == KINDS[5])
            states = embedded(tokens, model.get_input_embeddings(), backbone.device)[None]
            with load.counting(counted.to(backbone.device)):
                model.model(inputs_embeds=states)
        yield Routed(kind, int(load.tokens[0].sum()), load.share()[:, 0])


def _counted(tokens: Sequence[int], only_mixtures: bool) -> torch.Tensor:
    """(1, S): the tokens that count; of a scan the patch tokens alone."""
    counted = torch.full((1, len(tokens)), IGNORED if only_mixtures else 0)
    if only_mixtures and isinstance(tokens, Tokens):
        counted[0, [at for at, _ in tokens.mixtures]] = 0
    return counted


def _scanned(data: Path) -> Iterator[Document]:
    """Receipts, degraded enough that recognition has doubts."""
    for scan in scans(data, _PAGES, 0):
        if scan.kind == SETS[0]:
            image = degraded(scan.image(), _DEGRADATION, 0)
            page = page_from_recognised(recognise(image, find_rotation=False), page_no=1, size_px=image.size)
            yield Document(scan.name, scan.name, Kind.IMAGE, (page,))
