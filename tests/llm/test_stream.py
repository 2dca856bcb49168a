"""Token streams: tokens and characters point at each other, and a stream from disk is the stream."""

from pathlib import Path

import pytest

from ingest.document import Document, Kind, Page
from llm.backbone import Backbone
from llm.stream import TextRange, TokenStream
from llm.stream_store import StreamStore

PAGES = ("Die Miete beträgt 950 €.", "", "The rent is 950 euros. " * 300)


def paged(name: str = "lease.pdf") -> Document:
    return Document("lease", name, Kind.TEXT, pages=tuple(Page(i + 1, text) for i, text in enumerate(PAGES)))


def test_every_token_of_the_text_points_at_its_characters_and_back(tiny: Backbone) -> None:
    document = paged()
    stream = TokenStream.of([document], tiny.prompt)
    place = TextRange(0, 2, 12, 21)
    assert PAGES[2][place.start : place.end] == "950 euros"
    tokens = stream.tokens(place)
    assert tiny.tokenizer.decode(list(stream.token_ids[tokens.start : tokens.stop])) == "950 euros"
    assert list(stream.places(tokens.start, tokens.stop)) == [place]
    whole = list(stream.places(0, len(stream)))
    assert [(at.page_index, at.start, at.end) for at in whole] == [(0, 0, len(PAGES[0])), (2, 0, len(PAGES[2]))]


def test_labels_stand_for_no_place(tiny: Backbone) -> None:
    stream = TokenStream.of([paged()], tiny.prompt)
    label = len(tiny.prompt.encode("[lease.pdf, page 1]\n"))
    assert list(stream.places(0, label)) == []
    assert next(stream.places(0, label + 3)).end == 3


def test_a_stream_from_disk_is_the_stream_that_was_encoded(tiny: Backbone, tmp_path: Path) -> None:
    first = StreamStore(tmp_path, tiny.prompt, "tokenizer").stream(paged())
    assert len(list(tmp_path.iterdir())) == 1
    again = StreamStore(tmp_path, tiny.prompt, "tokenizer").stream(paged())
    assert (again.token_ids, again.pages) == (first.token_ids, first.pages)


@pytest.mark.parametrize(("name", "identity"), [("other.pdf", "tokenizer"), ("lease.pdf", "another tokenizer")])
def test_another_name_or_tokenizer_is_encoded_anew(tiny: Backbone, tmp_path: Path, name: str, identity: str) -> None:
    StreamStore(tmp_path, tiny.prompt, "tokenizer").stream(paged())
    StreamStore(tmp_path, tiny.prompt, identity).stream(paged(name))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_file_is_made_again_and_a_forgotten_one_goes(tiny: Backbone, tmp_path: Path) -> None:
    store = StreamStore(tmp_path, tiny.prompt, "tokenizer")
    expected = store.stream(paged()).token_ids
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert store.stream(paged()).token_ids == expected
    assert store.bytes_of(["lease"]) == store.forget(["lease"]) > 4 * len(expected)
    assert list(tmp_path.iterdir()) == []
