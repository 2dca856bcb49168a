"""Tools of a server's model: what it may call, what it is given back, and that all of it is evidence."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Document, Kind, Page
from llm.answer import Answer, Answered, AskOptions, ThinkingDelta
from llm.remote.engine import RemoteEngine
from llm.tools.definitions import MAX_ROUNDS, TOOLS, ToolCall
from llm.tools.documents import DocumentTools
from tests.llm.remote.fake_server import Log, Reply, calls, says, serving

QUESTION = "Who must sign the annex?"
LAST = "The harbour master signs every annex."


def manual() -> Document:
    """Too long for the server's prompt; what is asked for stands on the last page, in words of its own."""
    filler = "\n".join(f"Box {number} is to be signed for by the client who receives it." for number in range(60))
    pages = tuple(Page(number, filler) for number in range(1, 12))
    return Document("m" * 64, "manual.pdf", Kind.PDF, pages=(*pages, Page(12, f"Chapter 12\n{LAST}\nEnd.")))


def asked(tmp_path: Path, *replies: Reply, has_tools: bool = True) -> tuple[Answer, Log, list[Any]]:
    with serving(*replies, max_model_len=1600) as (url, log):
        engine = RemoteEngine.connect(
            f"openai:{url}", state_dir=tmp_path, api_key=None, timeout_s=20, limit_tokens=None, has_tools=has_tools
        )
        events = list(engine.ask([manual()], QUESTION, AskOptions(max_new_tokens=20)))
    assert isinstance(events[-1], Answered)
    return events[-1].answer, log, events


def result(log: Log, index: int) -> str:
    """What the model was told last, in that request."""
    message = log.bodies[index]["messages"][-1]
    assert (message["role"], message["tool_call_id"]) == ("tool", "c1")
    return str(message["content"])


def test_a_model_reads_on_and_what_it_read_is_cited_and_covered(tmp_path: Path) -> None:
    read = calls("read_page", json.dumps({"document": "manual.pdf", "page": 12}))
    answer, log, events = asked(tmp_path, read, says("The harbour master."))
    assert log.bodies[0]["tools"] == list(TOOLS)
    assert LAST in result(log, 1)
    assert log.bodies[1]["messages"][1]["tool_calls"][0]["function"]["name"] == "read_page"
    assert log.bodies[1]["messages"][0] == log.bodies[0]["messages"][0]  # the beginning stays, for the server's cache
    assert answer.answer == "The harbour master."
    assert LAST in [citation.quote for citation in answer.citations]
    assert all(citation.verified for citation in answer.citations)
    assert any(isinstance(event, ThinkingDelta) and "read_page" in event.text for event in events)
    assert "read_page" in answer.thinking


def test_a_search_goes_over_everything(tmp_path: Path) -> None:
    _, log, _ = asked(tmp_path, calls("search", '{"query": "harbour master"}'), says("The harbour master."))
    assert LAST in result(log, 1)


def tools_over(document: Document, *, room: int) -> DocumentTools:
    return DocumentTools([document], lambda *_: [], QUESTION, lambda text: len(text.split()), room)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("read_page", '{"document": "/etc/passwd", "page": 1}', "No document is called '/etc/passwd'"),
        ("read_page", '{"document": "../manual.pdf", "page": 1}', "No document is called"),
        ("read_page", '{"document": "manual.pdf", "page": 99}', "manual.pdf has pages 1 to 12."),
        ("read_page", '{"document": "manual.pdf", "page": 12, "first_line": 9}', "The page has 3 lines."),
        ("search", '{"query": " "}', "The query is empty."),
        ("search", '{"query": ', "The arguments are not JSON."),
        ("search", "[1]", "The arguments are no JSON object."),
        ("run", '{"command": "ls"}', "There is no tool 'run'"),
        ("list_documents", "", "manual.pdf: 12 pages"),
    ],
)
def test_a_tool_sees_the_documents_of_the_question_and_nothing_else(name: str, arguments: str, told: str) -> None:
    tools = tools_over(manual(), room=1000)
    assert told in tools.result(ToolCall("c7", name, arguments))
    assert not tools.shown


def test_a_page_is_read_from_a_line_on_as_far_as_there_is_room() -> None:
    tools = tools_over(manual(), room=200)
    read = ToolCall("c1", "read_page", '{"document": "manual.pdf", "page": 3, "first_line": 5}')
    text = tools.result(read)
    assert "Box 4 is" in text
    assert "Box 3 is" not in text
    assert len(text.split()) <= 200
    [excerpt] = tools.shown
    assert excerpt.text in text
    last = excerpt.text.count("Box") + 4
    assert f"the next is {last + 1})" in text
    assert "There is no room for more" in tools.result(read)
    assert len(tools.shown) == 1


def test_calls_end_after_a_few_rounds_and_what_they_show_stays_within_the_prompt(tmp_path: Path) -> None:
    read = calls("read_page", json.dumps({"document": "manual.pdf", "page": 3}))
    _, log, _ = asked(tmp_path, read)
    assert len(log.bodies) == MAX_ROUNDS + 1
    assert "tools" not in log.bodies[-1]
    sent = " ".join(str(message["content"]) for message in log.bodies[-1]["messages"])
    assert len(sent.split()) < 1600
    assert "There is no room for more" in result(log, -1)


def test_without_being_asked_for_no_tools_are_given(tmp_path: Path) -> None:
    answer, log, _ = asked(tmp_path, says("Nobody."), has_tools=False)
    assert "tools" not in log.bodies[0]
    assert not answer.model.revision.endswith("with tools")
