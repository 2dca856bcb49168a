"""Comparing models: who runs when, what fails alone, and what a deletion reaches. Small engines of plain Python."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.comparing import Failed, Step, compare
from app.errors import BadRequest, NotInLibrary
from app.service import Longleaf
from app.service.engine import SharedEngine
from app.settings import Settings
from llm.answer import Answered, AskOptions, ModelName, TextDelta
from llm.errors import BadQuestion, ModelNotFound
from tests.app.conftest import FakeEngine

QUESTION = "What are the crowns for?"
SERVER = "openai:http://127.0.0.1:1/v1#m"


class Named(FakeEngine):
    """Goes by the model's name; `before` is done when it begins to answer."""

    def __init__(self, state_dir: Path, name: str, before: Callable[[], object]) -> None:
        super().__init__(state_dir)
        self.model, self.before = ModelName(name, "r1"), before

    def ask(self, *args: Any, **named: Any) -> Iterator[Any]:
        self.before()
        yield from super().ask(*args, **named)


@dataclass
class Models:
    """What was loaded, and what each model does before it answers."""

    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    loaded: dict[str, Named] = field(default_factory=dict)

    def load(self, settings: Settings, on_text: object) -> Any:
        name = settings.model or "packaged"
        if name == "missing":
            raise ModelNotFound("no model is called 'missing'; name another")
        assert name not in self.loaded, f"{name} was loaded twice"
        self.loaded[name] = Named(settings.data_dir / "state", name, self.before.get(name, lambda: None))
        return self.loaded[name]


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def library(settings: Settings, models: Models, texts: SimpleNamespace) -> Iterator[tuple[Longleaf, list[str]]]:
    longleaf = Longleaf(settings, load=models.load)
    yield longleaf, [longleaf.add(texts.lease).id]
    longleaf.close()


def ends(steps: Sequence[Step]) -> dict[int, str]:
    """What became of each model: its answer's model and text, or why it failed."""
    found = {}
    for step in steps:
        if isinstance(step.event, Answered):
            found[step.number] = f"{step.event.answer.model.name}: {step.event.answer.answer}"
        elif isinstance(step.event, Failed):
            found[step.number] = step.event.sentence
    return found


def test_every_model_streams_answers_and_is_kept_in_the_history(library: tuple[Longleaf, list[str]]) -> None:
    longleaf, ids = library
    steps = list(compare(longleaf, [None, "a", "b"], ids, QUESTION))
    expected = {number: f"{name}: The rent is 900 crowns." for number, name in enumerate(("packaged", "a", "b"))}
    assert ends(steps) == expected
    for number, model in enumerate((None, "a", "b")):
        own = [step for step in steps if step.number == number]
        assert {step.model for step in own} == {model}
        written = "".join(step.event.text for step in own if isinstance(step.event, TextDelta))
        assert written.strip() == "The rent is 900 crowns."
        last = own[-1].event
        assert isinstance(last, Answered)
        assert last.answer.citations[0].verified
    assert [answer.model.name for answer in longleaf.answers(ids)] == ["packaged", "a", "b"]


def test_local_models_take_turns_and_servers_write_beside_them(
    library: tuple[Longleaf, list[str]], models: Models
) -> None:
    longleaf, ids = library
    both = threading.Barrier(2, timeout=20)
    models.before |= {SERVER: both.wait, "a": both.wait}  # each waits until the other answers, too
    steps = list(compare(longleaf, ["a", SERVER, "b"], ids, QUESTION))
    assert len(ends(steps)) == 3
    local = [step.number for step in steps if step.number != 1]
    assert local == sorted(local)


def test_a_model_that_fails_stops_no_other(library: tuple[Longleaf, list[str]], models: Models) -> None:
    longleaf, ids = library

    def break_down() -> None:
        raise RuntimeError("out of paper")

    models.before["broken"] = break_down
    found = ends(list(compare(longleaf, ["missing", "broken", "a"], ids, QUESTION)))
    assert found[0] == "no model is called 'missing'; name another"
    assert found[1] == "Longleaf failed at this; its log says more"
    assert found[2].startswith("a: The rent")


