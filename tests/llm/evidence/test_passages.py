"""Passages: sizes, borders, and the words above them that help to find them."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Definition, Document, Heading, Kind, Page, Role, Span
from llm.evidence.passages import MAX_CHARS, cut, flowing


def document(*texts: str, kind: Kind = Kind.TEXT, **rest: object) -> Document:
    pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
    return Document("d" * 64, "notes.txt", kind, pages=pages, **rest)


def test_flowing_undoes_line_breaks_and_hyphens_of_words_only() -> None:
    assert flowing("an inter-\nnational  law, 1990-\n1991, Jean-\nPaul, soft\u00adly") == (
        "an international law, 1990- 1991, Jean- Paul, softly"
    )


def test_passages_stay_on_their_page_and_under_the_limit() -> None:
    sentence = "This is one of very many sentences that fill the page. "
    passages = list(cut(document(sentence * 60, "A short page.", "")))
    assert {passage.page_index for passage in passages} == {0, 1}
    assert all(passage.end - passage.start <= MAX_CHARS for passage in passages)
    assert all(passage.end - passage.start > MAX_CHARS / 2 for passage in passages[:-2])
    assert sum(len(passage.units) for passage in passages) == 61


def test_context_is_name_and_nearest_heading_also_from_the_page_before() -> None:
    first, second = "Warranty\nNone is given.", "It goes on."
    pages = (Page(1, first, (Span(0, 8, role=Role.HEADING), Span(9, 23))), Page(2, second, (Span(0, 11),)))
    passages = list(cut(Document("d" * 64, "contract.pdf", Kind.PDF, pages=pages)))
    assert [passage.context for passage in passages] == ["contract.pdf", "contract.pdf · Warranty"]
    assert passages[1].search_text(pages[1]) == "contract.pdf · Warranty\nIt goes on."


def test_outline_serves_where_no_span_is_a_heading() -> None:
    made = document("Intro.", "More.", headings=(Heading(1, "Chapter one", 1),))
    assert [passage.context for passage in cut(made)] == ["notes.txt · Chapter one"] * 2


def test_later_rows_of_a_table_know_its_head() -> None:
    rows = ["Year | City", *(f"{1900 + number} | Town number {number} on the river" for number in range(60))]
    text, spans = "", []
    for row in rows:
        spans.append(Span(len(text), len(text) + len(row), role=Role.TABLE))
        text += row + "\n"
    passages = list(cut(Document("d" * 64, "t.xlsx", Kind.OFFICE, pages=(Page(1, text, tuple(spans)),))))
    assert passages[0].context == "t.xlsx"
    assert len(passages) > 2
    assert {passage.context for passage in passages[1:]} == {"t.xlsx · Year | City"}


def test_a_footer_is_in_no_passage() -> None:
    text = "First part.\nPage 7\nSecond part."
    spans = (Span(0, 11), Span(12, 18, role=Role.FOOTER), Span(19, 31))
    made = cut(Document("d" * 64, "p.pdf", Kind.PDF, pages=(Page(1, text, spans),)))
    assert [text[passage.start : passage.end] for passage in made] == ["First part.", "Second part."]


def test_code_is_cut_at_definitions_with_their_comments() -> None:
    body = "\n".join(f"    value_{number} = compute_something({number})" for number in range(8))
    text = f"# opens\ndef first():\n{body}\n\n# closes\n@cached\ndef second():\n    return 1\n"
    lines = text.split("\n")
    definitions = (
        Definition("first", "function", 2),
        Definition("second", "function", lines.index("def second():") + 1),
    )
    passages = list(cut(document(text, kind=Kind.CODE, definitions=definitions)))
    assert [text[passage.start :].partition("\n")[0] for passage in passages] == ["# opens", "# closes"]
    assert [passage.defines for passage in passages] == [{"first"}, {"second"}]


@given(st.text(alphabet=st.sampled_from("ab Z.;\n-1|"), max_size=3000))
def test_every_word_is_in_exactly_one_passage(text: str) -> None:
    passages = list(cut(document(text)))
    covered = [at for passage in passages for at in range(passage.start, passage.end)]
    assert len(covered) == len(set(covered))
    assert all(at in set(covered) for at, character in enumerate(text) if character.isalnum())
    for passage in passages:
        assert (passage.start, passage.end) == (passage.units[0][0], passage.units[-1][1])
