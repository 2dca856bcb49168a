"""What a field gets: the whole, the only one, or what the model says when it is asked again."""

from collections.abc import Callable
from dataclasses import replace

from app.extraction import Field, FieldKind, load_schema, settled, value_of
from ingest.document import Document, Kind, Page
from llm.answer import Answer, Coverage, ModelName, Timing
from llm.structured import Form

TEXT = (
    "Made between Harbour Tools Ltd (“Landlord”) and Mary B. Stone (“Tenant”).\n"
    "The deposit is 2,400 crowns, the rent 900 crowns.\n"
)
ADDRESS = "14 Quay Street\nBristol BS1 4DD\n"


def answer(text: str, *, found: bool = True, stopped: bool = False) -> Answer:
    coverage, timing = Coverage(1, 1, 1, 9, 9), Timing(0, 0, 0, 0, 0, 0, 0)
    return Answer("?", text, found, (), coverage, timing, ModelName("m", "r"), stopped=stopped)


def settle(
    said: Answer, schema: str, text: str, again: Callable[[Form], Answer] | None = None
) -> tuple[Answer, list[Form]]:
    """The settled answer, and with what forms the model was asked again."""
    (field,) = load_schema(schema)
    forms: list[Form] = []

    def ask_again(form: Form) -> Answer:
        forms.append(form)
        assert again is not None, "nobody was to be asked again"
        return again(form)

    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, text),))
    return settled(said, field, [document], ask_again), forms


def test_a_name_that_was_meant_asks_nobody() -> None:
    settled_answer, forms = settle(answer("Landlord"), "party", TEXT)
    assert (settled_answer.answer, forms) == ("Harbour Tools Ltd", [])


def test_a_required_name_is_chosen_among_those_of_the_document() -> None:
    settled_answer, forms = settle(answer("the parties"), "party", TEXT, lambda form: answer(form.choices[1]))
    assert forms == [Form(choices=("Harbour Tools Ltd", "Mary B. Stone"))]
    assert settled_answer.answer == "Mary B. Stone"
    assert settled_answer.citations[0].quote == "Mary B. Stone"


def test_an_answer_stays_where_the_model_refuses_to_choose() -> None:
    settled_answer, forms = settle(answer("the parties"), "party", TEXT, lambda _: answer("none", found=False))
    assert (settled_answer.answer, len(forms)) == ("the parties", 1)


def test_the_only_address_is_that_of_a_required_field() -> None:
    refused = answer("nothing", found=False)
    settled_answer, _ = settle(refused, "address", TEXT + ADDRESS)
    assert (settled_answer.found, settled_answer.answer) == (True, "14 Quay Street Bristol BS1 4DD")
    assert settle(refused, "address?", TEXT + ADDRESS)[0] == refused


def test_free_text_is_left_alone() -> None:
    said = answer("Harbour Tools")
    assert settle(said, "party text", TEXT)[0] == said


def test_a_value_that_breaks_the_schema_is_asked_for_again_without_it() -> None:
    number = Field("rent", FieldKind.NUMBER, {"type": "number", "maximum": 1000})
    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, TEXT),))
    forms: list[Form] = []

    def ask_again(form: Form) -> Answer:
        forms.append(form)
        return answer(form.strings([TEXT])[-1])

    settled_answer = settled(answer("2,400"), number, [document], ask_again)
    assert [form.barred for form in forms] == [("2,400",)]
    assert forms[0].strings([TEXT]) == ["900"]
    assert value_of(settled_answer.answer, number) == 900


def test_what_stays_wrong_is_given_up_after_two_retries() -> None:
    number = Field("rent", FieldKind.NUMBER, {"type": "number", "maximum": 10})
    document = Document("d" * 64, "a.txt", Kind.TEXT, pages=(Page(1, TEXT),))
    said = iter([answer("900"), answer("2,400")])
    first = answer("2,400")
    assert settled(first, number, [document], lambda _: next(said)) == first
    assert next(said, None) is None


def test_a_stopped_answer_is_left_alone() -> None:
    said = replace(answer("Landlord"), stopped=True)
    assert settle(said, "party", TEXT)[0] == said
