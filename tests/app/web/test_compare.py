"""The compare panel: which models may be named, what is shown of each, and that nothing of a deleted document stays."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.errors import BadRequest
from app.web.compare import ComparePanel
from app.web.comparing import Comparison, Lane
from app.web.render import compare as fragments
from app.web.services import Services
from app.web.state import View
from llm.answer import Answer
from tests.app.web.test_panels import click

QUESTION = "When does the lease begin?"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def panel(services: Services) -> Iterator[ComparePanel]:
    with gr.Blocks(analytics_enabled=False):
        yield ComparePanel(services)


def compared(panel: ComparePanel, ids: tuple[str, ...], more: str = "") -> tuple[str, str]:
    """What is shown in the end, and the comparison's id."""
    refused, comparison_id = panel.start(QUESTION, ["leafmoe-135m", "smollm2-135m"], more, ids)
    assert refused == ""
    *_, (shown, _, go, stop) = panel.follow(comparison_id)
    assert (go.visible, stop.visible) == (True, False)
    return shown, comparison_id


def test_both_answers_stand_side_by_side_and_their_evidence_opens(
    panel: ComparePanel, services: Services, texts: SimpleNamespace
) -> None:
    entry = services.longleaf.add(texts.lease)
    shown, comparison_id = compared(panel, (entry.id,))
    assert shown.count("The lease begins in March.") >= 2
    assert shown.count("1 of 1 quote") == 2
    view = panel.open_evidence(click("cell", fragments.LANE), comparison_id)
    assert (view.leaf, view.at) == (entry.id, 0)
    for arg in (1, 2 * fragments.LANE, "x"):
        assert not isinstance(panel.open_evidence(click("cell", arg), comparison_id), View)
    services.longleaf.delete(entry.id)
    with pytest.raises(BadRequest, match="compare again"):
        services.comparisons.comparison(comparison_id)
    assert "March" not in str(list(panel.follow(comparison_id)))


def test_what_cannot_be_compared_is_one_sentence(
    panel: ComparePanel, services: Services, texts: SimpleNamespace
) -> None:
    ids = (services.longleaf.add(texts.lease).id,)
    two = ["leafmoe-135m", "smollm2-135m"]
    for question, ticked, chosen, sentence in (
        ("", two, ids, "the question is empty"),
        (QUESTION, two, (), "no document is chosen"),
        (QUESTION, two[:1], ids, "1 models were named to compare"),
        (QUESTION, [*two, "another"], ids, ""),
    ):
        shown, comparison_id = panel.start(question, ticked, "", chosen)
        assert sentence in shown
        assert (comparison_id is None) == bool(sentence)


def test_on_a_server_for_several_people_no_model_can_be_typed(services: Services) -> None:
    for paths_allowed, named in ((True, [None, "openai:http://10.0.0.1/v1"]), (False, [None])):
        with gr.Blocks(analytics_enabled=False):
            panel = ComparePanel(replace(services, paths_allowed=paths_allowed))
        assert panel._named(["leafmoe-135m"], "openai:http://10.0.0.1/v1") == named
        assert panel.more.visible == paths_allowed


def test_a_model_that_failed_stands_beside_one_that_answered(answer: Answer) -> None:
    comparison = Comparison(
        HOSTILE, ("a",), (Lane(None, answer=answer), Lane(HOSTILE, text=HOSTILE, error=HOSTILE)), over=True
    )
    shown = fragments.lanes(comparison, "leafmoe-135m", lambda cite: None)
    assert "<img" not in shown
    assert "It is 900 crowns" in shown
    assert shown.count('<tr><th scope="row">') == 1  # only who answered took something


def test_an_answer_that_no_model_wrote_has_no_speed(answer: Answer) -> None:
    looked_up = replace(answer, derived=True, timing=replace(answer.timing, decode_tokens_per_s=0.0))
    lanes = Lane(None, answer=answer), Lane("b", answer=looked_up)
    shown = fragments.lanes(Comparison("Q", ("a",), lanes, over=True), "leafmoe-135m", lambda cite: None)
    assert [rate in shown for rate in ("<td>12.4</td>", "<td>–</td>", "<td>0.0</td>")] == [True, True, False]
    assert shown.count("Looked up in the document, not written by the model.") == 1


def test_a_stopped_comparison_says_so(
    panel: ComparePanel, services: Services, texts: SimpleNamespace, engine: Any
) -> None:
    entry = services.longleaf.add(texts.lease)
    holder: list[str] = []
    engine.during_reading = lambda: services.comparisons.stop(holder[0]) if holder else None
    holder.append(services.comparisons.start((entry.id,), QUESTION, [None, "smollm2-135m"]))
    services.comparisons.stop(holder[0])
    seen = list(services.comparisons.follow(holder[0]))
    first, last = seen[0], seen[-1]  # the same one where it was over at once
    assert first.over or "Stopping" in fragments.lanes(first, "leafmoe-135m", lambda cite: None)
    assert not last.stopping
    assert "Stopped before an answer came." in {lane.error for lane in last.lanes}
