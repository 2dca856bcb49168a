"""The engine as settings make it: in what it keeps keys and values, and how many bytes of them."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.service.engine import SharedEngine, load_engine, state_dir
from app.settings import KV_DTYPES, Settings
from ingest.document import Document, Kind, Page
from llm import Engine
from llm.answer import Answered, AskOptions
from llm.errors import ModelNotFound
from llm.storage import kv_folder
from tests.llm.conftest import write_tiny_checkpoint


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny_settings(settings: Settings, checkpoint: Path) -> Settings:
    return replace(settings, model=str(checkpoint), dtype="float32", threads=1)


def lease(name: str) -> Document:
    return Document(f"id-of-{name}", name, Kind.TEXT, pages=(Page(1, f"{name}: the rent is due in May.\n" * 15),))


def read(engine: Engine, document: Document) -> int:
    """Bytes of KV and index that the document leaves on disk."""
    list(engine.read([document]))
    return engine.stored_bytes(document.id)


def test_each_kv_dtype_takes_less_than_the_one_before(tiny_settings: Settings, tmp_path: Path) -> None:
    sizes = [
        read(load_engine(replace(tiny_settings, data_dir=tmp_path / name, kv_dtype=name), silent), lease("lease.txt"))
        for name in KV_DTYPES
    ]
    assert sizes == sorted(set(sizes), reverse=True)
    unset = load_engine(replace(tiny_settings, data_dir=tmp_path / "unset"), silent)
    assert read(unset, lease("lease.txt")) == sizes[KV_DTYPES.index("int8")]


def test_readings_beyond_the_budget_make_room_for_the_newest(tiny_settings: Settings) -> None:
    engine = load_engine(tiny_settings, silent)
    first = read(engine, lease("first.txt"))
    one = sum(path.stat().st_size for path in kv_folder(state_dir(tiny_settings)).rglob("*") if path.is_file())
    limited = load_engine(replace(tiny_settings, kv_disk_gb=1.5 * one / 1e9), silent)
    read(limited, lease("second.txt"))
    again = load_engine(tiny_settings, silent)
    assert (again.is_read([lease("first.txt")]), again.is_read([lease("second.txt")])) == (False, True)
    assert engine.stored_bytes("id-of-first.txt") < first


def test_documents_asked_about_together_stay_together_whatever_the_budget(tiny_settings: Settings) -> None:
    together = [lease("first.txt"), lease("second.txt")]
    engine = load_engine(replace(tiny_settings, kv_disk_gb=1e-6), silent)
    list(engine.read(together))
    *_, answered = engine.ask(together, "When is the rent due?", AskOptions(max_new_tokens=4, exact=True))
    assert isinstance(answered, Answered)
    assert answered.answer.coverage.tokens_read == answered.answer.coverage.tokens_total
    read(engine, lease("third.txt"))
    assert [engine.is_read([lease(name)]) for name in ("first.txt", "second.txt", "third.txt")] == [False, False, True]


def test_engines_beside_one_another_share_the_model_and_nothing_that_was_read(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    shared = SharedEngine(tiny_settings, silent)
    ada, bert = (shared.for_library(replace(tiny_settings, data_dir=tmp_path / name), silent) for name in ("a", "b"))
    assert isinstance(ada, Engine)
    assert isinstance(bert, Engine)
    read(ada, lease("lease.txt"))
    assert (ada.is_read([lease("lease.txt")]), bert.is_read([lease("lease.txt")])) == (True, False)
    read(bert, lease("lease.txt"))
    ada.forget(["id-of-lease.txt"])
    assert (ada.is_read([lease("lease.txt")]), bert.is_read([lease("lease.txt")])) == (False, True)
    assert ada._backbone is bert._backbone


def test_engines_beside_one_another_wait_for_one_another(tiny_settings: Settings, tmp_path: Path) -> None:
    shared = SharedEngine(tiny_settings, silent)
    ada, bert = (shared.for_library(replace(tiny_settings, data_dir=tmp_path / name), silent) for name in ("a", "b"))
    assert isinstance(ada, Engine)
    asking = iter(ada.ask([lease("lease.txt")], "When is the rent due?", AskOptions(max_new_tokens=4)))
    next(asking)
    over = threading.Event()

    def ask_too() -> None:
        list(bert.ask([lease("lease.txt")], "When is the rent due?", AskOptions(max_new_tokens=4)))
        over.set()

    thread = threading.Thread(target=ask_too)
    thread.start()
    assert not over.wait(0.3)
    list(asking)
    thread.join(60)
    assert over.is_set()


def test_a_model_whose_template_writes_no_calls_is_given_no_tools(tiny_settings: Settings) -> None:
    with pytest.raises(ModelNotFound, match=r"cannot be given tools: its chat template writes no calls .* --tools out"):
        load_engine(replace(tiny_settings, tools=True), silent)
