"""The history panel: conversations, opened, renamed, exported and deleted.

Owns its component and its events; to show an answer it sets the page's `ask` state.
"""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.web.events import act_of, arg_of, sentence, text_of
from app.web.render import history as fragments
from app.web.render.library import refusal
from app.web.services import Services
from app.web.state import Ask, PageState
from app.web.theme import HIDDEN, fragment


@dataclass(frozen=True, slots=True)
class Changing:
    """What is being changed in the list."""

    renaming: str | None = None
    confirming: str | None = None


class HistoryPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._longleaf, self._visit = services.longleaf, services.visit
        self.changing = gr.State(Changing())
        self.listing = fragment("ll-history")

    def wire(self, page: gr.Blocks, state: PageState, notice: gr.HTML, answer: gr.HTML, earlier: gr.HTML) -> None:
        """`answer` and `earlier` are emptied when their conversation is deleted."""
        seen = [state.conversation, self.changing]
        gr.on(
            [page.load, state.shown.change, state.conversation.change, state.chosen.change],
            self.show, seen, [self.listing], **HIDDEN,
        )  # fmt: skip
        self.listing.select(
            self.act,
            [state.conversation, self.changing, state.ask],
            [self.listing, self.changing, state.ask, state.conversation, state.shown, answer, earlier, notice],
            **HIDDEN,
        )

    def show(self, conversation: str | None, changing: Changing) -> str:
        history = self._longleaf.history
        talks = history.conversations()
        shown = fragments.conversations(
            talks, conversation, changing.renaming, changing.confirming, bool(history.judged())
        )
        if self._visit is None:
            return shown
        return shown + fragments.kept(self._visit, [(talk, history.export(talk.id, "md")) for talk in talks])

    def act(self, event: gr.EventData, conversation: str | None, changing: Changing, ask: Ask) -> tuple[Any, ...]:
        """A click in the list: open, rename, delete."""
        after, ask_after, emptied = Changing(), gr.skip(), False
        notice: Any = gr.skip()
        history = self._longleaf.history
        try:
            match act_of(event), arg_of(event):
                case "conversation", key:
                    answers = history.answers(key)
                    ask_after = Ask(kept=answers[-1].number, nonce=ask.nonce + 1) if answers else gr.skip()
                case "rename", key:
                    after = Changing(renaming=key)
                case "title", key:
                    history.rename(key, text_of(event))
                case "delete-conversation", key:
                    after = Changing(confirming=key)
                case "delete-conversation-yes", key:
                    history.delete(key)
                    emptied = key == conversation
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            notice = refusal(sentence(error))
        conversation_after = None if emptied else conversation
        return (
            self.show(conversation_after, after), after, ask_after,
            None if emptied else gr.skip(), None if emptied else gr.skip(),
            "" if emptied else gr.skip(), "" if emptied else gr.skip(), notice,
        )  # fmt: skip
