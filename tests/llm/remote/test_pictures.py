"""Page images for a server: they go before the text, unchanged from question to question, as many as fit."""

from pathlib import Path
from typing import Any

from ingest.document import Document, Kind, Page, TextOrigin
from llm.answer import Answered, AskOptions
from llm.remote.engine import RemoteEngine
from llm.remote.pictures import RemotePictures
from tests.llm.remote.fake_server import says, serving

LINE = "The rent is nine hundred crowns."
OPTIONS = AskOptions(max_new_tokens=16)


def scan(num_pages: int = 2) -> Document:
    pages = tuple(
        Page(
            number + 1, LINE, width_pt=280.0, height_pt=140.0,
            origin=TextOrigin.LAYER if number == 0 else TextOrigin.OCR,
        )
        for number in range(num_pages)
    )  # fmt: skip
    return Document("f" * 64, "lease.pdf", Kind.PDF, pages=pages)


def png(document_id: str, page_index: int, dpi: int) -> bytes:
    return f"page {page_index} at {dpi}".encode()


def contents(url: str, folder: Path, *, all_pages: bool, page_px: int = 280) -> Any:
    engine = RemoteEngine.connect(
        f"openai:{url}", state_dir=folder, api_key=None, timeout_s=20, limit_tokens=None, page_px=page_px
    )
    engine.show_pages(png, all_pages=all_pages)
    *_, last = engine.ask([scan()], "What is the rent?", OPTIONS)
    assert isinstance(last, Answered)
    assert last.answer.found
    return engine


def test_recognised_pages_go_before_the_text_and_stay_the_same(tmp_path: Path) -> None:
    with serving(says("nine hundred crowns")) as (url, log):
        engine = contents(url, tmp_path, all_pages=False)
        list(engine.ask([scan()], "How much is it?", OPTIONS))
    first, second = (body["messages"][0]["content"] for body in log.bodies)
    assert [part["type"] for part in first] == ["image_url", "text"]
    assert first[0] == second[0]
    assert first[0]["image_url"]["url"] == "data:image/png;base64,cGFnZSAxIGF0IDcy"  # page 1 at 72
    assert LINE in first[1]["text"]


def test_all_pages_are_sent_where_that_was_asked_for_at_the_size_that_was(tmp_path: Path) -> None:
    with serving(says("nine hundred crowns")) as (url, log):
        contents(url, tmp_path, all_pages=True, page_px=560)
    kinds = [part["type"] for part in log.bodies[0]["messages"][0]["content"]]
    assert kinds == ["image_url", "image_url", "text"]


def test_pictures_count_and_those_that_do_not_fit_stay_behind() -> None:
    pictures = RemotePictures(png, all_pages=True, max_side_px=280)
    assert pictures.num_tokens([scan()]) == 2 * 10 * 5
    assert len(list(pictures.urls([scan()], None, 99))) == 1
    assert len(list(pictures.urls([scan()], {("f" * 64, 1)}, 100))) == 1
    assert not list(pictures.urls([scan()], set(), 100))
