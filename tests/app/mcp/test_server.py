"""The tools as an assistant's client sees them, over the small engine."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from mcp.client import Client

from app.mcp.sandbox import Sandbox
from app.mcp.server import MAX_SHOWN, mcp_server
from app.service import Longleaf
from tests.app.conftest import FakeEngine


def with_client(longleaf: Longleaf, texts: SimpleNamespace, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        async with Client(mcp_server(longleaf, Sandbox(longleaf, [texts.project]))) as client:
            return await use(client)

    return asyncio.run(scenario())


def value_of(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    return dict(json.loads(result.content[0].text))


def test_an_assistant_lists_asks_and_opens_the_evidence(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    async def use(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["list_files", "read", "ask", "open_page", "see_page"]
        assert all(tool.description for tool in tools)
        assert "context" not in tools[2].input_schema["properties"]
        folders = value_of(await client.call_tool("list_files"))["files"]
        assert [file["path"] for file in folders] == [str(texts.project)]
        question = {"question": "When does the lease begin?", "sources": ["lease copy.txt"]}
        answer = value_of(await client.call_tool("ask", question))
        assert (answer["found"], answer["answer"]) == (True, "The lease begins in March.")
        cited = answer["citations"][0]
        page = value_of(await client.call_tool("open_page", {"document": cited["document"]}))
        assert cited["quote"] in page["text"]
        assert (page["lines_total"], page["first_line"], page["last_line"]) == (2, 1, 2)
        listed = value_of(await client.call_tool("list_files", {"folder": "."}))
        assert [entry["id"] for entry in listed["documents"]] == [cited["document"]]

    with_client(longleaf, texts, use)


def test_reading_reports_how_far_it_is(longleaf: Longleaf, texts: SimpleNamespace, engine: FakeEngine) -> None:
    seen: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, total))

    async def use(client: Client) -> dict[str, Any]:
        return value_of(await client.call_tool("read", {"source": str(texts.project)}, progress_callback=progress))

    assert with_client(longleaf, texts, use)["is_read"] is True
    assert seen
    assert all(total is not None and done <= total for done, total in seen)


def test_what_is_not_allowed_is_one_sentence(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    other = longleaf.add(texts.notes)

    async def use(client: Client) -> list[str]:
        calls = [
            await client.call_tool("ask", {"question": "Which password?", "sources": [str(texts.notes)]}),
            await client.call_tool("ask", {"question": "Which password?", "sources": [other.id]}),
            await client.call_tool("ask", {"question": "Which password?", "sources": ["notes.txt"]}),
            await client.call_tool("open_page", {"document": other.id}),
            await client.call_tool("see_page", {"document": other.id}),
            await client.call_tool("ask", {"question": " ", "sources": ["main.py"]}),
        ]
        assert all(call.is_error for call in calls)
        return [call.content[0].text for call in calls]

    told = with_client(longleaf, texts, use)
    assert "is not below an allowed folder" in told[0]
    assert all("does not exist" in text for text in told[1:3])
    assert all("was opened here" in text for text in told[3:5])
    assert "the question is empty" in told[5]
    assert not any("Xylophone" in text for text in told)


def test_a_long_page_is_opened_in_parts_and_says_so(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lines = [f"line {number} " + "x" * 90 + "\n" for number in range(1, 501)]
    (texts.project / "long.txt").write_text("".join(lines), encoding="utf-8")

    async def use(client: Client) -> str:
        document = value_of(await client.call_tool("read", {"source": "long.txt"}))["id"]
        shown, first = "", 1
        while first <= len(lines):
            part = value_of(await client.call_tool("open_page", {"document": document, "first_line": first}))
            assert len(part["text"]) <= MAX_SHOWN
            shown, first = shown + part["text"], part["last_line"] + 1
        beyond = await client.call_tool("open_page", {"document": document, "first_line": 501})
        assert "has no line 501; it has 500" in beyond.content[0].text
        return shown

    assert with_client(longleaf, texts, use) == "".join(lines)
