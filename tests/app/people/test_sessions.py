"""Sessions end when they should, and guessing takes ever longer."""

from pathlib import Path

import pytest

from app.people import Sessions, Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_session_is_found_after_a_restart_and_its_token_is_not_on_the_disk(tmp_path: Path, clock: Clock) -> None:
    sessions = Sessions(tmp_path / "s.sqlite", 60, clock)
    token = sessions.open("ada", "mark")
    sessions.close()
    again = Sessions(tmp_path / "s.sqlite", 60, clock)
    found = again.find(token)
    assert found is not None
    assert (found.who, found.mark) == ("ada", "mark")
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert (tmp_path / "s.sqlite").stat().st_mode & 0o777 == 0o600
    again.close()


def test_a_session_ends_when_it_is_ended_and_when_its_time_is_over(tmp_path: Path, clock: Clock) -> None:
    sessions = Sessions(tmp_path / "s.sqlite", 60, clock)
    first, second = sessions.open("ada"), sessions.open("bert")
    sessions.end(first)
    assert sessions.find(first) is None
    assert sessions.find("") is None
    assert sessions.everybody() == {"bert"}
    clock.now += 61
    assert sessions.find(second) is None
    assert sessions.everybody() == set()
    sessions.close()


def test_each_failure_beyond_the_free_ones_doubles_the_wait(clock: Clock) -> None:
    throttle, keys = Throttle(clock), {"here": 3, "address": 10}
    waits = []
    for _ in range(6):
        throttle.failed(keys)
        waits.append(throttle.wait_s(keys))
    assert waits == [0, 0, 1, 2, 4, 8]
    assert throttle.wait_s({"elsewhere": 3, "address": 10}) == 0
    clock.now += 8
    assert throttle.wait_s(keys) == 0
    for _ in range(30):
        throttle.failed(keys)
    assert throttle.wait_s(keys) == 900


def test_who_knows_one_password_does_not_clear_the_way_for_guessing_others(clock: Clock) -> None:
    throttle = Throttle(clock)
    for guess in range(10):
        throttle.failed({f"here {guess}": 5, "address": 10})
    throttle.succeeded({"here mine": 5, "address": 10})
    assert throttle.wait_s({"here other": 5, "address": 10}) > 0
