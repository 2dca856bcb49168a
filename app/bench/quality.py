"""Answers with the right context given: the model alone, on contexts of every question set that no training saw."""

from pathlib import Path

from app.bench.report import Report
from app.settings import Settings
from llm.backbone import load_backbone
from llm.training.evaluate import WORDING_OF_OTHERS, evaluate, evaluation_examples
from llm.training.examples import load_passages

_NOTE = (
    "F1 and exact match of answered questions, and balanced accuracy of refusing those that the context does not "
    "answer. The context is given, alone; a model that was not trained here is told to answer with a few words of it. "
    "Small samples: a set's figure may be off by 0.1."
)


def run(settings: Settings, data: Path, questions: int) -> Report:
    """About `questions` answered questions of each set, with unanswered ones. Raises ModelNotFound."""
    backbone = load_backbone(
        settings.model, cache_dir=settings.cache_dir, device=settings.device, dtype=settings.dtype,
        threads=settings.threads,
    )  # fmt: skip
    examples, too_long = evaluation_examples(load_passages(data / "qa", "test"), backbone.prompt, questions)
    name = backbone.name.name
    wordings = {} if backbone.reads_one_by_one else {name: WORDING_OF_OTHERS}
    scores = {kind: by[name] for kind, by in evaluate({name: backbone}, examples, wordings=wordings).items()}
    rows = [
        {
            "set": kind,
            "F1": found["f1"],
            "exact match": found["exact"],
            "refusing": found["refusal_balanced_accuracy"],
            "answered": int(found["answered"]),
            "unanswered": int(found["unanswered"]),
        }
        for kind, found in scores.items()
    ]
    return Report("Answers with the right context given", backbone.name, rows, _NOTE, {"contexts_too_long": too_long})
