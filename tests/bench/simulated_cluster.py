"""A large batch on many workers, simulated: `python -m tests.bench.simulated_cluster --documents 50000 --workers 100`.

The scheduling is the real one (`app.batch.round.Round`); the workers are a clock. Documents have the page numbers of
the 40 contracts of the development data, drawn at random; reading and answering take what was measured here; workers
are lost at random. Prints, as JSON: days, pages a day, how busy the workers were, what losses cost.
"""

import argparse
import heapq
import json
import random
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.batch.making import Work
from app.batch.questions import Question
from app.batch.round import Round, WorkerLost
from app.batch.sources import Source

PAGES = (
    1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 8, 10,
    10, 11, 15,
)  # fmt: skip


class ClockCrew:
    """Workers that take time and do nothing; each is lost once in `lost_every_s` of its work, on average."""

    def __init__(self, workers: int, rng: random.Random, options: argparse.Namespace) -> None:
        self._workers, self._rng, self._options = workers, rng, options
        self.now_s = self.busy_s = self.wasted_s = 0.0
        self.lost = 0
        self._ends: list[tuple[float, int, bool, float, Work]] = []
        self._ready_at = [0.0] * workers
        self._begun = 0

    def __len__(self) -> int:
        return self._workers

    def begin(self, index: int, work: Work, basis: object, ahead: object) -> int:
        tokens = work.source.size_bytes * self._options.tokens_a_page
        takes_s = tokens / self._options.tokens_per_s + len(work.asked) * self._options.answer_s
        until_lost_s = self._rng.expovariate(1 / (self._options.lost_every_h * 3600))
        is_lost = until_lost_s < takes_s
        self._begun += 1
        start_s = max(self.now_s, self._ready_at[index])
        spent_s = min(takes_s, until_lost_s)
        heapq.heappush(self._ends, (start_s + spent_s, self._begun, is_lost, spent_s, work))
        return self._begun

    def first_done(self, begun: Collection[Any]) -> int:
        self.now_s, number, self._is_lost, spent_s, self._work = heapq.heappop(self._ends)
        self.busy_s += spent_s
        self.wasted_s += spent_s if self._is_lost else 0
        return number

    def rows(self, begun: Any) -> list[dict[str, Any]]:
        if self._is_lost:
            self.lost += 1
            raise WorkerLost
        return [
            {"status": "ok", "pages": self._work.source.size_bytes, "row": row_id} for _, row_id in self._work.asked
        ]

    def reading(self, index: int) -> None:
        raise AssertionError("a clock is always done")

    def replace(self, index: int) -> None:
        self._ready_at[index] = self.now_s + self._options.start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--tokens-a-page", type=float, default=640)
    parser.add_argument("--tokens-per-s", type=float, default=700)
    parser.add_argument("--answer-s", type=float, default=3.0)
    parser.add_argument("--lost-every-h", type=float, default=24.0)
    parser.add_argument("--start-s", type=float, default=60.0)
    options = parser.parse_args()
    rng = random.Random(1)
    asked = [Question.of(f"question {number}") for number in range(options.questions)]
    works = []
    for number in range(options.documents):
        source = Source(f"{number}.pdf", Path(f"{number}.pdf"), f"{rng.getrandbits(256):064x}", rng.choice(PAGES))
        works.append(Work(source, tuple((question, f"{number}-{question.id}") for question in asked)))
    rows: list[dict[str, Any]] = []
    basis = SimpleNamespace(key=lambda source, question: "", model=SimpleNamespace(name="m", revision="r"))
    batch = SimpleNamespace(work=lambda: works, same=lambda key: None, basis=basis, keep=rows.append)
    crew = ClockCrew(options.workers, rng, options)
    Round(crew, batch, lambda row: None, lambda *_: None).run()  # type: ignore[arg-type]
    pages = sum(work.source.size_bytes for work in works)
    found = {
        "documents": options.documents,
        "pages": pages,
        "rows": len(rows),
        "failed": sum(row["status"] == "failed" for row in rows),
        "days": round(crew.now_s / 86400, 2),
        "pages_a_day": round(pages / crew.now_s * 86400),
        "busy": round(crew.busy_s / (crew.now_s * options.workers), 4),
        "workers_lost": crew.lost,
        "lost_work": round(crew.wasted_s / crew.busy_s, 5),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
