"""Questions to a remote engine: the same events and Answer as from a local one, and honest coverage."""

import json
import threading
from pathlib import Path

import pytest

from ingest.document import Document, Kind, Page
from llm.answer import Answer, Answered, AskOptions, EvidenceFound, TextDelta, ThinkingDelta
from llm.errors import ContextOverflow, RemoteEngineFailed
from llm.remote.engine import RemoteEngine
from llm.structured.form import Form
from tests.llm.remote.fake_server import Log, breaks_off, says, serving

LAW = "This agreement is governed by the laws of Ireland."
QUESTION = "Which law governs this agreement?"


def contract(paragraphs: int = 3) -> Document:
    filler = [f"{number}. The supplier delivers box {number} to the client on time." for number in range(paragraphs)]
    page = Page(1, "\n\n".join([*filler, LAW]))
    return Document(f"id-of-{paragraphs}", "contract.txt", Kind.TEXT, pages=(page,))


def engine_at(url: str, state_dir: Path, **options: int) -> RemoteEngine:
    return RemoteEngine.connect(
        f"openai:{url}", state_dir=state_dir, api_key=None, timeout_s=20, limit_tokens=options.get("limit_tokens")
    )


def answered(engine: RemoteEngine, document: Document, options: AskOptions | None = None) -> Answer:
    *_, last = engine.ask([document], QUESTION, options)
    assert isinstance(last, Answered)
    return last.answer


def prompt(log: Log, index: int) -> str:
    return str(log.bodies[index]["messages"][0]["content"])


def test_the_answer_has_checked_citations_and_whole_coverage(tmp_path: Path) -> None:
    document = contract()
    with serving(says("<think>Clause 4.</think>", "The laws of Ireland.", reused=60)) as (url, _):
        engine = engine_at(url, tmp_path)
        events = list(engine.ask([document], QUESTION))
    kinds = [type(event) for event in events if type(event) is not type(events[0])]
    assert kinds == [EvidenceFound, ThinkingDelta, TextDelta, Answered]
    answer = events[-1].answer  # type: ignore[union-attr]
    assert (answer.answer, answer.found, answer.thinking) == ("The laws of Ireland.", True, "Clause 4.")
    assert answer.citations[0].quote == LAW
    assert answer.citations[0].verified
    assert answer.coverage.tokens_read == answer.coverage.tokens_total > 0
    assert not answer.coverage.left_out
    assert (answer.timing.reused_tokens, answer.timing.new_tokens) == (60, 40)
    assert answer.model.name == f"openai:{url}#m"


def test_the_document_goes_first_and_unchanged(tmp_path: Path) -> None:
    document = contract()
    with serving(says("Ireland")) as (url, log):
        engine = engine_at(url, tmp_path)
        for question in ("Which law governs it?", "Who delivers boxes?"):
            list(engine.ask([document], question))
    first, second = prompt(log, 0), prompt(log, 1)
    same = len(first) - len(" Which law governs it?")
    assert first[:same] == second[:same]
    assert LAW in first[:same]


def test_a_refusal_is_not_found_and_cites_nothing(tmp_path: Path) -> None:
    with serving(says("Not found in the document.")) as (url, _):
        answer = answered(engine_at(url, tmp_path), contract())
    assert (answer.found, answer.citations) == (False, ())
    assert answer.answer.startswith("Not found: ")


def test_what_the_documents_do_not_hold_is_not_found_though_the_model_talks(tmp_path: Path) -> None:
    with serving(says("The capital of Peru has ten million inhabitants.")) as (url, _):
        *_, last = engine_at(url, tmp_path).ask([contract()], "How many people live in the capital of Peru?")
    assert isinstance(last, Answered)
    assert not last.answer.found


def test_longer_documents_are_answered_from_passages_and_coverage_says_so(tmp_path: Path) -> None:
    document = contract(400)
    with serving(says("The laws of Ireland."), max_model_len=1500) as (url, log):
        engine = engine_at(url, tmp_path)
        assert engine.coverage([document]).tokens_read == 0
        answer = answered(engine, document)
        with pytest.raises(ContextOverflow, match=r"an exact answer was asked for, but .* takes 1,500 with question"):
            answered(engine, document, AskOptions(exact=True))
        with pytest.raises(ContextOverflow, match=r"5000 tokens of answer do not fit into the 1,500 tokens"):
            answered(engine, document, AskOptions(max_new_tokens=5000))
    assert answer.found
    assert 0 < answer.coverage.tokens_read < answer.coverage.tokens_total
    assert "more than fit into one prompt of the server, which takes 1,500" in answer.coverage.left_out[0].reason
    assert LAW in prompt(log, 0)
    assert len(prompt(log, 0).split()) < 1500


def test_the_person_may_say_how_long_prompts_may_be(tmp_path: Path) -> None:
    with serving(says("x"), max_model_len=None) as (url, _):
        assert engine_at(url, tmp_path).context_tokens == 8192
        assert engine_at(url, tmp_path, limit_tokens=5000).context_tokens == 5000


def test_a_server_that_dies_in_mid_answer_leaves_the_engine_usable(tmp_path: Path) -> None:
    with serving(breaks_off, says("The laws of Ireland.")) as (url, _):
        engine = engine_at(url, tmp_path)
        with pytest.raises(RemoteEngineFailed, match=r"broke off after 3 words"):
            answered(engine, contract())
        assert answered(engine, contract()).found


def test_a_form_becomes_a_schema_and_its_value_the_answer(tmp_path: Path) -> None:
    with serving(says('{"answer": ', '"Ireland"}')) as (url, log):
        answer = answered(engine_at(url, tmp_path), contract(), AskOptions(form=Form(choices=("Ireland", "France"))))
    assert answer.answer == "Ireland"
    schema = log.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["Ireland", "France", "Not found in the document."]
    assert json.dumps(schema)


def test_stopped_while_indexing_is_an_answer_that_says_so(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with serving(says("x")) as (url, log):
        *_, last = engine_at(url, tmp_path).ask([contract()], QUESTION, cancel=cancel)
    assert isinstance(last, Answered)
    assert last.answer.stopped
    assert (last.answer.found, last.answer.coverage.tokens_read, log.bodies) == (False, 0, [])


def test_forgetting_removes_the_index(tmp_path: Path) -> None:
    document = contract()
    with serving(says("x")) as (url, _):
        engine = engine_at(url, tmp_path)
        assert not engine.is_read([document])
        steps = list(engine.read([document]))
        assert steps[-1].done == steps[-1].total
        assert engine.is_read([document])
        assert engine.tokens_read([document]) == engine.coverage([document]).tokens_total
        assert engine.search([document], "law of Ireland", 3)[0].quote == LAW
        stored = engine.stored_bytes(document.id)
        assert engine.forget([document.id]) == stored > 0
        assert not engine.is_read([document])
