"""Answers that need no model: what an agreement says of itself, amounts that a report states, what tables say.

A model of the packaged size gets these wrong, and they take a fraction of a second.
"""

from collections.abc import Sequence
from dataclasses import replace

from ingest.document import Document
from llm.answer import Derived
from llm.evidence.calibration import is_found, probability_of_answer
from llm.evidence.ranking import Ranked
from llm.named import answer_from_names
from llm.structured.form import Form
from llm.tables import answer_from_statements, answer_from_tables


def derive(question: str, ranked: Sequence[Ranked], documents: Sequence[Document]) -> Derived | None:
    """What is asked for by name, else what a table says where the ranked passages are strong enough evidence."""
    named = answer_from_names(question, documents) or answer_from_statements(question, ranked)
    if named is not None:
        return named
    if not is_found(probability_of_answer(question, ranked, None), with_answer=False):
        return None
    return answer_from_tables(question, ranked)


def derive_of_form(question: str, documents: Sequence[Document], form: Form) -> Derived | None:
    """The one stretch of that form in what the document says of itself: "two years" of "for two years from today"."""
    named = answer_from_names(question, documents) if form.pattern is not None else None
    fitting = form.strings([named.text]) if named is not None else []
    return replace(named, text=fitting[0]) if named is not None and len(fitting) == 1 else None
