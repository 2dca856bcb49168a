"""From a model's answer to the answer that a field gets: made whole, checked, asked again, or the only one there is.

Guarantees: whatever it becomes stands in the document; an optional field that the model refused stays refused; the
model is asked again twice at most.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from app.extraction.completing import candidates_of, meant_by, sure_ones, with_places
from app.extraction.field import Field, FieldKind
from app.extraction.only import with_only_value
from app.extraction.values import BadValue, value_of
from ingest.document import Document
from llm.answer import Answer
from llm.named import Candidate
from llm.structured import Form

AskAgain = Callable[[Form], Answer]  # the same question, answered with that form
MAX_CHOICES, _RETRIES = 24, 2


def settled(answer: Answer, field: Field, documents: Iterable[Document], ask_again: AskAgain) -> Answer:
    """The answer whose value the field gets; `value_of` says what that is."""
    documents = list(documents)
    if answer.stopped:
        return answer
    if field.kind in (FieldKind.NAME, FieldKind.ADDRESS):
        return _whole(answer, field, candidates_of(field.kind, documents), ask_again)
    return with_only_value(_fitting(answer, field, documents, ask_again), field, documents)


def _whole(answer: Answer, field: Field, candidates: Sequence[Candidate], ask_again: AskAgain) -> Answer:
    """The name or address that was meant; of a required field that has none, one that the model chooses."""
    meant = meant_by(answer, field, candidates)
    so_far = with_places(answer, meant) if meant else answer
    if not field.is_required or field.is_list or (meant and all(one.strength for one in meant)):
        return so_far
    choices = list({one.text: one for one in [*meant, *sure_ones(candidates)][:MAX_CHOICES]}.values())
    if len(choices) < 2:
        return with_places(answer, choices) if choices else answer
    again = ask_again(Form(choices=tuple(one.text for one in choices)))
    chosen = [one for one in choices if again.found and one.text == " ".join(again.answer.split())]
    return with_places(again, chosen) if chosen else so_far


def _fitting(answer: Answer, field: Field, documents: Sequence[Document], ask_again: AskAgain) -> Answer:
    """The answer, or where it breaks the schema, what the model says when it may not say that again."""
    form = field.form
    if form is None or form.pattern is None:
        return answer
    texts = [page.text for document in documents for leaf in document.leaves() for page in leaf.pages]
    said, wrong = answer, list[str]()
    for _ in range(_RETRIES):
        if not said.found or said.stopped or _fits(said, field, texts):
            break
        wrong.append(said.answer)
        said = ask_again(replace(form, barred=tuple(wrong)))
    return said if said.found and _fits(said, field, texts) else answer


def _fits(answer: Answer, field: Field, texts: Sequence[str]) -> bool:
    try:
        value_of(answer.answer, field, texts)
    except BadValue:
        return False
    return True
