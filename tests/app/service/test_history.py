"""Conversations and feedback: kept with their answers, exported whole, and gone with their documents."""

import json
import sqlite3
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from app.errors import BadRequest
from app.service import KeptAnswer, Longleaf
from app.service.schema import TABLES
from app.settings import Settings


def ask(longleaf: Longleaf, document_id: str, question: str, conversation: str | None = "c1") -> KeptAnswer | None:
    list(longleaf.ask([document_id], question, conversation=conversation))
    answers = longleaf.history.answers(conversation or "")
    return answers[-1] if answers else None


def test_questions_of_a_conversation_stay_together(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes)
    first = ask(longleaf, lease.id, "When does the lease begin?")
    ask(longleaf, notes.id, "Which password?", "c2")
    ask(longleaf, notes.id, "Who is the plumber?")
    assert ask(longleaf, lease.id, "And the crowns?", None) is None
    assert first is not None
    assert (first.documents, first.conversation) == ((lease.id,), "c1")
    listed = longleaf.history.conversations()
    assert [(each.id, each.title, each.num_answers) for each in listed] == [
        ("c1", "When does the lease begin?", 2),
        ("c2", "Which password?", 1),
    ]
    assert [kept.answer.question for kept in longleaf.history.about([lease.id])] == [
        "When does the lease begin?", "And the crowns?",
    ]  # fmt: skip
    assert longleaf.history.answer(first.number) == first


def test_a_conversation_is_renamed_and_gets_its_name_back(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    ask(longleaf, longleaf.add(texts.lease).id, "When does the lease begin?")
    longleaf.history.rename("c1", "  Our\nlease ")
    assert longleaf.history.conversation("c1").title == "Our lease"
    longleaf.history.rename("c1", " ")
    assert longleaf.history.conversation("c1").title == "When does the lease begin?"


def test_deleting_a_document_takes_its_answers_feedback_and_empty_conversations(
    longleaf: Longleaf, texts: SimpleNamespace, settings: Settings
) -> None:
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes)
    judged = ask(longleaf, lease.id, "When does the lease begin?")
    ask(longleaf, notes.id, "Which password?", "c2")
    assert judged is not None
    longleaf.history.judge(judged.number, "wrong", "it is Xylophone")
    longleaf.tag(lease.id, ["home"])
    assert longleaf.delete(lease.id).answers == 1
    assert [each.id for each in longleaf.history.conversations()] == ["c2"]
    assert longleaf.history.judged() == []
    left = (settings.data_dir / "catalogue.sqlite").read_bytes()
    assert b"lease begin" not in left
    assert b"it is Xylophone" not in left


def test_answers_and_conversations_are_deleted_by_themselves(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lease = longleaf.add(texts.lease)
    first, second = ask(longleaf, lease.id, "When does the lease begin?"), ask(longleaf, lease.id, "And the crowns?")
    assert first is not None
    assert second is not None
    longleaf.history.delete_answer(first.number)
    assert longleaf.history.answers("c1") == [second]
    assert longleaf.history.delete("c1") == 1
    assert longleaf.history.about([lease.id]) == []
    for call in (lambda: longleaf.history.delete("c1"), lambda: longleaf.history.rename("c1", "x")):
        with pytest.raises(BadRequest, match="there is no conversation 'c1'; it may have been deleted"):
            call()
    with pytest.raises(BadRequest, match=f"there is no answer {first.number}; it may have been deleted"):
        longleaf.history.judge(first.number, "right")


def test_the_last_verdict_counts_and_others_are_refused(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    kept = ask(longleaf, longleaf.add(texts.lease).id, "When does the lease begin?")
    assert kept is not None
    longleaf.history.judge(kept.number, "wrong", "no")
    longleaf.history.judge(kept.number, "wrong evidence")
    (judged,) = longleaf.history.judged()
    assert (judged.verdict, judged.note) == ("wrong evidence", "")
    assert judged.as_json()["feedback"] == {"verdict": "wrong evidence", "note": ""}
    with pytest.raises(BadRequest, match="the verdict is 'great'; it must be one of right, wrong, wrong evidence"):
        longleaf.history.judge(kept.number, "great")


def test_an_export_has_the_citations_and_nothing_in_it_becomes_markup(
    longleaf: Longleaf, texts: SimpleNamespace
) -> None:
    texts.notes.write_text("# The total <b>fee</b> is *7* [crowns](x).\n", encoding="utf-8")
    ask(longleaf, longleaf.add(texts.notes).id, "What is the total <i>](x)?")
    markdown, page, data = (longleaf.history.export("c1", form) for form in ("md", "html", "json"))
    assert (
        "1. **notes.txt, lines 1-1**: “\\# The total \\<b\\>fee\\</b\\> is \\*7\\* \\[crowns\\](x).” (quote checked)"
        in markdown
    )
    assert "Read 1 of 1 pages" in markdown
    assert "<blockquote># The total &lt;b&gt;fee&lt;/b&gt;" in page
    assert "<i>" not in page
    (answer,) = json.loads(data)["answers"]
    assert (answer["citations"][0]["lines"], answer["found"], answer["feedback"]) == ([1, 1], True, None)
    with pytest.raises(BadRequest, match="the form is 'pdf'; it must be one of md, html, json"):
        longleaf.history.export("c1", "pdf")


def test_a_catalogue_of_the_first_format_is_carried_over(
    open_longleaf: Callable[..., Longleaf], longleaf: Longleaf, settings: Settings, texts: SimpleNamespace
) -> None:
    entry = longleaf.add(texts.lease)
    list(longleaf.read([entry.id]))
    longleaf.close()
    old = sqlite3.connect(settings.data_dir / "catalogue.sqlite")
    for table in ("readings", "feedback", "answers", "answer_documents", "conversations", "tags"):
        old.execute(f"DROP TABLE {table}")
    for statement in TABLES.split(";"):
        if any(f"TABLE {name} (" in statement for name in ("readings", "answers", "answer_documents")):
            old.execute(statement)
    old.execute("INSERT INTO readings SELECT id, recipe, 'packaged', 10, 5 FROM entries")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    reopened = open_longleaf(settings)
    again = reopened.entry(entry.id)
    assert (again.is_read, again.tokens, again.tokens_read, again.tags) == (True, 10, 10, ())
    reopened.close()
