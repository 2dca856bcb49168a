"""What stands below an exported answer: what the model saw, or that none wrote it."""

from dataclasses import replace

from app.service import Conversation, KeptAnswer
from app.service.exporting import as_html, as_markdown
from llm.answer import Answer, Coverage, LeftOut, ModelName, Timing

WRITTEN = Answer(
    "How many?", "3", True, (), Coverage(1, 9, 2, 900, 80, (LeftOut("a.pdf", None, "long"),)),
    Timing(0, 0, 80, 0, 0, 0, 0), ModelName("M_1", "r"),
)  # fmt: skip
UNSEEN = Coverage(1, 9, 1, 900, 0, (LeftOut("a.pdf", None, "the model read nothing for it"), LeftOut("b", 2, "empty")))


def below(answer: Answer) -> set[str]:
    """The last line, in both forms."""
    talk, kept = Conversation("c", "Q", 1, "", ""), [KeptAnswer(1, "2026-11-22", "c", (), answer)]
    html = as_html(talk, kept).partition("<footer>")[2].partition("</footer>")[0]
    return {as_markdown(talk, kept).strip().splitlines()[-1].replace("\\", ""), html}


def test_what_the_model_saw_is_said_with_its_name() -> None:
    assert below(WRITTEN) == {"Read 2 of 9 pages, 80 of 900 tokens. 1 left out. M_1, 2026-11-22."}


def test_an_answer_that_no_model_wrote_says_so_and_names_none() -> None:
    looked_up = replace(WRITTEN, derived=True, coverage=replace(UNSEEN, left_out=UNSEEN.left_out[:1]))
    assert below(looked_up) == {"Looked up in the document, not written by the model. 2026-11-22."}
    computed = replace(WRITTEN, derived=True, coverage=UNSEEN, how="number of rows")
    assert below(computed) == {
        "From the table: number of rows. Worked out from a table, not written by the model. 1 left out. 2026-11-22."
    }


def test_a_model_that_looked_over_everything_is_named() -> None:
    looked = replace(WRITTEN, derived=True, coverage=Coverage(1, 9, 9, 900, 900))
    assert below(looked) == {
        "Looked up in the document, not written by the model. Read 9 of 9 pages, 900 of 900 tokens. M_1, 2026-11-22."
    }
