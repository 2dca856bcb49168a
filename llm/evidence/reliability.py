"""How far the shipped calibration can be believed: `python -m llm.evidence.reliability QA_FOLDER --figure FILE.svg`.

Asks questions that neither the fit, nor its thresholds, nor any training has seen (the test runs of
`llm.evidence.examples`), compares the probability that was said with how often the documents did hold an answer, and
draws both. The expected calibration error is the mean distance of the two over tenths of the scale, weighted by
questions (Guo et al. 2017, arXiv:1706.04599).
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from platformdirs import user_cache_path

from llm.backbone import load_backbone
from llm.evidence.calibration import Regression, shipped
from llm.evidence.embedding import Embedder
from llm.evidence.observing import Observed, observe, observe_answers

_PANEL, _SIDE, _GAP = 250, 60, 90  # of the figure, in pixels


@dataclass(frozen=True, slots=True)
class Tenth:
    """The questions whose probability lies in one tenth of the scale."""

    said: float  # mean probability
    held: float  # share whose documents hold an answer
    questions: int

    def interval(self) -> tuple[float, float]:
        """95 % interval of the share (Wilson 1927)."""
        n, z = self.questions, 1.96
        middle = (self.held + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(self.held * (1 - self.held) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return middle - half, middle + half


def tenths(said: Sequence[float], held: Sequence[bool]) -> list[Tenth]:
    """Probabilities and what was so, by tenths of the scale; those without a question are left out."""
    found = []
    for tenth in range(10):
        inside = [at for at, value in enumerate(said) if min(int(value * 10), 9) == tenth]
        if inside:
            mean = sum(said[at] for at in inside) / len(inside)
            found.append(Tenth(mean, sum(held[at] for at in inside) / len(inside), len(inside)))
    return found


def expected_calibration_error(found: Sequence[Tenth]) -> float:
    """Between 0, where every probability is what happens, and 1."""
    total = sum(tenth.questions for tenth in found)
    return sum(abs(tenth.said - tenth.held) * tenth.questions for tenth in found) / total


def balanced_accuracy(said: Sequence[float], held: Sequence[bool], threshold: float) -> float:
    """The mean of the shares decided rightly among questions with and without an answer."""
    shares = []
    for holds in (True, False):
        decided = [(value >= threshold) == holds for value, own in zip(said, held, strict=True) if own == holds]
        shares.append(sum(decided) / len(decided))
    return sum(shares) / 2


def figure(panels: Sequence[tuple[str, Sequence[Tenth]]]) -> str:
    """An SVG: for each title, dots as large as their tenth has questions, their intervals, and the ideal line."""
    width = 2 * _SIDE + len(panels) * _PANEL + (len(panels) - 1) * _GAP
    drawn = "".join(_panel(_SIDE + at * (_PANEL + _GAP), *panel) for at, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_PANEL + 2 * _SIDE}" '
        'font-family="sans-serif" font-size="12" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{drawn}</svg>\n'
    )


def _panel(left: int, title: str, found: Sequence[Tenth]) -> str:
    def x(share: float) -> str:
        return f"{left + share * _PANEL:.1f}"

    def y(share: float) -> str:
        return f"{_SIDE + (1 - share) * _PANEL:.1f}"

    most = max(tenth.questions for tenth in found)
    parts = [
        f'<rect x="{x(0)}" y="{y(1)}" width="{_PANEL}" height="{_PANEL}" fill="none" stroke="#999"/>',
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#999" stroke-dasharray="4 4"/>',
        f'<text x="{x(0)}" y="{_SIDE - 28}" font-size="14">{title}</text>',
        f'<text x="{x(0)}" y="{_SIDE - 10}">{sum(tenth.questions for tenth in found)} questions, expected calibration '
        f"error {expected_calibration_error(found):.3f}</text>",
        f'<text x="{x(0.5)}" y="{_PANEL + _SIDE + 38}" text-anchor="middle">probability of an answer, as said</text>',
        f'<text transform="translate({left - 38} {y(0.5)}) rotate(-90)" text-anchor="middle">'
        "share that had an answer</text>",
    ]
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{x(share)}" y="{_PANEL + _SIDE + 18}" text-anchor="middle">{share:g}</text>')
        parts.append(f'<text x="{left - 8}" y="{y(share)}" dy="4" text-anchor="end">{share:g}</text>')
    for tenth in found:
        low, high = tenth.interval()
        at, radius = x(tenth.said), 2 + 8 * math.sqrt(tenth.questions / most)
        parts.append(f'<line x1="{at}" y1="{y(low)}" x2="{at}" y2="{y(high)}" stroke="#2f6f4f"/>')
        parts.append(f'<circle cx="{at}" cy="{y(tenth.held)}" r="{radius:.1f}" fill="#2f6f4f" fill-opacity="0.7"/>')
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the question files")
    parser.add_argument("--questions", type=int, default=80, help="of each file")
    parser.add_argument("--answers", type=int, default=300, help="questions that the model answers, too")
    parser.add_argument("--figure", type=Path, required=True, help="the SVG file that is written")
    options = parser.parse_args()
    backbone = load_backbone(None, cache_dir=user_cache_path("longleaf"), threads=1)
    seen = list(observe(options.folder, 3 * options.questions, Embedder(), splits=("test",)))
    answered = list(observe_answers(seen, options.answers, shipped("evidence"), backbone))
    judged = [
        ("From the passages found", shipped("evidence"), seen),
        ("With the model's answer", shipped("answer"), answered),
    ]
    panels = [(title, tenths(_said(regression, items), _held(items))) for title, regression, items in judged]
    options.figure.write_text(figure(panels), encoding="utf-8")
    results = [
        {
            "what": title,
            "questions": len(items),
            "expected_calibration_error": round(expected_calibration_error(found), 4),
            "balanced_accuracy": round(
                balanced_accuracy(_said(regression, items), _held(items), regression.threshold), 4
            ),
            "tenths": [asdict(tenth) for tenth in found],
        }
        for (title, regression, items), (_, found) in zip(judged, panels, strict=True)
    ]
    print(json.dumps({"model": asdict(backbone.name), "results": results}, indent=1))


def _said(regression: Regression, items: Sequence[Observed]) -> list[float]:
    return [regression.probability(item.numbers) for item in items]


def _held(items: Sequence[Observed]) -> list[bool]:
    return [item.holds_answer for item in items]


if __name__ == "__main__":
    main()
