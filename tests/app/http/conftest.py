"""The routes over the small engine, with the page's server around them."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi.testclient import TestClient

from app.http.api import TwoDoors, http_app
from app.http.guard import Door
from app.http.tokens import Tokens
from app.jobs import Jobs
from app.service import Longleaf
from app.settings import Settings
from app.web.host.guard import Guard
from app.web.host.serving import address_of, bind
from app.web.host.uploads import Uploads
from app.web.services import Services

HERE = "http://127.0.0.1:7860"


@pytest.fixture
def services(longleaf: Longleaf, settings: Settings) -> Iterator[Services]:
    jobs, uploads = Jobs(longleaf), Uploads(settings.data_dir / "uploads")
    yield Services(longleaf, jobs, uploads, (), paths_allowed=True)
    jobs.close()
    uploads.close()


@pytest.fixture
def tokens(settings: Settings, longleaf: Longleaf) -> Tokens:
    return Tokens(settings.data_dir)


def app_of(services: Services, tokens: Tokens, *, is_open: bool) -> Guard:
    api = http_app(services, Door(tokens, is_open=is_open))
    return Guard(TwoDoors(api, api), "127.0.0.1" if is_open else "0.0.0.0")


@pytest.fixture
def client(services: Services, tokens: Tokens) -> Iterator[TestClient]:
    """A program on this computer."""
    with TestClient(app_of(services, tokens, is_open=True), base_url=HERE, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def far(services: Services, tokens: Tokens) -> Iterator[TestClient]:
    """A program that reaches a server which listens on a network."""
    with TestClient(app_of(services, tokens, is_open=False), base_url="http://box:7860") as opened:
        yield opened


@pytest.fixture
def address(services: Services, tokens: Tokens, settings: Settings) -> Iterator[str]:
    """Of a server on a free port of this computer."""
    listening = bind(Settings(data_dir=settings.data_dir, port=0))
    config = uvicorn.Config(app_of(services, tokens, is_open=True), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield address_of(listening)
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def lease(client: TestClient, texts: SimpleNamespace) -> str:
    """The id of a document that was handed over."""
    return handed_over(client, "lease.txt", texts.lease.read_bytes())


def handed_over(client: TestClient, name: str, content: bytes) -> str:
    answer = client.post("/api/documents", params={"name": name}, content=content)
    assert answer.status_code == 202, answer.text
    job = finished(client, answer.json()["id"])
    assert job["stage"] == "done", job
    return str(job["document"])


def finished(client: TestClient, job_id: str) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while (job := client.get(f"/api/jobs/{job_id}").json())["stage"] not in ("done", "failed", "cancelled"):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return dict(job)
