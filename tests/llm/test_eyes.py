"""Eyes: tiny checkpoints with their families' own processors, page images laid out, read, asked about and cited."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image, ImageDraw
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from ingest.document import Box, Document, Kind, Page, Span, TextOrigin
from llm.answer import Answered, AskOptions
from llm.engine import Engine
from llm.errors import ModelNotFound
from llm.pages import PageSource
from llm.stream import TextRange, TokenStream
from tests.llm.conftest import write_tiny_checkpoint

TEXT = "The rent is nine hundred crowns.\nThe lease begins in March."
WIDTH, HEIGHT = 112.0, 56.0
_TEXT_MODEL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
}  # fmt: skip
_CHAT = (
    "{% for message in messages %}<|start|>{% for part in message['content'] if message['content'] is not string %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ message['content'] if message['content'] is string }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>{% endif %}"
)


def tokenizer_in(folder: Path, specials: list[str], marker: str) -> PreTrainedTokenizerFast:
    """Single bytes, and the tokens that stand around pictures."""
    write_tiny_checkpoint(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": [AddedToken(one, special=True) for one in specials]})
    tokenizer.pad_token = "<|end|>"
    tokenizer.chat_template = _CHAT.replace("IMAGE", marker)
    return tokenizer


def write_smolvlm(folder: Path) -> Path:
    """Pictures of at most 112 pixels, cut into tiles of 28, two by two patches each, and the whole as a last tile."""
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    specials = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *rows]
    tokenizer = tokenizer_in(folder, specials, "<image>")
    images = transformers.SmolVLMImageProcessorPil(size={"longest_edge": 112}, max_image_size={"longest_edge": 28})
    processor = transformers.Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=tokenizer.chat_template
    )
    tower = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
        "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    config = transformers.Idefics3Config(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **_TEXT_MODEL}, vision_config=tower,
        scale_factor=1, image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    return _written(folder, transformers.Idefics3ForConditionalGeneration(config), processor)


def write_qwen(folder: Path) -> Path:
    """Patches of 14 pixels, four of them a token; positions follow rows and columns."""
    specials = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = tokenizer_in(folder, specials, "<|vision_start|><|image_pad|><|vision_end|>")
    images = transformers.Qwen2VLImageProcessorPil(
        patch_size=14, size={"shortest_edge": 28 * 28, "longest_edge": 10**6}
    )
    tower = {
        "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32, "patch_size": 14,
        "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [2, 1, 1], "mrope_interleaved": True}
    config = transformers.Qwen3VLConfig(
        text_config={"vocab_size": len(tokenizer), "head_dim": 8, "rope_parameters": rope, **_TEXT_MODEL},
        vision_config=tower,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )
    model = transformers.Qwen3VLForConditionalGeneration(config)
    images.save_pretrained(folder)
    return _written(folder, model, tokenizer)


def write_llama4(folder: Path) -> Path:
    """Tiles of 28 pixels, one token each."""
    pytest.importorskip("torchvision", reason="Llama 4's image processor needs torchvision", exc_type=Exception)
    specials = [
        "<|image|>", "<|image_start|>", "<|image_end|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>"
    ]  # fmt: skip
    tokenizer = tokenizer_in(folder, specials, "<|image|>")
    images = transformers.Llama4ImageProcessor(size={"height": 28, "width": 28})
    processor = transformers.Llama4Processor(images, tokenizer, chat_template=tokenizer.chat_template)
    vision = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 128,
        "image_size": 28, "patch_size": 14, "vision_output_dim": 32, "projector_input_dim": 32,
        "projector_output_dim": 32,
    }  # fmt: skip
    text = _TEXT_MODEL | {
        "head_dim": 8, "intermediate_size_mlp": 48, "num_local_experts": 2, "attention_chunk_size": 512,
        "vocab_size": len(tokenizer),
    }  # fmt: skip
    config = transformers.Llama4Config(
        text_config=text, vision_config=vision, image_token_index=tokenizer.convert_tokens_to_ids("<|patch|>")
    )
    return _written(folder, transformers.Llama4ForConditionalGeneration(config), processor)


def _written(folder: Path, model: Any, processor: Any) -> Path:
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 1 if "embed_tokens" in name else 0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def page_image(colour: str = "black") -> bytes:
    image = Image.new("RGB", (int(WIDTH), int(HEIGHT)), "white")
    ImageDraw.Draw(image).rectangle((10, 10, 60, 40), fill=colour)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def scan(number: int = 0) -> Document:
    """A page whose text was recognised: its first line in the upper half, its second in the lower one."""
    spans = (Span(0, 32, Box(0, 6, WIDTH, 22)), Span(33, len(TEXT), Box(0, 34, WIDTH, 50)))
    page = Page(1, TEXT, spans, width_pt=WIDTH, height_pt=HEIGHT, origin=TextOrigin.OCR)
    return Document(f"{number:064}", "lease.png", Kind.IMAGE, pages=(page,))


def write_gemma(folder: Path) -> Path:
    """Patches of 2 pixels, every 3 x 3 of them a token; a budget of tokens is filled whatever the size."""
    specials = ["<|image>", "<image|>", "<|image|>"]
    tokenizer = tokenizer_in(folder, specials, "<|image|>")
    images = transformers.Gemma4ImageProcessorPil(patch_size=2)
    text = _TEXT_MODEL | {
        "head_dim": 8, "global_head_dim": 8, "vocab_size": len(tokenizer), "sliding_window": 20,
        "hidden_size_per_layer_input": 0, "use_bidirectional_attention": "vision", "num_kv_shared_layers": 0,
    }  # fmt: skip
    tower = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "intermediate_size": 64, "head_dim": 16, "patch_size": 2,
    }  # fmt: skip
    begin, end, image = tokenizer.convert_tokens_to_ids(specials)
    config = transformers.Gemma4Config(
        text_config=text, vision_config=tower, image_token_id=image, boi_token_id=begin, eoi_token_id=end
    )
    model = transformers.Gemma4ForConditionalGeneration(config)
    images.save_pretrained(folder)
    return _written(folder, model, tokenizer)


FAMILIES = {
    # what a picture of 112 x 56 pixels becomes: patches, and rows and columns
    "SmolVLM": (write_smolvlm, (4 * 2 + 1) * 4, None),
    "Qwen3-VL": (write_qwen, 2 * 4, (2, 4)),
    "Llama 4": (write_llama4, 4 * 2 + 1, None),
    # 112 x 56 pixels of 6 x 6 a token are 174, so 140 tokens at most: 16 columns and 8 rows
    "Gemma 4": (write_gemma, 16 * 8, None),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    write: Callable[[Path], Path] = FAMILIES[request.param][0]
    return request.param, write(tmp_path_factory.mktemp("eyes"))


def engine_of(folder: Path, state: Path, source: PageSource, *, all_pages: bool = False) -> Engine:
    engine = Engine.load(
        str(folder), state_dir=state, cache_dir=state, dtype="float32", threads=1, page_px=int(WIDTH)
    )  # fmt: skip
    engine.show_pages(source, all_pages=all_pages)
    return engine


def test_a_page_becomes_patches_with_boxes_and_is_read_with_them(family: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = family
    _, num_patches, grid = FAMILIES[name]
    asked: list[tuple[str, int, int]] = []

    def source(document_id: str, page_index: int, dpi: int) -> bytes:
        asked.append((document_id, page_index, dpi))
        return page_image()

    engine = engine_of(folder, tmp_path, source)
    document = scan()
    [stream] = engine._desk.streams([document])
    runs = stream.token_ids.runs
    assert not asked  # no pixels are needed to lay a stream out
    assert sum(run.count for run in runs) == num_patches
    assert runs[0].picture.grid == grid
    boxes = runs[0].picture.boxes
    assert boxes[0][:2] == (0, 0)
    assert all(box.x0 < box.x1 <= WIDTH and box.y0 < box.y1 <= HEIGHT for box in boxes)
    assert max(box.x1 for box in boxes) == WIDTH
    assert max(box.y1 for box in boxes) == HEIGHT
    *_, last = engine.ask([document], "What is the rent?", AskOptions(max_new_tokens=4))
    assert isinstance(last, Answered)
    assert asked == [(document.id, 0, 72)]
    assert last.answer.coverage.tokens_read == len(stream)
    assert engine.tokens_read([document]) == len(stream)


def test_patches_stand_for_the_characters_that_they_show(family: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = family
    engine = engine_of(folder, tmp_path, lambda *_: page_image())
    [stream] = engine._desk.streams([scan()])
    run = stream.token_ids.runs[0]
    [first] = stream.places(run.at, run.at + 1)
    assert TEXT[first.start : first.end].startswith("The")
    words = TextRange(0, 0, TEXT.index("March"), TEXT.index("March") + 5)
    tokens = stream.tokens(words)
    assert engine._backbone.tokenizer.decode(stream.token_ids[tokens.start : tokens.stop]) == "March"


def test_another_picture_is_another_reading(family: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = family
    colours = {scan(1).id: "black", scan(2).id: "red"}
    engine = engine_of(folder, tmp_path, lambda document_id, *_: page_image(colours[document_id]))
    states = []
    for document in (scan(1), scan(2)):
        list(engine.read([document]))
        session = engine._desk.session([document])
        states.append(session.layers[-1].shown()[1])
    assert states[0].shape == states[1].shape
    assert (states[0] - states[1]).abs().max() > 1e-3
    assert engine.forget([scan(1).id]) > 0


def test_pages_with_exact_text_are_shown_only_when_all_are_asked_for(tmp_path: Path) -> None:
    folder = write_smolvlm(tmp_path / "model")
    exact = Document("e" * 64, "lease.pdf", Kind.PDF, pages=(Page(1, TEXT, width_pt=WIDTH, height_pt=HEIGHT),))
    for all_pages in (False, True):
        engine = engine_of(folder, tmp_path / "state", lambda *_: page_image(), all_pages=all_pages)
        [stream] = engine._desk.streams([exact])
        assert bool(stream.token_ids.runs) == all_pages
        assert isinstance(stream, TokenStream)


def test_a_model_without_eyes_is_one_sentence(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="'llama' cannot be shown page images: it has no image tower; leave --page"):
        Engine.load(str(tiny_folder), state_dir=tmp_path, cache_dir=tmp_path, threads=1, page_px=100)
