"""A client that was generated from our OpenAPI document, without a warning, against a running server."""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.http.api import http_app
from app.http.guard import Door
from app.http.tokens import Tokens
from app.jobs import Jobs
from app.service import Longleaf
from app.settings import Settings
from app.web.host.uploads import Uploads
from app.web.services import Services

pytest.importorskip("openapi_python_client", reason="no generator: pip install -r requirements-dev.txt")
# The generator knows no pictures unless it is told that they are bytes; docs/HTTP.md says so.
CONFIG = "content_type_overrides:\n  image/png: application/octet-stream\n"
QUESTION = "When does the lease begin?"


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, generated."""
    folder = tmp_path_factory.mktemp("generated")
    longleaf = Longleaf(Settings(data_dir=folder / "library"))
    services = Services(longleaf, Jobs(longleaf), Uploads(folder / "uploads"), (), paths_allowed=True)
    described = http_app(services, Door(Tokens(folder), is_open=True)).openapi()
    longleaf.close()
    (folder / "openapi.json").write_text(json.dumps(described), "utf-8")
    (folder / "client.yaml").write_text(CONFIG, "utf-8")
    command = [
        sys.executable, "-m", "openapi_python_client", "generate", "--path", str(folder / "openapi.json"),
        "--config", str(folder / "client.yaml"), "--output-path", str(folder / "client"), "--fail-on-warning",
    ]  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it calls ruff
    said = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, env={**os.environ, "PATH": path}
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "arning" not in said.stdout + said.stderr
    return folder / "client"


@pytest.fixture
def generated(client_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives a module of the client by its name."""
    monkeypatch.syspath_prepend(str(client_folder))
    return lambda name: importlib.import_module(f"longleaf_client.{name}")


def test_it_hands_over_asks_and_looks_up_what_is_cited(generated: Any, address: str, texts: SimpleNamespace) -> None:
    api, models = (lambda name: generated(f"api.{name}")), generated("models")
    with generated("client").AuthenticatedClient(base_url=address, token="unused") as client:
        with texts.lease.open("rb") as payload:
            file = generated("types").File(payload=payload)
            job = api("documents.add_document").sync(client=client, body=file, name="lease.txt")
        deadline = time.monotonic() + 20
        while (job := api("jobs.show_job").sync(job.id, client=client)).stage != "done":
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
        (listed,) = api("documents.list_documents").sync(client=client).documents
        assert (listed.id, listed.name, listed.kind) == (job.document, "lease.txt", models.Kind.TEXT)
        asked = models.AskBody(documents=[job.document], question=QUESTION)
        answer = api("questions.ask").sync(client=client, body=asked)
        assert (answer.answer, answer.found) == ("The lease begins in March.", True)
        (cited,) = answer.citations
        page = api("documents.show_page").sync(cited.document, 1, client=client)
        assert cited.quote in page.text
        assert cited.lines == [1, 1]
        refused = api("questions.ask").sync(client=client, body=models.AskBody(documents=["none"], question="?"))
        assert isinstance(refused, models.ErrorBody)
        assert refused.error.message.startswith("the library has no document 'none'")


def test_its_rows_and_pictures_have_types(generated: Any, address: str, services: Any, tmp_path: Path) -> None:
    pymupdf = pytest.importorskip("pymupdf")
    with pymupdf.open() as pdf:
        pdf.new_page().insert_text((72, 72), "The lease begins in March.")
        pdf.save(tmp_path / "lease.pdf")
    document = services.longleaf.add(tmp_path / "lease.pdf").id
    api, models = (lambda name: generated(f"api.{name}")), generated("models")
    with generated("client").AuthenticatedClient(base_url=address, token="unused") as client:
        picture = api("documents.draw_page").sync(document, 1, client=client, dpi=50)
        assert picture.payload.read(4) == b"\x89PNG"
        asked = models.BatchAsked(documents=[document], questions=[QUESTION])
        batch = api("batches.start_batch").sync(client=client, body=asked)
        assert 'event: batch\ndata: {"id": "' in api("batches.follow_batch").sync(batch.id, client=client)
        (row,) = api("batches.list_rows").sync(batch.id, client=client).rows
        assert (row.status, row.answer, row.source) == ("ok", "The lease begins in March.", "lease.pdf")
        assert row.coverage.pages_read == 1
