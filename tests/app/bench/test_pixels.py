"""Every page is asked about at every degradation and in every way, once."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from app.bench import pixels
from app.bench.pixels import WAYS, PixelsBench, line
from app.bench.scans import SETS, Scan
from app.bench.subject import Subject
from ingest.document import Doubt
from llm.prompt import Prompt
from llm.training.patches import page_image
from vision import Seen
from vision.degradation import LEVELS

TEXT = "The ferry to the outer isles leaves at 14:20 from the north quay."


def one_page(*_: object) -> list[Scan]:
    return [Scan(SETS[2], "page.png", printed, TEXT, (("When does it leave?", ("14:20",)), ("Where?", ("the quay",))))]


def printed() -> Image.Image:
    return page_image([TEXT], "helv", 11)


def test_a_page_is_asked_about_in_every_way_and_only_once(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "scans", one_page)
    shown: list[str] = []

    def answers(_: Subject, tokens: Sequence[int], seen: Seen, questions: Sequence[str], limit: int) -> list[str]:
        assert limit == pixels.MAX_NEW_TOKENS
        shown.append(seen.text)
        return ["at 14:20" if len(tokens) > len(TEXT) else "", "Not found in the document."][: len(questions)]

    monkeypatch.setattr(Subject, "answers", answers)
    report = PixelsBench(subject, tmp_path, tmp_path, pages=1, seed=0).run(lambda _: None)
    together = [row for row in report.rows if row["pages"] == "all"]
    assert [row["degradation"] for row in together] == list(LEVELS)
    assert [row["questions"] for row in together] == [2] * len(LEVELS)
    assert all(row[way] == pytest.approx(1 / 3, abs=1e-3) for row in together for way in WAYS)  # "at" is a word
    assert together[0]["ratio"] == 1
    assert TEXT in shown
    asked = len(shown)
    PixelsBench(subject, tmp_path, tmp_path, pages=1, seed=0).run(lambda _: None)
    assert len(shown) == asked


def test_the_tiny_model_answers_from_patch_tokens_and_from_text(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "scans", one_page)
    monkeypatch.setattr(pixels, "LEVELS", (3,))
    report = PixelsBench(subject, tmp_path, tmp_path, pages=1, seed=0).run(lambda _: None)
    told = report.details["answers"]
    assert len(told) == 2
    assert all(isinstance(row[f"{way} said"], str) and 0 <= row[way] <= 1 for row in told for way in WAYS)


def test_a_line_without_rows_has_no_ratio() -> None:
    empty = line("forms", 1, [])
    assert empty["questions"] == 0
    assert empty["ratio"] is None


def test_a_prompt_without_a_projector_leaves_what_is_doubtful_as_it_was_recognised(subject: Subject) -> None:
    assert isinstance(subject.prompt, Prompt)
    seen = subject.prompt.seen("14:2O", [Doubt(4, (("O", 0.6), ("0", 0.4)))])
    assert (seen.text, seen.is_doubtful) == ("14:2O", False)
