"""What was asked before: conversations, single answers, and what people thought of them.

Answers belong to the documents they were asked of and go with them; a conversation goes with its last answer.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

from app.errors import BadRequest
from app.service.answers import answers_about, kept_answers
from app.service.catalogue import EMPTY_CONVERSATIONS, Catalogue, now
from app.service.exporting import as_html, as_markdown
from app.service.values import VERDICTS, Conversation, KeptAnswer

MAX_TITLE, MAX_NOTE = 200, 2000  # characters
_LISTED = """
SELECT c.id, coalesce(c.title, (SELECT question FROM answers WHERE conversation = c.id ORDER BY number LIMIT 1)),
       count(*), min(a.created_at), max(a.created_at)
FROM conversations AS c JOIN answers AS a ON a.conversation = c.id"""


def _as_json(conversation: Conversation, answers: list[KeptAnswer]) -> str:
    value = {**conversation.as_json(), "answers": [kept.as_json() for kept in answers]}
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


FORMS: MappingProxyType[str, Callable[[Conversation, list[KeptAnswer]], str]] = MappingProxyType(
    {"md": as_markdown, "html": as_html, "json": _as_json}
)


class History:
    """The answers of one library."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def conversations(self) -> list[Conversation]:
        """The one spoken in last comes first."""
        rows = self._catalogue.rows(f"{_LISTED} GROUP BY c.id ORDER BY max(a.number) DESC")
        return [Conversation(*row) for row in rows]

    def conversation(self, conversation_id: str) -> Conversation:
        """Raises BadRequest."""
        rows = self._catalogue.rows(f"{_LISTED} WHERE c.id = ? GROUP BY c.id", conversation_id)
        if not rows:
            raise BadRequest(f"there is no conversation {conversation_id[:40]!r}; it may have been deleted")
        return Conversation(*rows[0])

    def answers(self, conversation_id: str) -> list[KeptAnswer]:
        """Oldest first; none for a conversation that does not exist."""
        return kept_answers(self._catalogue, "conversation = ?", conversation_id)

    def about(self, document_ids: Sequence[str]) -> list[KeptAnswer]:
        """Asked of exactly these documents together, oldest first."""
        return answers_about(self._catalogue, document_ids)

    def after(self, number: int, limit: int) -> list[KeptAnswer]:
        """Given after that one, at most so many, oldest first."""
        numbers = "SELECT number FROM answers WHERE number > ? ORDER BY number LIMIT ?"
        return kept_answers(self._catalogue, f"number IN ({numbers})", number, limit)

    def answer(self, number: int) -> KeptAnswer:
        """Raises BadRequest."""
        found = kept_answers(self._catalogue, "number = ?", number)
        if not found:
            raise BadRequest(f"there is no answer {number}; it may have been deleted with its documents")
        return found[0]

    def rename(self, conversation_id: str, title: str) -> None:
        """An empty title gives it back the name of its first question. Raises BadRequest."""
        self.conversation(conversation_id)
        with self._catalogue.transaction() as rows:
            title = " ".join(title.split())[:MAX_TITLE]
            rows.execute("UPDATE conversations SET title = ? WHERE id = ?", (title or None, conversation_id))

    def delete(self, conversation_id: str) -> int:
        """With its answers; how many those were. Raises BadRequest."""
        num_answers = self.conversation(conversation_id).num_answers
        with self._catalogue.transaction() as rows:
            rows.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        self._catalogue.removed([])  # shrinks the file
        return num_answers

    def delete_answer(self, number: int) -> None:
        """Raises BadRequest."""
        self.answer(number)
        with self._catalogue.transaction() as rows:
            rows.execute("DELETE FROM answers WHERE number = ?", (number,))
            rows.execute(EMPTY_CONVERSATIONS)
        self._catalogue.removed([])

    def delete_before(self, moment: str) -> int:
        """Answers that were given before `moment` (ISO 8601, UTC); how many those were."""
        with self._catalogue.transaction() as rows:
            gone = rows.execute("DELETE FROM answers WHERE created_at < ?", (moment,)).rowcount
            rows.execute(EMPTY_CONVERSATIONS)
        if gone:
            self._catalogue.removed([])
        return gone

    def judge(self, number: int, verdict: str, note: str = "") -> None:
        """Notes what a person thinks of an answer, instead of what they thought before. Raises BadRequest."""
        if verdict not in VERDICTS:
            raise BadRequest(f"the verdict is {verdict[:40]!r}; it must be one of {', '.join(VERDICTS)}")
        self.answer(number)
        with self._catalogue.transaction() as rows:
            rows.execute(
                "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)", (number, verdict, note.strip()[:MAX_NOTE], now())
            )

    def judged(self) -> list[KeptAnswer]:
        """Every answer that somebody judged, oldest first."""
        return kept_answers(self._catalogue, "verdict IS NOT NULL")

    def permalink(self, number: int) -> str:
        """What names one answer for good: its number, and a sum that no other library's answer of that number has."""
        kept = self.answer(number)
        told = f"{number} {kept.asked_at} {kept.answer.question} {kept.answer.answer}"
        return f"{number}-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:16]}"

    def page_of(self, permalink: str) -> str:
        """One answer with its citations as a page that stands alone, to be read only. Raises BadRequest."""
        number = permalink.partition("-")[0]
        if not number.isdecimal() or len(number) > 9 or self.permalink(int(number)) != permalink:
            raise BadRequest("there is no answer under this address; it may have been deleted, or is another person's")
        kept = self.answer(int(number))
        title = Conversation(permalink, kept.answer.question, 1, kept.asked_at, kept.asked_at)
        return as_html(title, [kept])

    def export(self, conversation_id: str, form: str, *, is_masked: bool = False) -> str:
        """A conversation with its citations as "md", "html" or "json", perhaps masked. Raises BadRequest."""
        if form not in FORMS:
            raise BadRequest(f"the form is {form[:20]!r}; it must be one of {', '.join(FORMS)}")
        conversation, answers = self.conversation(conversation_id), self.answers(conversation_id)
        if is_masked:
            from app.service.masking import masked, masked_answer

            conversation = replace(conversation, title=masked(conversation.title))
            answers = [masked_answer(kept) for kept in answers]
        return FORMS[form](conversation, answers)
