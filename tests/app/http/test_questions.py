"""Questions and batches of programs, plain and streamed; what is sent twice; who goes away."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from app.web.services import Services
from llm.answer import AskOptions
from tests.app.conftest import FakeEngine

QUESTION = "When does the lease begin?"


def events_of(text: str) -> list[tuple[str, Any]]:
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    named = [{line.partition(": ")[0]: line.partition(": ")[2] for line in block} for block in blocks]
    return [(block.get("event", ""), json.loads(block["data"])) for block in named if "data" in block]


def test_a_question_is_answered_with_the_object_of_ask(client: TestClient, lease: str) -> None:
    answer = client.post("/api/questions", json={"documents": [lease], "question": QUESTION}).json()
    assert list(answer) == ["question", "answer", "found", "citations", "coverage", "timing", "model"]
    assert answer["answer"] == "The lease begins in March."
    assert answer["citations"][0] == {
        "source": "lease.txt", "document": lease, "page": None, "lines": [1, 1], "box": None,
        "quote": "The lease begins in March.", "verified": True,
    }  # fmt: skip


def test_a_stream_has_evidence_a_draft_and_the_answer(client: TestClient, lease: str) -> None:
    asked = {"documents": ["lease.txt"], "question": QUESTION}
    stream = client.post("/api/questions", json=asked, headers={"accept": "text/event-stream"})
    assert stream.headers["content-type"].startswith("text/event-stream")
    kinds = [kind for kind, _ in events_of(stream.text)]
    assert kinds == ["evidence", *["draft"] * 5, "answer"]
    assert events_of(stream.text)[-1][1]["answer"] == "The lease begins in March."


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"documents": ["nothing"], "question": "?"}, 404, "the library has no document 'nothing'"),
        ({"documents": [], "question": "?"}, 422, "documents is []: list should have at least 1 item"),
        ({"documents": ["lease.txt"], "question": "  "}, 400, "the question is empty; write what you want to know"),
        ({"documents": ["lease.txt"], "question": "?", "topk": 3}, 422, "topk is not known here; leave it out"),
        ({"documents": ["lease.txt"]}, 422, "question is missing; give it"),
        ({"documents": ["lease.txt"], "question": "?", "top_k": 0}, 422, "top_k is 0: input should be greater"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    client: TestClient, lease: str, asked: dict[str, Any], status: int, sentence: str
) -> None:
    for accept in ("application/json", "text/event-stream"):
        refused = client.post("/api/questions", json=asked, headers={"accept": accept})
        assert (refused.status_code, sentence in refused.json()["error"]["message"]) == (status, True), refused.text


def test_bodies_and_addresses_that_are_none_are_one_sentence(client: TestClient) -> None:
    def said(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["message"]

    json_type = {"content-type": "application/json"}
    broken = said(client.post("/api/questions", content=b"{bad", headers=json_type))
    assert broken == (422, "the body is no JSON: Expecting property name enclosed in double quotes at character 1")
    untyped = said(client.post("/api/questions", content=b"x"))
    assert untyped == (422, "the body is not sent as JSON; add the header `Content-Type: application/json`")
    nowhere = said(client.get("/api/nothing"))
    assert nowhere == (404, "GET /api/nothing is no address here; /api/openapi.json lists them")
    assert said(client.put("/api/jobs"))[0] == 405


def test_a_fault_is_no_traceback(client: TestClient, lease: str, engine: FakeEngine, monkeypatch: Any) -> None:
    def broken(*_: object) -> Iterator[object]:
        raise RuntimeError("secret detail")
        yield

    monkeypatch.setattr(engine, "ask", broken)
    asked = {"documents": [lease], "question": QUESTION}
    plain = client.post("/api/questions", json=asked)
    streamed = client.post("/api/questions", json=asked, headers={"accept": "text/event-stream"})
    for answer in (plain, streamed):
        assert answer.status_code == 500
        assert answer.json() == {"error": {"message": "Longleaf failed at this; its log says more.", "type": "Fault"}}


def test_options_reach_the_engine(client: TestClient, lease: str, engine: FakeEngine, monkeypatch: Any) -> None:
    seen: list[AskOptions] = []
    original = engine.ask

    def ask(documents: Any, question: str, options: AskOptions, cancel: threading.Event) -> Any:
        seen.append(options)
        return original(documents, question, options, cancel)

    monkeypatch.setattr(engine, "ask", ask)
    options = {"max_new_tokens": 5, "temperature": 0.5, "seed": 3, "exact": True, "top_k": 2}
    client.post("/api/questions", json={"documents": [lease], "question": QUESTION, **options})
    assert seen == [AskOptions(5, 0.5, 3, True, 2)]


def test_the_same_key_asks_once(client: TestClient, lease: str, engine: FakeEngine) -> None:
    asked, key = {"documents": [lease], "question": QUESTION}, {"idempotency-key": "k1"}
    first = client.post("/api/questions", json=asked, headers=key)
    again = client.post("/api/questions", json=asked, headers=key)
    assert again.json() == first.json()
    assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
    assert engine.calls.count(f"ask {QUESTION}") == 1
    other = client.post("/api/questions", json={**asked, "question": "Who?"}, headers=key)
    assert (other.status_code, "take a new key" in other.text) == (400, True)
    refused = client.post("/api/questions", json={**asked, "documents": ["none"]}, headers={"idempotency-key": "k2"})
    assert refused.status_code == 404


def test_the_same_key_uploads_once(client: TestClient) -> None:
    send = {"params": {"name": "a.txt"}, "content": b"Some text.\n", "headers": {"idempotency-key": "u"}}
    assert client.post("/api/documents", **send).json()["id"] == client.post("/api/documents", **send).json()["id"]
    assert len(client.get("/api/jobs").json()["jobs"]) == 1


def test_a_batch_makes_its_rows(client: TestClient, lease: str) -> None:
    started = client.post("/api/batches", json={"documents": [lease], "questions": [QUESTION, "What is the rent?"]})
    assert started.status_code == 202
    address = started.headers["location"]
    followed = client.get(f"{address}/events")
    last = events_of(followed.text)[-1][1]
    assert (last["over"], last["done"], last["total"], last["error"]) == (True, 2, 2, None)
    rows = client.get(f"{address}/rows", params={"limit": 1}).json()
    assert rows["rows"][0]["answer"] == "The lease begins in March."
    more = client.get(f"{address}/rows", params={"cursor": rows["next"]}).json()
    assert (more["rows"][0]["answer"], more["next"]) == ("The rent is 900 crowns.", None)
    assert client.post(f"{address}/cancel").json()["over"] is True


def test_a_batch_that_cannot_be(client: TestClient, lease: str) -> None:
    both = client.post("/api/batches", json={"documents": [lease], "questions": ["?"], "fields": "rent"})
    assert (both.status_code, "give either questions or fields" in both.text) == (422, True)
    assert client.get("/api/batches/0000000000000000").status_code == 404
    assert client.get("/api/batches/0000000000000000/events").status_code == 404


def test_nobody_has_more_than_four_questions_at_once(
    client: TestClient, lease: str, engine: FakeEngine, monkeypatch: Any
) -> None:
    may_end, original = threading.Event(), engine.ask

    def slow(*given: Any) -> Any:
        may_end.wait(20)
        return original(*given)

    monkeypatch.setattr(engine, "ask", slow)
    statuses: list[int] = []
    asked = {"documents": [lease], "question": QUESTION}
    asking = [
        threading.Thread(target=lambda: statuses.append(client.post("/api/questions", json=asked).status_code))
        for _ in range(5)
    ]
    for thread in asking:
        thread.start()
    deadline = time.monotonic() + 10
    while 429 not in statuses and time.monotonic() < deadline:
        time.sleep(0.02)
    may_end.set()
    for thread in asking:
        thread.join()
    assert sorted(statuses) == [200] * 4 + [429]


def test_every_address_refuses_other_sites_and_host_names(client: TestClient, services: Services) -> None:
    evil = client.post("/api/questions", json={}, headers={"origin": "http://evil.example"})
    assert evil.status_code == 403
    assert client.get("/api/documents", headers={"host": "rebound.example"}).status_code == 403


def test_what_was_asked_is_listed_in_pages(client: TestClient, lease: str) -> None:
    for question in (QUESTION, "What is the rent?", "Where is the plumber?"):
        client.post("/api/questions", json={"documents": [lease], "question": question})
    first = client.get("/api/questions", params={"limit": 2}).json()
    assert [each["question"] for each in first["answers"]] == [QUESTION, "What is the rent?"]
    assert first["answers"][0]["documents"] == [lease]
    rest = client.get("/api/questions", params={"limit": 2, "cursor": first["next"]}).json()
    assert ([each["question"] for each in rest["answers"]], rest["next"]) == (["Where is the plumber?"], None)
    number = first["answers"][1]["number"]
    assert client.get(f"/api/questions/{number}").json() == first["answers"][1]
    missing = client.get("/api/questions/999")
    assert (missing.status_code, "there is no answer 999" in missing.json()["error"]["message"]) == (404, True)


def test_batches_and_jobs_are_listed_in_pages(client: TestClient, lease: str) -> None:
    ids = [
        client.post("/api/batches", json={"documents": [lease], "questions": [q]}).json()["id"] for q in ("A?", "B?")
    ]
    first = client.get("/api/batches", params={"limit": 1}).json()
    assert ([each["id"] for each in first["batches"]], first["next"]) == (ids[:1], ids[0])
    rest = client.get("/api/batches", params={"limit": 1, "cursor": first["next"]}).json()
    assert ([each["id"] for each in rest["batches"]], rest["next"]) == (ids[1:], None)
    refused = client.get("/api/jobs", params={"cursor": "gone"})
    assert (refused.status_code, "is not known any more; begin again" in refused.json()["error"]["message"]) == (
        400,
        True,
    )
