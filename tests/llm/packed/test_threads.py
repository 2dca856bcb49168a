"""The number of threads follows what was fastest a moment ago."""

from collections import Counter
from collections.abc import Iterator

import pytest
import torch

from llm.packed.threads import FastestThreads


class Machine:
    """A clock by which a pass takes as long as is said for the threads that it runs with."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0
        self.used: Counter[int] = Counter()

    def clock(self) -> float:
        return self.now

    def run(self, threads: FastestThreads, passes: int, *, is_trial: bool = True) -> None:
        self.used.clear()
        for _ in range(passes):
            with threads.carrying(is_trial=is_trial):
                self.used[torch.get_num_threads()] += 1
                self.now += self.seconds["one" if torch.get_num_threads() == 1 else "all"]


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_free_core_is_used_and_a_busy_one_is_left_within_a_cycle() -> None:
    machine = Machine(one=0.020, all=0.015)
    threads = FastestThreads(machine.clock)
    machine.run(threads, 640)
    assert machine.used[2] >= 0.95 * 640
    machine.seconds["all"] = 0.060  # another job came
    machine.run(threads, 64)
    machine.run(threads, 640)
    assert machine.used[1] >= 0.95 * 640
    assert torch.get_num_threads() == 2


def test_a_slow_first_pass_while_threads_wake_does_not_decide() -> None:
    machine = Machine(one=0.020, all=0.200)
    threads = FastestThreads(machine.clock)
    machine.run(threads, 3)
    machine.seconds["all"] = 0.015
    machine.run(threads, 61)
    assert machine.used[2] == 61


def test_passes_that_are_no_trial_take_what_is_known() -> None:
    machine = Machine(one=0.020, all=0.015)
    threads = FastestThreads(machine.clock)
    machine.run(threads, 3, is_trial=False)
    assert machine.used == {1: 3}, "nothing was tried yet"
    machine.run(threads, 4)
    machine.run(threads, 3, is_trial=False)
    assert machine.used == {2: 3}


def test_the_number_is_put_back_when_a_pass_fails() -> None:
    with pytest.raises(RuntimeError), FastestThreads().carrying(is_trial=True):
        raise RuntimeError
    assert torch.get_num_threads() == 2
