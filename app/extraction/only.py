"""The only value of a kind: what a required field has where the model refused, if the document holds just one.

A receipt with one date has that date, whatever a small model thinks of the question. Optional fields are left alone,
and the confidence stays that of the refusal.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.extraction.field import Field, FieldKind
from app.extraction.values import BadValue, value_of
from ingest.document import Document
from llm.answer import Answer, Citation
from llm.citing import cite

_KINDS = (FieldKind.DATE, FieldKind.DURATION, FieldKind.NUMBER, FieldKind.INTEGER)


def with_only_value(answer: Answer, field: Field, documents: Iterable[Document]) -> Answer:
    """The answer, or where it found nothing and there is just one value of the field's kind, that with its place."""
    if answer.found or answer.stopped or not field.is_required or field.is_list or field.kind not in _KINDS:
        return answer
    leaves = [leaf for document in documents for leaf in document.leaves()]
    texts = [page.text for leaf in leaves for page in leaf.pages]
    places: dict[str, Citation] = {}
    for leaf in leaves:
        for place in _places(leaf, field):
            try:
                places.setdefault(str(value_of(place.quote, field, texts)), place)
            except BadValue:
                continue
            if len(places) > 1:
                return answer
    if not places:
        return answer
    (place,) = places.values()
    return replace(answer, answer=place.quote, found=True, citations=(place,))


def _places(leaf: Document, field: Field) -> Iterator[Citation]:
    """Where something of the field's kind stands."""
    form = field.form
    assert form is not None, f"a {field.kind} has a form"
    assert form.pattern is not None, f"a {field.kind} has a pattern"
    for page_index, page in enumerate(leaf.pages):
        for match in re.finditer(form.pattern, page.text):
            yield cite(leaf, page_index, match.start(), match.end())
