"""One behaviour, four doors: page, command line, HTTP and MCP give the same answer. The packaged model; `-m slow`."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client

from app.http.api import http_app
from app.http.guard import Door
from app.http.tokens import Tokens
from app.jobs import Jobs
from app.service import Longleaf
from app.settings import Settings
from app.web.asking import Questions
from app.web.host.uploads import Uploads
from app.web.services import Services

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Which law governs this agreement?"

pytestmark = pytest.mark.slow


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path / "library")
    longleaf = Longleaf(settings)
    jobs, uploads = Jobs(longleaf), Uploads(settings.data_dir / "uploads")
    yield Services(longleaf, jobs, uploads, (), paths_allowed=True)
    jobs.close()
    uploads.close()
    longleaf.close()


def by_page(services: Services, entry_id: str) -> dict[str, Any]:
    questions = Questions(services.longleaf)
    *_, last = questions.follow(questions.start([entry_id], QUESTION))
    assert last.answer is not None, last.error
    return last.answer.as_json()


def by_http(services: Services, entry_id: str) -> list[dict[str, Any]]:
    door = Door(Tokens(services.longleaf.settings.data_dir), is_open=True)
    with TestClient(http_app(services, door)) as client:
        plain = client.post("/api/questions", json={"documents": [entry_id], "question": QUESTION}).json()
        chat = {"model": plain["model"]["name"], "messages": [{"role": "user", "content": QUESTION}]}
        completion = client.post("/v1/chat/completions", json={**chat, "documents": [entry_id]}).json()
    extension = completion["longleaf"]
    assert extension.pop("messages_left_out") == []
    assert completion["choices"][0]["message"]["content"] == extension["answer"]
    return [plain, extension]


def by_command_line(data_dir: Path, source: Path) -> dict[str, Any]:
    command = [sys.executable, "app.py", "ask", str(source), "-q", QUESTION, "--json", "--data-dir", str(data_dir)]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), text=True, capture_output=True, timeout=300, check=True
    )
    return dict(json.loads(done.stdout))


def by_mcp(data_dir: Path, source: Path) -> dict[str, Any]:
    words = ["app.py", "mcp", "--allow", str(source.parent), "--data-dir", str(data_dir)]
    server = StdioServerParameters(command=sys.executable, args=words, cwd=ROOT, env=dict(os.environ))

    async def ask() -> dict[str, Any]:
        async with Client(stdio_client(server)) as client:
            refused = await client.call_tool("ask", {"question": QUESTION, "sources": [str(ROOT / "README.md")]})
            assert refused.is_error
            result = await client.call_tool("ask", {"question": QUESTION, "sources": [source.name]})
            answer = dict(json.loads(result.content[0].text))  # type: ignore[union-attr]
            cited = answer["citations"][0]
            page = await client.call_tool("open_page", {"document": cited["document"], "page": cited["page"]})
            assert cited["quote"] in json.loads(page.content[0].text)["text"]  # type: ignore[union-attr]
            return answer

    return asyncio.run(ask())


def test_the_four_doors_give_the_same_answer(services: Services, samples: Path) -> None:
    source, data_dir = samples / "contract.pdf", services.longleaf.settings.data_dir
    entry_id = services.longleaf.add(source).id
    answers = {
        "page": by_page(services, entry_id),
        **dict(zip(("http", "openai"), by_http(services, entry_id), strict=True)),
        "command line": by_command_line(data_dir, source),
        "mcp": by_mcp(data_dir, source),
    }
    for answer in answers.values():
        del answer["timing"]
    assert "Ireland" in answers["page"]["answer"]
    assert answers["page"]["citations"][0]["verified"]
    for door, answer in answers.items():
        assert answer == answers["page"], door
