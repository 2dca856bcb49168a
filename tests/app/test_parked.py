"""Readings that a later start takes up: what is remembered, lists of the first form, and lists that are damaged."""

import json
import logging
from pathlib import Path

import pytest

from app.parked import FILE, Parked


def test_what_is_parked_is_there_after_a_new_start_in_its_order(tmp_path: Path) -> None:
    parked = Parked(tmp_path)
    for entry_id, job_id in (("b", "2"), ("a", "1"), ("c", "3")):
        parked.add(entry_id, job_id)
    parked.remove("a")
    assert list(Parked(tmp_path).jobs().items()) == [("b", "2"), ("c", "3")]


def test_a_list_of_the_first_form_is_read_and_its_jobs_keep_their_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text('{"readings": ["b", "a"]}')
    jobs = Parked(tmp_path).jobs()
    assert list(jobs) == ["b", "a"]
    assert len(set(jobs.values())) == 2
    assert Parked(tmp_path).jobs() == jobs
    assert caplog.messages == []


@pytest.mark.parametrize("damaged", ['{"jobs": {"a": "1"', "[]", "7", '{"jobs": ["a"]}', '{"waiting": 1}', '"jobs"'])
def test_a_damaged_list_is_put_aside_and_said_once(
    damaged: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(damaged)
    with caplog.at_level(logging.WARNING):
        assert Parked(tmp_path).jobs() == {}
        assert [message for message in caplog.messages if "was put aside as parked.json.damaged" in message]
        caplog.clear()
        Parked(tmp_path).add("a", "1")
        assert Parked(tmp_path).jobs() == {"a": "1"}
        assert caplog.messages == []
    assert (tmp_path / f"{FILE}.damaged").read_text() == damaged
    assert json.loads((tmp_path / FILE).read_text()) == {"jobs": {"a": "1"}}
