"""The journal: synced lines, torn ends, one writer, and files that are none of its own."""

import json
import tracemalloc
from pathlib import Path

import pytest

from app.batch import Row, RowJournal
from app.errors import BadRequest


def row(number: int, status: str = "ok") -> Row:
    return {"id": f"{number:024d}-abc", "source": "a", "question": f"q{number}\u2028", "status": status}


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@pytest.mark.parametrize("cut", [1, 7, 30, 60])
def test_a_torn_last_line_is_taken_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rows.jsonl"
    with RowJournal(path, tmp_path) as journal:
        journal.append(row(1))
        journal.append(row(2))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with RowJournal(path, tmp_path) as journal:
        assert [each["id"] for each in journal.rows()] == [row(1)["id"]]
        journal.append(row(2))
    assert path.read_bytes() == whole


def test_the_very_first_line_may_be_torn(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "00')
    with RowJournal(path, tmp_path) as journal:
        assert list(journal.rows()) == []
    assert path.read_bytes() == b""


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"notes without a line end", b'{"id": 1}\n', b"\xff\xfe\n"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadRequest, match="name another file with --out"):
        RowJournal(path, tmp_path)
    assert path.read_bytes() == content


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with RowJournal(path, tmp_path), pytest.raises(BadRequest, match="another batch is writing to"):
        RowJournal(path, tmp_path)
    RowJournal(path, tmp_path).close()


def test_rows_are_dropped_as_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with RowJournal(path, tmp_path) as journal:
        for each in (row(1), row(2, "failed"), row(3)):
            journal.append(each)
    with RowJournal(path, tmp_path) as journal:
        assert journal.same("2".zfill(24)) is None
        assert [journal.status(each) for each in journal.ids()] == ["ok", "failed", "ok"]
        assert journal.drop({row(2)["id"]}) == 1
        assert (journal.get(row(2)["id"]), journal.get(row(3)["id"])) == (None, row(3))
        journal.append(row(2))
        assert journal.same("2".zfill(24)) == row(2)
    assert lines(path) == [row(1), row(3), row(2)]
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".writing"] == []


def test_rows_are_read_again_while_others_are_written(tmp_path: Path) -> None:
    with RowJournal(tmp_path / "rows.jsonl", tmp_path) as journal:
        for number in range(1, 60):
            journal.append(row(number))
            back = number // 2 or 1
            assert journal.get(row(back)["id"]) == row(back)
            assert journal.same(str(back).zfill(24)) == row(back)
        assert list(journal.rows()) == [row(number) for number in range(1, 60)]


def test_rows_are_not_kept_in_memory(tmp_path: Path) -> None:
    with RowJournal(tmp_path / "rows.jsonl", tmp_path) as journal:
        tracemalloc.start()
        for number in range(300):
            journal.append({**row(number), "answer": f"{number} " * 3000})
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 300 * 1000, "bytes, where the rows have five million"


def test_a_file_that_was_changed_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with RowJournal(path, tmp_path) as journal:
        journal.append(row(1))
        path.write_bytes(b"something else")
        with pytest.raises(BadRequest, match="was changed by another program while the batch ran"):
            journal.get(row(1)["id"])
