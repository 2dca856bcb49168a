"""Handing out documents to workers: every one once, equal ones one behind the other, lost ones again."""

import random
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.batch.making import OnReading, Work
from app.batch.questions import Question
from app.batch.round import MAX_LOST, Round, WorkerLost
from app.batch.sources import Source
from llm.answer import ModelName, ReadingProgress

QUESTION = Question.of("Is it March?")


def work(name: str, sha256: str, refused: str | None = None) -> Work:
    return Work(Source(name, Path(name), sha256, 1, refused), ((QUESTION, f"{sha256[:4]}-{name}"),))


class FakeCrew:
    """Workers that end in any order; `deadly` documents cost them."""

    def __init__(self, workers: int, deadly: Collection[str] = (), dies_once: Collection[str] = ()) -> None:
        self._workers, self._rng = workers, random.Random(3)
        self._deadly, self._dies_once = set(deadly), set(dies_once)
        self.at_work: dict[int, tuple[int, Work]] = {}
        self.ahead: dict[int, str] = {}  # what each worker is parsing, by name
        self.num_ahead = 0  # documents that were parsed already when their turn came
        self.is_slow = False  # nothing is done at the first look
        self.begun: list[str] = []
        self.handed: list[tuple[str, int]] = []
        self.replaced: list[int] = []

    def __len__(self) -> int:
        return self._workers

    def begin(self, index: int, work: Work, basis: object, ahead: Source | None) -> int:
        assert index not in [other for other, _ in self.at_work.values()], "the worker has a document already"
        assert work.source.sha256 not in [other.source.sha256 for _, other in self.at_work.values()]
        self.num_ahead += self.ahead.pop(index, None) == work.source.name
        if ahead is not None:
            self.ahead[index] = ahead.name
        self.begun.append(work.source.name)
        self.handed.append((work.source.name, index))
        self.at_work[len(self.begun)] = index, work
        return len(self.begun)

    def first_done(self, begun: Collection[Any]) -> int | None:
        self.is_slow, was_slow = False, self.is_slow
        return None if was_slow else int(self._rng.choice(list(begun)))

    def reading(self, index: int) -> tuple[Source, ReadingProgress] | None:
        work = next(work for at, work in self.at_work.values() if at == index)
        return None if index == 0 else (work.source, ReadingProgress("read", index, 9, "tokens", 1.0, 1.0))

    def rows(self, begun: int) -> list[dict[str, Any]]:
        _, done = self.at_work.pop(begun)
        name = done.source.name
        if name in self._deadly or name in self._dies_once:
            self._dies_once.discard(name)
            raise WorkerLost
        return [row(done)]

    def replace(self, index: int) -> None:
        self.replaced.append(index)


def row(done: Work) -> dict[str, Any]:
    left_out: list[Any] = []
    return {
        "id": done.asked[0][1], "source": done.source.name, "status": "ok", "citations": [],
        "coverage": {"left_out": left_out},
    }  # fmt: skip


def run(
    crew: FakeCrew, works: list[Work], on_reading: OnReading = lambda source, progress: None
) -> dict[str, dict[str, Any]]:
    """The rows by source; none is made twice."""
    rows: dict[str, dict[str, Any]] = {}
    by_key: dict[str, dict[str, Any]] = {}

    def keep(made: dict[str, Any]) -> None:
        assert made["source"] not in rows, "a row was made twice"
        rows[made["source"]] = made
        if made["status"] == "ok":
            by_key[made["id"].partition("-")[0]] = made

    basis = SimpleNamespace(key=lambda source, question: source.sha256[:4], model=ModelName("m", "r"))
    batch: Any = SimpleNamespace(work=lambda: works, same=by_key.get, basis=basis, keep=keep)
    Round(crew, batch, lambda made: None, on_reading).run()
    return rows


def hashes(number: int) -> list[str]:
    rng = random.Random(5)
    return [f"{rng.getrandbits(256):064x}" for _ in range(number)]


