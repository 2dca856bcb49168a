"""What stands before the page: who may ask, what is answered to whom, where uploads go."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.errors import BadRequest, BadSetting
from app.settings import Settings
from app.web.host.guard import Guard
from app.web.host.serving import bind, check_reach, web_app
from app.web.host.uploads import Uploads
from app.web.page import build
from app.web.services import Services
from ingest.errors import SourceTooLarge
from ingest.options import Limits

HERE = "http://127.0.0.1:7860"


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(web_app(build(services), services, "127.0.0.1"), base_url=HERE) as opened:
        yield opened


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def write(uploads: Uploads, batch: str, path: str, *parts: bytes) -> int:
    return asyncio.run(uploads.write(batch, path, _chunks(*parts)))


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy.replace("'self'", "")
    assert "fonts.googleapis" not in page.text
    assert client.get("/theme.css").text.count("@import") == 0


def test_analytics_run_history_and_api_pages_are_off(client: TestClient) -> None:
    config = client.get("/config").json()
    assert config["analytics_enabled"] is False
    assert config["footer_links"] == []
    assert all(event["api_visibility"] == "private" for event in config["dependencies"])
    assert client.get("/gradio_api/runs").status_code == 404
    assert client.get("/docs").status_code == 404


def test_gradio_keeps_no_statistics_of_events(services: Services) -> None:
    queue = build(services)._queue
    queue.events_recorded = 10_000
    assert queue.compute_analytics_summary([{"function": "f"}]) == {"functions": {}}


def test_another_host_name_is_refused(client: TestClient) -> None:
    refused = client.get("/", headers={"host": "rebound.example:7860"})
    assert refused.status_code == 403
    assert "does not answer for the host name 'rebound.example:7860'; open it as 127.0.0.1 or localhost" in refused.text
    assert client.get("/config", headers={"host": "[::1]:7860"}).status_code == 200
    assert client.get("/config", headers={"host": "[broken"}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_another_site_cannot_change_anything(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/uploads", headers=headers).status_code == 403
    assert client.post("/gradio_api/queue/join", headers=headers, json={}).status_code == 403
    assert client.post("/uploads", headers={"origin": HERE}).status_code == 200


def test_gradios_own_upload_door_is_shut(client: TestClient) -> None:
    assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 403


def test_uploads_keep_their_folders_and_never_leave_their_batch(client: TestClient, services: Services) -> None:
    batch = client.post("/uploads").json()["batch"]
    assert client.put(f"/uploads/{batch}", params={"path": "repo/src/a.py"}, content=b"a = 1\n").json() == {"bytes": 6}
    refused = client.put(f"/uploads/{batch}", params={"path": "../../evil"}, content=b"x")
    assert refused.status_code == 400
    assert "'../../evil' cannot be stored under that name; rename the file" in refused.json()["detail"]
    ((folder, name),) = services.uploads.hand_over(batch)
    assert name == "repo"
    assert (folder / "src" / "a.py").read_bytes() == b"a = 1\n"
    assert client.put(f"/uploads/{batch}", params={"path": "late"}, content=b"x").status_code == 400


def test_a_page_image_is_sent_and_never_stored(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.longleaf, "page_image", lambda leaf, index, dpi: f"{leaf} {index} {dpi}".encode())
    image = client.get("/page/abc/3.png?dpi=72")
    assert image.content == b"abc 3 72"
    assert image.headers["cache-control"] == "private, no-store"
    assert client.get("/page/abc/3.png?dpi=5000").status_code == 400


def test_a_page_that_is_not_there_says_so(client: TestClient) -> None:
    missing = client.get("/page/abc/0.png")
    assert missing.status_code == 404
    assert "the library has no document with id abc" in missing.json()["detail"]


@pytest.mark.parametrize("path", ["", "/", "..", "a/../b", "a\\..\\b", "bad\x00name", "n" * 300, "tab\tname"])
def test_bad_paths_are_refused(uploads: Uploads, path: str) -> None:
    with pytest.raises(BadRequest, match="cannot be stored under that name"):
        write(uploads, uploads.open(), path, b"x")


def test_the_same_name_twice_keeps_both(uploads: Uploads) -> None:
    batch = uploads.open()
    write(uploads, batch, "a.txt", b"1")
    write(uploads, batch, "a.txt", b"2")
    assert [name for _, name in uploads.hand_over(batch)] == ["a (2).txt", "a.txt"]


def test_limits_of_an_upload(tmp_path: Path) -> None:
    limits = Limits(max_file_bytes=4, max_archive_bytes=6, max_archive_members=3)
    uploads = Uploads(tmp_path / "u", limits)
    batch = uploads.open()
    with pytest.raises(SourceTooLarge, match=r"big\.bin is over the limit of 4 bytes a file"):
        write(uploads, batch, "big.bin", b"123", b"45")
    assert not list((tmp_path / "u").rglob("big.bin"))
    with pytest.raises(SourceTooLarge, match="over the limit of 6 bytes in all"):
        write(uploads, batch, "b.bin", b"12")
    write(uploads, batch, "c")
    with pytest.raises(SourceTooLarge, match="more than 3 files"):
        write(uploads, batch, "d")
    uploads.close()


def test_an_empty_batch_is_refused(uploads: Uploads) -> None:
    with pytest.raises(BadRequest, match="nothing was uploaded"):
        uploads.hand_over(uploads.open())


def test_what_a_killed_process_left_is_removed_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    root = tmp_path / "uploads"
    alive = Uploads(root)
    write(alive, alive.open(), "mine.txt", b"x")
    (root / "dead").mkdir()
    (root / "dead" / "theirs.txt").write_text("x")
    (root / "dead.lock").touch()
    Uploads(root).close()
    assert [path.name for path in root.rglob("*.txt")] == ["mine.txt"]
    alive.close()
    assert list(root.iterdir()) == []


def test_an_open_stream_ends_cleanly_when_the_server_stops() -> None:
    sent: list[Message] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def scenario() -> None:
        guard = Guard(endless, "127.0.0.1")
        scope: Scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"127.0.0.1")]}
        request = asyncio.create_task(guard(scope, receive, send))
        await asyncio.sleep(0.01)
        guard.end()
        await request

    asyncio.run(scenario())
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_taken_port_is_one_sentence(settings: Settings) -> None:
    with bind(Settings(data_dir=settings.data_dir, port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadSetting, match=f"cannot listen on 127.0.0.1 port {port}: .*; close what uses it"):
            bind(Settings(data_dir=settings.data_dir, port=port))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host": "0.0.0.0"}, "listening on 0.0.0.0 would open your documents to all .*; give --auth-file FILE"),
        ({"host": "::"}, "listening on :: would open"),
        ({"share": True}, "--share would open your documents to everybody .*; give --auth-file FILE .* --public-demo"),
        ({"auth_file": Path("a"), "public_demo": True}, "either for people or for visitors"),
    ],
)
def test_the_page_is_not_opened_to_others_without_a_door(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadSetting, match=sentence):
        check_reach(Settings(**given))


def test_a_page_of_one_person_on_this_machine_needs_no_door() -> None:
    check_reach(Settings())
    check_reach(Settings(host="localhost"))
    check_reach(Settings(host="0.0.0.0", auth_file=Path("team.json"), share=True))


def test_conversations_and_feedback_are_downloaded_never_shown(
    client: TestClient, services: Services, texts: SimpleNamespace
) -> None:
    entry = services.longleaf.add(texts.lease)
    list(services.longleaf.ask([entry.id], "When does the lease begin?", conversation="c1"))
    services.longleaf.history.judge(services.longleaf.history.answers("c1")[0].number, "right")
    for form, kind in (("md", "text/markdown"), ("html", "text/html"), ("json", "application/json")):
        got = client.get(f"/export/c1.{form}")
        assert got.headers["content-type"].startswith(kind)
        assert got.headers["content-disposition"] == f'attachment; filename="longleaf-c1.{form}"'
        assert got.headers["cache-control"] == "private, no-store"
        assert "The lease begins in March." in got.text
    assert client.get("/export/feedback.json").json()[0]["feedback"] == {"verdict": "right", "note": ""}
    assert "there is no conversation 'c2'" in client.get("/export/c2.md").json()["detail"]
    assert client.get("/export/c1.exe").status_code == 404
    assert client.get("/export/..%2fcatalogue.sqlite").status_code == 404
