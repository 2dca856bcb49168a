"""The client against servers that behave and servers that do not: every failure is one sentence."""

import threading
import time

import pytest

from llm.errors import ContextOverflow, ModelNotFound, RemoteEngineFailed
from llm.remote.address import Address, is_remote, parse
from llm.remote.client import RemoteClient, Written
from llm.thinking import Thought
from tests.llm.remote.fake_server import (
    Reply,
    breaks_off,
    is_silent,
    refuses,
    says,
    sends_nonsense,
    serving,
    stalls,
)

MESSAGES = [{"role": "user", "content": "Which law?"}]


def client_of(url: str, *, timeout_s: float = 20, key: str | None = None) -> RemoteClient:
    return RemoteClient(Address(url, None), api_key=key, timeout_s=timeout_s)


def chat(client: RemoteClient, into: Written, cancel: threading.Event | None = None) -> list[Thought | str]:
    return list(
        client.chat(
            MESSAGES, into, max_new_tokens=20, temperature=0, seed=0, cancel=cancel or threading.Event()
        )
    )  # fmt: skip


def failing(reply: Reply, **options: float) -> tuple[str, Written]:
    """The sentence that a server's misbehaviour becomes, and what had come until then."""
    into = Written()
    with serving(reply) as (url, _):
        client = client_of(url, **options)
        with pytest.raises((RemoteEngineFailed, ContextOverflow)) as caught:
            chat(client, into)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(url, "URL"), into


def test_an_answer_streams_and_its_cost_is_the_servers_own() -> None:
    into = Written()
    with serving(says("Ire", "land", reused=80)) as (url, log):
        assert chat(client_of(url, key="secret"), into) == ["Ire", "land"]
    assert (into.text, into.prompt_tokens, into.reused_tokens, into.decoded_tokens) == ("Ireland", 100, 80, 2)
    assert log.keys == ["Bearer secret"]
    assert log.bodies[0]["messages"] == MESSAGES
    assert log.bodies[0]["stream_options"] == {"include_usage": True}


def test_thinking_comes_apart_from_the_answer_in_both_manners() -> None:
    for reply in (says("<think>Let me ", "see.</thi", "nk>\n\nIre", "land"), says("Ireland", reasoning="Let me see.")):
        into = Written()
        with serving(reply) as (url, _):
            pieces = chat(client_of(url), into)
        assert "".join(piece.text for piece in pieces if isinstance(piece, Thought)) == "Let me see."
        assert (into.thinking, into.text) == ("Let me see.", "Ireland")


def test_limits_and_counts_are_the_servers_own() -> None:
    with serving(says("x"), max_model_len=777) as (url, _):
        client = client_of(url)
        assert (client.limit_tokens, client.count_tokens("three small words")) == (777, 3)
    with serving(says("x"), max_model_len=None) as (url, _):
        assert client_of(url).limit_tokens is None


def test_a_busy_server_is_asked_again() -> None:
    into = Written()
    with serving(refuses(503, "busy"), refuses(429, "slowly"), says("Ireland")) as (url, log):
        assert chat(client_of(url), into) == ["Ireland"]
    assert len(log.bodies) == 3


def test_a_server_that_breaks_off_is_one_sentence() -> None:
    said, into = failing(breaks_off)
    assert said.startswith("the server URL broke off after 3 words (")
    assert into.text == "Ireland and then"


def test_malformed_chunks_are_one_sentence() -> None:
    assert failing(sends_nonsense)[0].startswith("the server URL broke off after 1 words (")


def test_a_silent_server_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.remote.client._RETRIES", 0)
    said, _ = failing(is_silent(2.0), timeout_s=0.3)
    assert said.startswith("the server URL said nothing for 0.3 s; ask again, or give it longer with LONGLEAF_REMOTE")


def test_a_prompt_that_the_server_finds_too_long_is_an_overflow() -> None:
    said, _ = failing(refuses(400, "This model's maximum context length is 10 tokens"))
    assert said.startswith("the server URL refused the prompt as too long (This model's maximum context length is 10")


def test_a_wrong_key_is_one_sentence() -> None:
    assert "refused the key (bad key); set LONGLEAF_API_KEY" in failing(refuses(401, "bad key"))[0]


@pytest.mark.parametrize("reply", [stalls, is_silent(30.0)], ids=["in mid-answer", "before the first byte"])
def test_stopping_cuts_the_connection_at_once(reply: Reply) -> None:
    cancel, into = threading.Event(), Written()
    with serving(reply) as (url, log):
        client = client_of(url, timeout_s=60)

        def stop_when_it_waits() -> None:
            while not (log.bodies and (into.text or reply is not stalls)):
                time.sleep(0.02)
            cancel.set()

        threading.Thread(target=stop_when_it_waits, daemon=True).start()
        began = time.monotonic()
        chat(client, into, cancel)
        assert time.monotonic() - began < 15
        assert into.stopped
        if reply is stalls:
            assert log.cut.wait(5), "the server was not told"
            assert into.text == "Ireland "


def test_addresses_are_read_and_wrong_ones_refused() -> None:
    assert parse("openai:http://h:8000/v1/#a/b") == Address("http://h:8000/v1", "a/b")
    assert parse("openai:https://h/v1").model is None
    assert Address("http://h/v1", None).root_url == "http://h"
    assert is_remote("openai:x")
    assert not is_remote("owner/openai:x")
    with pytest.raises(ModelNotFound, match=r"'openai:h:8000/v1' has no address of a server; write openai:http://HOST"):
        parse("openai:h:8000/v1")


def test_a_model_that_is_not_served_is_one_sentence() -> None:
    with serving(says("x")) as (url, _), pytest.raises(ModelNotFound, match=r"does not serve 'n'; it serves m$"):
        RemoteClient(Address(url, "n"), api_key=None, timeout_s=5)


def test_a_server_that_lists_nothing_is_taken_at_the_persons_word() -> None:
    with serving(says("x"), listing=500) as (url, _):
        assert RemoteClient(Address(url, "n"), api_key=None, timeout_s=5).model == "n"
        with pytest.raises(ModelNotFound, match="no server of OpenAI's protocol answers"):
            client_of(url)


def test_no_server_is_one_sentence() -> None:
    with pytest.raises(ModelNotFound, match=r"no server of OpenAI's protocol answers at http://127.0.0.1:9/v1 \("):
        client_of("http://127.0.0.1:9/v1")