def test_every_document_is_done_once_by_some_worker() -> None:
    crew = FakeCrew(3)
    works = [work(f"{at}.txt", sha256) for at, sha256 in enumerate(hashes(40))]
    assert run(crew, works).keys() == {each.source.name for each in works}
    assert len(crew.begun) == 40
    assert not crew.replaced


def test_equal_files_are_asked_once() -> None:
    crew = FakeCrew(4)
    same, other = hashes(2)
    rows = run(crew, [*(work(f"{at}.txt", same) for at in range(5)), work("other.txt", other)])
    assert len(rows) == 6
    assert Counter(name == "other.txt" for name in crew.begun) == {False: 1, True: 1}


def test_a_document_goes_to_its_own_worker_where_that_is_idle() -> None:
    crew = FakeCrew(3)
    works = [work(f"{at}.txt", sha256) for at, sha256 in enumerate(hashes(12))]
    run(crew, works)
    own = {each.source.name: int(each.source.sha256[:8], 16) % 3 for each in works}
    assert all(own[name] == index for name, index in crew.handed[:3])


def test_a_lost_worker_costs_its_document_once_more() -> None:
    works = [work(f"{at}.txt", sha256) for at, sha256 in enumerate(hashes(9))]
    crew = FakeCrew(2, dies_once=["4.txt"])
    rows = run(crew, works)
    assert {each["status"] for each in rows.values()} == {"ok"}
    assert (crew.begun.count("4.txt"), len(crew.replaced)) == (2, 1)


def test_a_document_that_costs_two_workers_is_given_up() -> None:
    works = [work(f"{at}.txt", sha256) for at, sha256 in enumerate(hashes(9))]
    crew = FakeCrew(2, deadly=["4.txt"])
    rows = run(crew, works)
    assert rows["4.txt"]["status"] == "failed"
    assert f"{MAX_LOST} workers were lost at it" in rows["4.txt"]["error"]
    assert sum(each["status"] == "ok" for each in rows.values()) == 8


def test_what_cannot_be_read_needs_no_worker() -> None:
    crew = FakeCrew(2)
    (sha256,) = hashes(1)
    rows = run(crew, [work("bad.pdf", sha256, "bad.pdf cannot be read: it is empty")])
    assert (rows["bad.pdf"]["status"], crew.begun) == ("failed", [])


def test_the_next_document_is_parsed_ahead_and_stays_with_its_worker() -> None:
    crew = FakeCrew(1)
    run(crew, [work(f"{at}.txt", sha256) for at, sha256 in enumerate(hashes(9))])
    assert crew.num_ahead == 8
    crew = FakeCrew(2)
    of_one = [f"{at * 2:08x}{sha256[8:]}" for at, sha256 in enumerate(hashes(12))]  # the first worker's, all of them
    run(crew, [work(f"{at}.txt", sha256) for at, sha256 in enumerate(of_one)])
    of_first = [name for name, index in crew.handed if index == 0]
    assert len(of_first) < 12, "the second worker has taken none"
    assert of_first == [f"{at}.txt" for at in range(len(of_first))]
    assert crew.num_ahead >= len(of_first) - 2  # the last one may have been taken


def test_what_cannot_be_read_is_not_parsed_ahead() -> None:
    crew = FakeCrew(1)
    good, bad = hashes(2)
    run(crew, [work("good.pdf", good), work("bad.pdf", bad, "bad.pdf cannot be read: it is empty")])
    assert crew.ahead == {}


def test_how_far_the_workers_are_is_told_while_none_is_done() -> None:
    crew, told = FakeCrew(5), list[tuple[str, int]]()
    crew.is_slow = True
    names = {sha256: f"{at}.txt" for at, sha256 in enumerate(hashes(20))}
    run(
        crew,
        [work(name, sha256) for sha256, name in names.items()],
        lambda *each: told.append((each[0].name, each[1].done)),
    )
    at_work = {index: name for name, index in reversed(crew.handed)}
    assert told == [(at_work[1], 1), (at_work[2], 2)]  # the first reads nothing, and no more than three are asked
