"""What a click in an HTML panel says, and the sentence for what went wrong; clicks come from outside, so nothing in
them is believed.
"""

import logging

import gradio as gr

from app.errors import sentence_of
from app.web.texts import noted, t

log = logging.getLogger(__name__)
FAULT = noted("Longleaf failed at this; its log says more.")


def act_of(event: gr.EventData) -> str:
    """What was clicked: the element's `data-act`."""
    return str(event._data.get("act", ""))[:40]


def arg_of(event: gr.EventData) -> str:
    """Which one was clicked: the element's `data-arg`."""
    return str(event._data.get("arg", ""))[:4000]


def value_of(event: gr.EventData) -> str:
    """What was chosen in a menu."""
    return str(event._data.get("value", ""))[:80]


def text_of(event: gr.EventData) -> str:
    """What was written in a field."""
    return str(event._data.get("value", ""))[:2000]


def ticked_of(event: gr.EventData) -> tuple[str, ...]:
    """The arguments of all boxes of the panel that are ticked."""
    ticked = event._data.get("ticked")
    return tuple(str(arg)[:80] for arg in ticked[:10_000]) if isinstance(ticked, list) else ()


def position(event: gr.EventData, length: int) -> int | None:
    """The array position that a click names; None when it names none that exists."""
    text = arg_of(event)
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) < length else None


def sentence(error: Exception) -> str:
    """For a person. What nobody can be blamed for is logged."""
    known = str(error) if isinstance(error, ValueError) else sentence_of(error)
    if known is None:
        log.error("the page failed", exc_info=error)
    return known or t(FAULT)
