"""What watches over a server may know: that it lives, and counts; and what its log says of requests."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.logs import ACCESS, JsonLines, PlainLines
from app.settings import Settings
from app.web.host.guard import Guard
from app.web.host.operations import Operations
from app.web.host.serving import web_app
from app.web.page import build
from app.web.services import Services
from llm.answer import ExpertUse


@pytest.fixture
def operations(settings: Settings, engine: Any) -> Iterator[Operations]:
    with closing(Operations(settings, lambda text: None, lambda settings, on_text: engine)) as opened:
        yield opened


@pytest.fixture
def guard(services: Services, operations: Operations) -> Guard:
    return web_app(build(services), services, "127.0.0.1", operations.metrics)


def client_at(guard: Guard, address: str) -> TestClient:
    return TestClient(guard, base_url="http://127.0.0.1", client=(address, 50000))


def test_health_is_told_to_anybody_and_figures_to_this_machine_alone(guard: Guard) -> None:
    with client_at(guard, "127.0.0.1") as here:
        assert here.get("/healthz").text == "ok\n"
        assert here.get("/").status_code == 200
        figures = here.get("/metrics")
        assert figures.headers["content-type"].startswith("text/plain")
        assert 'longleaf_http_requests_total{status="2xx"} 1.0' in figures.text
        assert here.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"}).status_code == 404
        away = client_at(guard, "203.0.113.7")
        away.portal = here.portal
        assert away.get("/healthz").text == "ok\n"
        assert away.get("/metrics").status_code == 404


def test_what_happens_in_a_library_is_counted(
    operations: Operations, settings: Settings, texts: SimpleNamespace
) -> None:
    with closing(operations.library(settings.data_dir / "one", "ada")) as library:
        entry = library.add(texts.lease)
        for question in ("When does the lease begin?", "Who is the plumber?"):
            list(library.ask([entry.id], question))
        library.delete(entry.id)
    figures = operations.metrics.text().decode()
    for line in (
        'longleaf_answers_total{outcome="found"} 1.0', 'longleaf_answers_total{outcome="not_found"} 1.0',
        "longleaf_documents_added_total 1.0", "longleaf_documents_deleted_total 1.0", "longleaf_questions_now 0.0",
        "longleaf_answer_seconds_count 2.0", 'longleaf_jobs_now{stage="read"} 0.0',
    ):  # fmt: skip
        assert line in figures
    for word in ("lease", "plumber", "ada"):
        assert word not in figures


def test_fetched_experts_are_counted_once_for_all_libraries(
    operations: Operations, settings: Settings, engine: Any
) -> None:
    with (
        closing(operations.library(settings.data_dir / "one", "ada")) as one,
        closing(operations.library(settings.data_dir / "two", "bob")) as two,
    ):
        for library in (one, two):
            assert library.engine()
        assert "longleaf_experts" not in operations.metrics.text().decode()  # all lie where they are computed
        engine.expert_use = ExpertUse(30, 10, 4096)
        figures = operations.metrics.text().decode()
    for line in (
        'longleaf_experts_total{outcome="in_place"} 30.0', 'longleaf_experts_total{outcome="fetched"} 10.0',
        "longleaf_experts_fetched_bytes_total 4096.0",
    ):  # fmt: skip
        assert line in figures
    assert "fake" not in figures  # the name of a model may be that of a folder


def test_a_request_is_logged_without_its_query(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, ACCESS), client_at(guard, "127.0.0.1") as here:
        here.get("/export/feedback.json?secret=1")
    (record,) = [one for one in caplog.records if one.name == ACCESS]
    line = json.loads(JsonLines().format(record))
    assert (line["path"], line["status"], line["level"]) == ("/export/feedback.json", 200, "info")
    assert "secret" not in json.dumps(line)


def test_personal_data_does_not_reach_the_log() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "refused %s", ("ada@mail.example",), None)
    assert "ada@" not in JsonLines().format(record)
    assert PlainLines("%(message)s").format(record) == "refused [e-mail]"
