from llm.training.sources import Passage, Question
from llm.training.tables import with_table_questions

TABLE = """Rank | Town | People | Mayor | Shops
1 | Arden | 2,400 | Ann Lee | 7
2 | Belwick | 1,250 | Bo Chan | 1,003
3 | Corfe | 980 | Ann Lee | 66
4 | Dunmore | — | Di Ray | 7"""
GIVEN = Question("how many towns are there?", ("4",))


def made(context: str, kind: str = "wtq") -> dict[str, str]:
    (found,) = with_table_questions({kind: [Passage(kind, context, (GIVEN,))]})[kind]
    assert found.questions[0] == GIVEN
    return {question.text: question.answers[0] for question in found.questions[1:]}


def asked_of_many() -> dict[str, str]:
    """Tables that differ by a space at the end draw differently."""
    return {text: answer for n in range(200) for text, answer in made(TABLE + " " * n).items()}


def test_cells_are_found_by_row_and_by_value() -> None:
    found = asked_of_many()
    assert found["What is the People of Belwick?"] == "1,250"
    assert found["which Town has a People of 980?"] == "Corfe"
    assert found["Which Town has Mayor Di Ray?"] == "Dunmore"
    assert found["Which Town has the highest Shops?"] == found["which Town has the most Shops?"] == "Belwick"
    assert not [text for text in found if "lowest Shops" in text or "least Shops" in text], "two towns have seven"
    assert not [text for text in found if "highest Rank" in text or "least Rank" in text], "the first is the highest"
    assert not [text for text in found if "Mayor Ann Lee" in text], "two towns have that mayor"
    assert not [text for text in found if "People" in text and ("highest" in text or "Dunmore" in text)], (
        "one is unknown"
    )
    assert all(answer in TABLE for answer in found.values())


def test_each_table_gets_a_few_and_always_the_same() -> None:
    assert 1 <= len(made(TABLE)) <= 5
    assert made(TABLE) == made(TABLE)


def test_what_is_no_clear_table_gets_none() -> None:
    assert not made("Town | People\nArden | 2\nBelwick")
    assert not made("Year | People\n1990 | 2\n1991 | 3")
    assert not made("Town | People\nArden | 2\nArden | 3")
    assert not made(TABLE, kind="fetaqa")
