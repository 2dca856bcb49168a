"""Gradient x input against what really changes when an embedding is scaled, and on the packaged model."""

from pathlib import Path

import pytest
import torch
from platformdirs import user_cache_dir

from ingest.document import Document, Kind, Page
from llm.answer import Answer, Citation, Coverage, ModelName, Timing
from llm.attribution import _weights, around_citations, influences
from llm.backbone import Backbone, load_backbone
from llm.close_reading import Excerpt
from llm.tokens import Tokens, embedded

LAW = "This agreement is governed by the laws of Ireland."
TEXT = f"The supplier delivers the boxes on Monday. {LAW} The client pays within thirty days."


def document(text: str = TEXT) -> Document:
    return Document("d" * 64, "contract.txt", Kind.TEXT, pages=(Page(1, text),))


def test_a_weight_is_what_the_answer_gains_from_the_embedding(tiny: Backbone) -> None:
    tokens = Tokens(list(range(20, 44)))
    weights = _weights(tiny, tokens, 3)
    embed = tiny.model.get_input_embeddings()

    def gained(scale: float, at: int) -> float:
        states = embedded(tokens, embed, tiny.device)
        states[at] *= scale
        with torch.no_grad():
            logits = tiny.model(inputs_embeds=states[None], use_cache=False).logits[0, -4:-1].log_softmax(-1)
        return float(logits.gather(1, torch.tensor([[41], [42], [43]])).double().sum())

    largest = max(map(abs, weights))
    for at in range(20):
        slope = (gained(1.1, at) - gained(0.9, at)) / 0.2
        assert weights[at] == pytest.approx(slope, abs=0.1 * largest)


def test_every_token_of_text_has_its_characters_and_shares_sum_to_one(tiny: Backbone) -> None:
    excerpt = Excerpt(document(), 0, 0, TEXT.index("This"), TEXT.index("The client"))
    found = influences(tiny, [excerpt], "Which law?", "Ireland")
    assert "".join(TEXT[one.start : one.end] for one in found).strip() == LAW
    assert sum(abs(one.share) for one in found) == pytest.approx(1)
    assert {(one.source, one.page_index) for one in found} == {("contract.txt", 0)}


def test_the_packaged_model_rests_on_the_word_that_it_answers() -> None:
    backbone = load_backbone(None, cache_dir=Path(user_cache_dir("longleaf", appauthor=False)), threads=1)
    found = influences(backbone, [Excerpt(document(), 0, 0, 0, len(TEXT))], "Which law governs it?", "Ireland")
    best = sorted(found, key=lambda one: -abs(one.share))[:3]
    assert " Ireland" in {TEXT[one.start : one.end] for one in best}
    inside = sum(abs(one.share) for one in found if TEXT.index(LAW) <= one.start < TEXT.index(LAW) + len(LAW))
    assert inside > 0.5  # though it is a third of the text


def test_passages_lie_around_the_citations_and_overlap_only_once() -> None:
    long = document("a" * 600 + LAW + "b" * 2000 + LAW)
    at = (600, 620, 600 + len(LAW) + 2000)
    citations = tuple(
        Citation("contract.txt", "d" * 64, None, (1, 1), None, LAW, True, 0, start, start + 10) for start in at
    )
    answer = Answer(
        "q", "a", True, citations, Coverage(1, 1, 1, 9, 9), Timing(0, 0, 0, 0, 0, 0, 0), ModelName("m", "r")
    )
    found = around_citations(answer, [long])
    assert [(one.start, one.end) for one in found] == [(100, 1130), (2150, 2700)]
