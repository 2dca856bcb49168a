"""Questions whose answer has a form, put to the engine: the packaged model picks, a random one cannot leave it."""

from pathlib import Path

import pytest
from platformdirs import user_cache_path

from ingest.document import Document, Kind, Page
from llm import Engine
from llm.answer import Answer, Answered, AskOptions, EvidenceFound
from llm.backbone import Backbone
from llm.structured import Form

LEASE = (
    "This lease was signed on 3 March 2019 and registered on 9 April 2019.\n\n"
    "The lease begins on 1 May 2031. The tenant pays a rent of 1,250 dollars on the third day of each month.\n\n"
    "Pets are allowed in the flat if the landlord agrees in writing.\n"
)
DAY = r"\d{1,2} (?:March|April|May) \d{4}"
ANY = ("3 March 2019", "9 April 2019", "1 May 2031", "Not found in the document.")


def ask(engine: Engine, question: str, form: Form, **options: int) -> Answer:
    lease = Document("id-of-lease", "lease.txt", Kind.TEXT, pages=(Page(1, LEASE),))
    *_, last = engine.ask([lease], question, AskOptions(form=form, **options))  # type: ignore[arg-type]
    assert isinstance(last, Answered)
    return last.answer


def test_a_random_model_stays_in_the_form(tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.asking.is_found", lambda probability, **_: True)
    engine = Engine(tiny, tmp_path / "state")
    for seed in range(6):
        answer = ask(engine, "When does the lease begin?", Form(pattern=DAY), seed=seed, max_new_tokens=60)
        assert answer.answer in ANY if answer.found else answer.citations == ()


def test_where_nothing_fits_nothing_is_found(tiny: Backbone, tmp_path: Path) -> None:
    answer = ask(Engine(tiny, tmp_path / "state"), "When does the lease begin?", Form(pattern="[0-9]{9}"))
    assert (answer.found, answer.citations) == (False, ())


def test_only_passages_that_hold_something_of_the_form_are_shown(tiny: Backbone, tmp_path: Path) -> None:
    filler = "The lease begins as the parties have agreed, and the tenant keeps the house as it was given to them. " * 8
    parts = [f"{number}. {filler}" for number in range(1, 13)]
    parts[10] = f"11. Signed on 3 March 2019 by all who rent. {filler}"
    text = "\n\n".join(parts)
    lease = Document("id-of-long-lease", "lease.txt", Kind.TEXT, pages=(Page(1, text),))
    engine = Engine(tiny, tmp_path / "state")
    for form, all_fit in ((Form(pattern=DAY), True), (Form(choices=("yes", "no")), False)):
        options = AskOptions(form=form, max_new_tokens=8)
        events = list(engine.ask([lease], "When does the lease begin, as the parties agreed?", options))
        (evidence,) = (event for event in events if isinstance(event, EvidenceFound))
        dated = range(text.index("11. Signed"), text.index("12. The lease"))
        assert all(citation.start in dated for citation in evidence.citations) is all_fit


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(None, state_dir=tmp_path_factory.mktemp("state"), cache_dir=user_cache_path("longleaf"))


def test_the_packaged_model_picks_the_day_that_was_asked_for(packaged: Engine) -> None:
    for question, day in (("When does the lease begin?", "1 May 2031"), ("When was it registered?", "9 April 2019")):
        answer = ask(packaged, question, Form(pattern=DAY))
        assert (answer.answer, answer.found) == (day, True)
        assert day in answer.citations[0].quote


def test_the_packaged_model_chooses(packaged: Engine) -> None:
    answer = ask(packaged, "Are pets allowed in the flat?", Form(choices=("yes", "no")))
    assert (answer.answer in ("yes", "no"), answer.found) == (True, True)
    assert "Pets are allowed" in answer.citations[0].quote
