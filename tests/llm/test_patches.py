"""Patch tokens of the packaged model: from a page with doubts, through streams, prompts and the runner."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ingest.document import Box, Document, Doubt, Glyphs, Kind, Page, Span, TextOrigin
from llm.backbone import Backbone, load_backbone
from llm.close_reading import Excerpt, compose
from llm.patches import projector_of, save_projector
from llm.stream import TextRange, TokenStream
from llm.stream_store import StreamStore

LINES = ("INVOICE NO. 4711", "The agroement is under the low of Delaware.", "Total 12.30")
AGROEMENT, LOW = LINES[1].index("agroement"), LINES[1].index("low")


def scan(doubts: dict[int, tuple[Doubt, ...]]) -> Document:
    """A recognised page with these doubts by line."""
    text = "\n".join(LINES)
    spans = []
    for number, line in enumerate(LINES):
        start = text.index(line)
        glyphs = Glyphs((), doubts.get(number, ()))
        spans.append(Span(start, start + len(line), Box(0, number * 10, 90, number * 10 + 9), glyphs=glyphs))
    page = Page(1, text, tuple(spans), width_pt=100, height_pt=100, origin=TextOrigin.OCR)
    return Document("scan", "scan.png", Kind.IMAGE, (page,))


DOUBTED = scan({
    1: (Doubt(AGROEMENT + 3, (("o", 0.6), ("e", 0.39))), Doubt(LOW + 1, (("o", 0.5), ("a", 0.49)))),
    2: (Doubt(LINES[2].index("3"), (("3", 0.6), ("8", 0.39))),),
})  # fmt: skip


@pytest.fixture(scope="module")
def packaged() -> Backbone:
    from app.settings import Settings

    return load_backbone(None, cache_dir=Settings().cache_dir, threads=1)


def test_a_page_without_doubts_is_its_text(packaged: Backbone) -> None:
    stream = TokenStream.of([scan({})], packaged.prompt)
    assert stream.token_ids == packaged.prompt.encode("[scan.png, page 1]\n" + "\n".join(LINES) + "\n\n")


def test_doubtful_words_are_mixtures_of_what_they_may_be(packaged: Backbone) -> None:
    stream = TokenStream.of([DOUBTED], packaged.prompt)
    decode = packaged.tokenizer.decode
    assert "The agreement is under the low of Delaware." in decode(list(stream.token_ids))
    (_, word), (_, digit) = stream.token_ids.mixtures
    assert [decode([token]) for token in word.token_ids][:2] == [" low", " law"]
    assert [decode([token]) for token in digit.token_ids] == ["3", "8"]


def test_tokens_and_characters_still_point_at_each_other(packaged: Backbone) -> None:
    stream = TokenStream.of([DOUBTED], packaged.prompt)
    start = DOUBTED.pages[0].text.index(" low")
    tokens = stream.tokens(TextRange(0, 0, start, start + 4))
    assert next(at for at, _ in stream.token_ids.mixtures) in tokens
    assert list(stream.places(tokens.start, tokens.stop)) == [TextRange(0, 0, start, start + 4)]


def test_a_stream_from_disk_has_its_mixtures(packaged: Backbone, tmp_path: Path) -> None:
    pages = tuple(replace(DOUBTED.pages[0], page_no=number + 1) for number in range(120))
    long = replace(DOUBTED, pages=pages)
    first = StreamStore(tmp_path, packaged.prompt, "x").stream(long)
    assert len(list(tmp_path.iterdir())) == 1
    again = StreamStore(tmp_path, packaged.prompt, "x").stream(long)
    assert again is not first
    assert again.token_ids == first.token_ids
    assert len(again.token_ids.mixtures) == 240


def test_an_excerpt_carries_the_doubts_of_its_characters(packaged: Backbone) -> None:
    text = DOUBTED.pages[0].text
    start = text.index("Total")
    close = compose([Excerpt(DOUBTED, 0, 0, start, len(text))], packaged.prompt, 500)
    ((at, digit),) = close.token_ids.mixtures
    assert packaged.tokenizer.decode([close.token_ids[at]]) == "3"
    assert len(digit.token_ids) == 2


def test_the_model_takes_the_mixture_in(packaged: Backbone) -> None:
    with_doubts = TokenStream.of([DOUBTED], packaged.prompt).token_ids
    without = list(with_doubts)
    logits = [packaged.runner.forward(ids, packaged.empty_kv()) for ids in (with_doubts, without)]
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
    assert torch.nn.functional.cosine_similarity(logits[0], logits[1], dim=0) > 0.9


def test_a_projector_is_found_by_its_tokenizer_only(packaged: Backbone, tiny: Backbone, tmp_path: Path) -> None:
    projector = projector_of(packaged.tokenizer)
    assert projector is not None
    assert projector_of(tiny.tokenizer) is None
    save_projector(projector, packaged.tokenizer, tmp_path / "patches-again.safetensors")
    again = projector_of(packaged.tokenizer, tmp_path)
    assert again is not None
    assert again.identity() == projector.identity()
