"""The packaged model behind llama.cpp's server and `transformers serve`: answers, prefix reuse, limits, stopping."""

import threading
import time
from pathlib import Path

import platformdirs
import pytest

from ingest.document import Document, Kind, Page
from llm.answer import Answer, Answered, AskOptions, TextDelta
from llm.packaged import prepare
from llm.remote.engine import RemoteEngine
from tests.llm.remote.servers import llama_cpp, transformers_serve

OPTIONS = AskOptions(max_new_tokens=12)
LAW = "This agreement is governed by the laws of Ireland."
FILLER = "The supplier delivers the boxes to the client on the first working day of each month. "


def contract(num_fillers: int) -> Document:
    return Document(f"id-of-{num_fillers}", "contract.txt", Kind.TEXT, pages=(Page(1, FILLER * num_fillers + LAW),))


def engine_at(url: str, folder: Path) -> RemoteEngine:
    return RemoteEngine.connect(f"openai:{url}", state_dir=folder, api_key=None, timeout_s=120, limit_tokens=None)


def answered(engine: RemoteEngine, document: Document, question: str) -> Answer:
    *_, last = engine.ask([document], question, OPTIONS)
    assert isinstance(last, Answered)
    return last.answer


def check_answers_and_reuse(engine: RemoteEngine, document: Document) -> tuple[Answer, Answer]:
    first = answered(engine, document, "Which law governs this agreement?")
    second = answered(engine, document, "When are the boxes delivered?")
    assert first.found
    assert first.citations[0].quote == LAW
    assert first.citations[0].verified
    assert first.coverage.tokens_read == first.coverage.tokens_total
    return first, second


def test_llama_cpp_answers_reuses_the_document_and_tells_its_limit(tmp_path: Path) -> None:
    document = contract(12)
    with llama_cpp(n_ctx=1024) as url:
        engine = engine_at(url, tmp_path)
        assert engine.context_tokens == 1024
        assert engine.count_tokens("hello world") == 2
        first, second = check_answers_and_reuse(engine, document)
        assert first.timing.new_tokens > engine.coverage([document]).tokens_total
        assert second.timing.reused_tokens > engine.coverage([document]).tokens_total
        assert second.timing.new_tokens < 40
        whole = answered(engine, contract(80), "Which law governs this agreement?")
    assert 0 < whole.coverage.tokens_read < whole.coverage.tokens_total


@pytest.mark.slow
def test_a_second_question_about_six_thousand_tokens_reads_next_to_nothing(tmp_path: Path) -> None:
    document = contract(370)
    with llama_cpp(n_ctx=8192) as url:
        engine = engine_at(url, tmp_path)
        assert engine.coverage([document]).tokens_total > 6000
        first, second = check_answers_and_reuse(engine, document)
    print(f"\n{first.timing}\n{second.timing}")
    assert first.timing.reused_tokens == 0
    assert second.timing.reused_tokens > 6000
    assert second.timing.new_tokens < 40


def test_stopping_frees_llama_cpps_server(tmp_path: Path) -> None:
    cancel = threading.Event()
    with llama_cpp() as url:
        engine = engine_at(url, tmp_path)
        for event in engine.ask([contract(3)], "Tell me all of it.", AskOptions(max_new_tokens=1500), cancel):
            if isinstance(event, TextDelta):
                cancel.set()
        assert isinstance(event, Answered)
        assert event.answer.stopped
        began = time.monotonic()
        answered(engine, contract(3), "Which law governs this agreement?")
    assert time.monotonic() - began < 20  # the one slot was free: writing 1,500 tokens would take longer


@pytest.mark.slow
def test_transformers_serve_answers(tmp_path: Path) -> None:
    model = prepare(Path(platformdirs.user_cache_dir("longleaf", appauthor=False)))
    with transformers_serve(model) as url:
        check_answers_and_reuse(engine_at(f"{url}#{model}", tmp_path), contract(3))
