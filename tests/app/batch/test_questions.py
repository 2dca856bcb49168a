"""Questions files: both forms, ids that do not move, and a mistake told with its line."""

from pathlib import Path

import pytest

from app.batch import Question, load_questions
from app.errors import BadRequest


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "questions"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_one_question_a_line(tmp_path: Path) -> None:
    found = load_questions(written(tmp_path, "\ufeffWho signs?\r\n\n  When does it end?  \nWho signs?\n"))
    assert [question.text for question in found] == ["Who signs?", "When does it end?"]
    after = load_questions(written(tmp_path, "What is it?\nWho signs?\n"))
    assert found[0] == after[1]


def test_objects_with_ids_and_globs(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"id": "law", "question": "Which law?", "source": "*.pdf"}\n\n{"question": "Who signs?", "source": "a/*"}\n',
    )
    law, signs = load_questions(path)
    assert law == Question("law", "Which law?", "*.pdf")
    assert (law.fits("x/y.pdf"), law.fits("y.txt"), signs.fits("a/y.txt"), signs.fits("b/y.txt")) == (
        True, False, True, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n \n", "questions holds no question; write one a line, or one JSON object a line"),
        ('{"question": "a"}\n{"question": \n', "line 2 of {path} is no JSON (Expecting value at column 14); write {{"),
        ('{"question": "a"}\nWho?\n', "line 2 of {path} is no JSON"),
        ('{"question": "a"}\n[1]\n', "line 2 of {path} is a list; write an object"),
        ('{"qestion": "a"}\n', "line 1 of {path} has the unknown key 'qestion'; known are id, question, source"),
        ('{"id": "a"}\n', "line 1 of {path} has no question; add the key 'question'"),
        ('{"question": "a", "id": 7}\n', "line 1 of {path} has 7 as its id; give text that is not empty"),
        ('{"question": "a", "id": "x"}\n{"question": "b", "id": "x"}\n', "gives the id 'x' to two questions"),
        (b"Who?\n\xff\xfe", "{path} is not UTF-8 text (byte 5 is 0xff); save it as UTF-8"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadRequest) as caught:
        load_questions(path)
    assert sentence.format(path=path) in str(caught.value)
    assert "\n" not in str(caught.value)
