"""How well spans fit a question."""

import pytest

from llm.reranking import Fitness

PADDING = " and so on" * 20
TEXT = (
    f"The council holds a fest.{PADDING} The university holds the Bigelow Bash every spring, and rests in the summer."
)
QUESTION = "What does the university hold in the spring?"


def test_what_stands_near_what_is_asked_about_fits_better() -> None:
    fitness = Fitness(QUESTION, TEXT)
    assert fitness.of("Bigelow Bash") > fitness.of("a fest") > fitness.of("not there")


def test_what_repeats_the_question_fits_worse() -> None:
    fitness = Fitness(QUESTION, TEXT)
    assert fitness.of("The university") < fitness.of("the Bigelow Bash")
    assert Fitness("Who held it?", "They held it.").of("held") == pytest.approx(-1.5)


def test_the_best_place_of_a_span_counts() -> None:
    near = "The university holds a fest in the spring."
    once, twice = (Fitness(QUESTION, text).of("a fest") for text in (near, f"A fest.{PADDING} {near}"))
    assert once == twice > Fitness(QUESTION, f"A fest.{PADDING}").of("a fest")


@pytest.mark.parametrize("question", ["", "?", "Что это?"])
def test_a_question_without_words_of_the_text_says_nothing(question: str) -> None:
    fitness = Fitness(question, TEXT)
    assert fitness.of("fest") == fitness.of("") == 0
    assert Fitness(question, "").of("fest") == 0


def test_a_name_that_looks_like_a_stop_word_is_found() -> None:
    text = f"Straße 9.{PADDING} The US paid 5 million.{PADDING} They paid 7 million."
    fitness = Fitness("What did the US give?", text)
    assert fitness.of("5 million") > fitness.of("7 million")


def test_all_of_an_answer_makes_up_for_what_its_words_cost() -> None:
    fitness = Fitness("Who?", "Ann Lee and Bob Ray came.")
    assert fitness.of("Ann Lee and Bob Ray") > fitness.of("Ann Lee") > fitness.of("Ann")


@pytest.mark.parametrize(
    "question",
    ["Does the university hold a fest in the spring?", "And why does the university hold a fest?", "How so?"],
)
def test_a_clause_that_answers_may_say_the_question_again(question: str) -> None:
    fitness = Fitness(question, TEXT)
    assert fitness.of("The university") == fitness.of("so on") > 0


@pytest.mark.parametrize("question", ["How many fests does it hold?", "What does it hold?", "Who holds it?"])
def test_a_fact_may_not(question: str) -> None:
    assert Fitness(question, TEXT).of("holds a fest") < Fitness(question, TEXT).of("so on then")
