"""A gigabyte over the limit, as a real stream to a real server: one sentence, and neither memory nor disk for it."""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.web.host.serving import web_app
from app.web.host.uploads import Uploads
from app.web.page import build
from app.web.services import Services
from ingest.options import MIB, Limits
from tests.app.web.browsing import served

pytestmark = pytest.mark.slow
GIB = 1024 * MIB
PIECE = bytes(MIB)


class Sent:
    """So many bytes, made while they are sent; remembers how many were taken."""

    def __init__(self, num_bytes: int) -> None:
        self.left, self.taken = num_bytes, 0

    def __iter__(self) -> Iterator[bytes]:
        while self.left > 0:
            self.left -= len(PIECE)
            self.taken += len(PIECE)
            yield PIECE


@pytest.fixture
def small_server(services: Services, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """host:port of a server that takes files of 8 MB, and where its uploads lie."""
    folder = tmp_path / "small"
    uploads = Uploads(folder, Limits(max_file_bytes=8 * MIB))
    small = Services(services.longleaf, services.jobs, uploads, (), paths_allowed=False)
    with served(web_app(build(small), small, "127.0.0.1")) as address:
        yield address.removeprefix("http://"), folder
    uploads.close()


def batch_at(address: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", "/uploads")
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer.split('"')[3]


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("door", ["page", "programs"])
def test_what_says_that_it_is_too_large_is_refused_before_it_is_read(small_server: tuple[str, Path], door: str) -> None:
    address, folder = small_server
    path = f"/uploads/{batch_at(address)}?path=big.bin" if door == "page" else "/api/documents?name=big.bin"
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.putrequest("PUT" if door == "page" else "POST", path)
    connection.putheader("content-length", str(GIB + 1))
    connection.endheaders()
    connection.send(b"x")  # one byte of them
    refused = connection.getresponse()
    said = refused.read().decode()
    connection.close()
    assert refused.status == 413
    assert "big.bin is over the limit of 8,388,608 bytes a file" in said
    assert on_disk(folder) == 0


def test_what_does_not_say_so_is_cut_off_at_the_limit(small_server: tuple[str, Path]) -> None:
    address, folder = small_server
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    stored: list[int] = []
    body = Sent(GIB)

    def watched() -> Iterator[bytes]:
        for piece in body:
            stored.append(on_disk(folder))
            yield piece

    connection = http.client.HTTPConnection(address, timeout=120)
    try:
        connection.request(
            "PUT", f"/uploads/{batch_at(address)}?path=big.bin", watched(), encode_chunked=True,
            headers={"transfer-encoding": "chunked"},
        )  # fmt: skip
        refused = connection.getresponse()
        assert refused.status == 413
        assert "big.bin is over the limit" in refused.read().decode()
    finally:
        connection.close()
    assert body.taken == GIB
    assert max(stored) <= 9 * MIB
    assert on_disk(folder) == 0
    assert process.memory_info().rss - before < 64 * MIB
