"""Questions made from tables: their answers are right, and the programs can reach nearly all of them."""

import pytest

from llm.tables.asked import AskedOfTable
from llm.tables.fit import is_right
from llm.tables.grid import Grid, grids
from llm.tables.made import made_questions
from llm.tables.programs import programs
from tests.llm.tables.conftest import page_of


def test_they_are_always_the_same(invoices: Grid) -> None:
    made = made_questions(invoices)
    assert made == made_questions(invoices)
    assert len({question.text for question in made}) == len(made) == 5


def test_a_program_can_answer_them(invoices: Grid) -> None:
    for question in made_questions(invoices):
        reached = programs(AskedOfTable(question.text, invoices))
        assert any(is_right(program, question.answers) for program in reached), question


@pytest.mark.parametrize("text", ["A | B\n1 | 2\n3 | 4", "Name | Sum\nx | 1\nx | 2\nx | 3"])
def test_nothing_is_asked_of_a_table_without_names(text: str) -> None:
    (grid,) = grids(page_of(text), 0)
    assert made_questions(grid) == []
