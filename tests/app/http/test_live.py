"""A server on a free port, and the clients that people have: OpenAI's own, curl, one that hangs up."""

import json
import shutil
import subprocess
import threading
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from app.web.services import Services
from tests.app.conftest import FakeEngine

QUESTION = "When does the lease begin?"


@pytest.fixture
def there(services: Services, texts: SimpleNamespace) -> str:
    return services.longleaf.add(texts.lease).id


def asked(**more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    return {"model": "fake", "messages": messages, "extra_body": {"documents": ["lease.txt"]}, **more}


def test_openais_client_gets_the_answer_with_its_evidence(address: str, there: str) -> None:
    with OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["fake"]
        assert client.models.retrieve("fake").id == "fake"
        answer = client.chat.completions.create(**asked())
        assert answer.choices[0].message.content == "The lease begins in March."
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 5, 10)
        extension = answer.model_extra["longleaf"]  # type: ignore[index]
        assert extension["citations"][0]["document"] == there
        assert extension["coverage"]["pages_read"] == 1
        assert extension["messages_left_out"] == [
            {"message": 0, "reason": "only the last message is put to the documents"}
        ]


def test_what_is_joined_from_a_stream_is_the_checked_answer(address: str, there: str) -> None:
    with OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as client:
        pieces = list(client.chat.completions.create(**asked(stream=True, stream_options={"include_usage": True})))
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text == "The lease begins in March."
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1] == "stop"
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.total_tokens == 10
    extensions = [(piece.model_extra or {}).get("longleaf") for piece in pieces]
    assert "".join(each["draft"] for each in extensions if each and "draft" in each).split() == text.split()
    assert [each["found"] for each in extensions if each and "found" in each] == [True]


def test_openais_client_is_told_what_is_wrong(address: str, there: str) -> None:
    with OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as client:
        with pytest.raises(NotFoundError, match="there is no model 'gpt-4' here; this server answers with 'fake'"):
            client.chat.completions.create(**asked(model="gpt-4"))
        with pytest.raises(NotFoundError, match="the library has no document 'none'"):
            client.chat.completions.create(**asked(extra_body={"documents": ["none"]}))
        with pytest.raises(BadRequestError, match="the last message must be a question of the role 'user'"):
            client.chat.completions.create(**asked(messages=[{"role": "assistant", "content": "Yes."}]))


def test_curl_hands_over_asks_and_follows(address: str, texts: SimpleNamespace) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this computer")

    def run(*args: str) -> str:
        command = [curl, "-sS", "-N", "--max-time", "20", *args]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    job = json.loads(run("--data-binary", f"@{texts.notes}", f"{address}/api/documents?name=notes.txt"))
    assert '"stage": "done"' in run(f"{address}/api/jobs/{job['id']}/events")
    body = json.dumps({"documents": ["notes.txt"], "question": "What is the password of the gate?"})
    json_type = ("-H", "content-type: application/json")
    stream = run(*json_type, "-H", "accept: text/event-stream", "-d", body, f"{address}/api/questions")
    assert "event: draft" in stream
    assert "Xylophone" in stream.split("event: answer")[1]


def test_a_program_that_hangs_up_stops_its_question(
    address: str, there: str, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cancels: list[threading.Event] = []
    original = engine.ask

    def endless(documents: Any, question: str, options: Any, cancel: threading.Event) -> Any:
        cancels.append(cancel)
        for event in original(documents, question, options, cancel):
            yield event
            cancel.wait(20)

    monkeypatch.setattr(engine, "ask", endless)
    body = {"documents": ["lease.txt"], "question": QUESTION}
    with httpx.stream("POST", f"{address}/api/questions", json=body, headers={"accept": "text/event-stream"}) as stream:
        came = stream.iter_text()  # kept, as its end would close the stream
        assert any("event: evidence" in text for text in came)
        assert not cancels[0].is_set()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{address}/api/questions", json=body, timeout=0.5)
    deadline = time.monotonic() + 5
    while not all(cancel.is_set() for cancel in cancels):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(cancels) == 2
    assert not caplog.records