def test_models_stay_loaded_and_documents_read(library: tuple[Longleaf, list[str]], models: Models) -> None:
    longleaf, ids = library
    for _ in range(2):
        list(compare(longleaf, [None, "a"], ids, QUESTION))
    assert sorted(models.loaded) == ["a", "packaged"]
    assert longleaf.with_model("a") is longleaf.with_model("a")
    assert longleaf.with_model(None) is longleaf


def test_stopping_stops_those_whose_turn_has_not_come(library: tuple[Longleaf, list[str]], models: Models) -> None:
    longleaf, ids = library
    cancel = threading.Event()
    models.before["a"] = cancel.set
    steps = list(compare(longleaf, ["a", "b"], ids, QUESTION, AskOptions(), cancel))
    assert {step.number for step in steps} == {0}
    assert "b" not in models.loaded


def test_who_looks_no_more_stops_the_rest(library: tuple[Longleaf, list[str]], models: Models) -> None:
    longleaf, ids = library
    gone = threading.Event()
    models.before["a"] = lambda: gone.wait(20)
    steps = compare(longleaf, ["a", "b"], ids, QUESTION)
    next(steps)
    gone.set()
    steps.close()  # type: ignore[attr-defined]
    assert "b" not in models.loaded


def test_a_deletion_reaches_every_loaded_model(library: tuple[Longleaf, list[str]], models: Models) -> None:
    longleaf, ids = library
    list(compare(longleaf, ["a", "b"], ids, QUESTION))
    receipt = longleaf.delete(ids[0])
    assert receipt.reading_bytes > 0
    assert receipt.answers == 2
    assert all("forget" in model.calls for model in models.loaded.values())


def test_what_cannot_be_compared_is_one_sentence(
    library: tuple[Longleaf, list[str]], settings: Settings, models: Models
) -> None:
    longleaf, ids = library
    with pytest.raises(BadRequest, match="1 models were named to compare; name between 2 and 8"):
        compare(longleaf, ["a"], ids, QUESTION)
    with pytest.raises(BadRequest, match="of the 2 models that were named only 1 differ"):
        compare(longleaf, [None, None], ids, QUESTION)
    with pytest.raises(ModelNotFound, match="has no address of a server"):
        compare(longleaf, ["a", "openai:nowhere"], ids, QUESTION)
    with pytest.raises(BadQuestion, match="empty"):
        compare(longleaf, ["a", "b"], ids, " ")
    with pytest.raises(NotInLibrary):
        compare(longleaf, ["a", "b"], ["0" * 64], QUESTION)
    assert not models.loaded


def test_a_key_goes_to_one_server_only(settings: Settings, models: Models) -> None:
    longleaf = Longleaf(replace(settings, api_key="secret"), load=models.load)
    with pytest.raises(BadRequest, match=r"would go to 2 servers \(http://127.0.0.1:1, http://127.0.0.1:2\)"):
        compare(longleaf, [SERVER, "openai:http://127.0.0.1:2/v1#m"], [], QUESTION)
    assert list(compare(longleaf, [SERVER, f"{SERVER}2"], [], QUESTION))  # one server, two models
    longleaf.close()


def test_people_who_share_an_engine_share_every_model(settings: Settings, models: Models) -> None:
    shared = SharedEngine(settings, lambda _: None, models.load)
    homes = [replace(settings, data_dir=settings.data_dir / name) for name in ("anna", "ben")]
    for home in homes:
        for name in (None, "a"):
            engine = shared.for_library(replace(home, model=name), lambda _: None)
            assert engine.state_dir == home.data_dir / "state"  # type: ignore[union-attr]
    assert sorted(models.loaded) == ["a", "packaged"]
