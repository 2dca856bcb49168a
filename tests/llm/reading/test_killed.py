"""A reading that is killed at any moment goes on from its last commit, and ends with the same logits."""

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from ingest.document import Document, Kind, Page
from llm.backbone import Backbone
from llm.reading import Readings
from llm.stream import TokenStream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks and kills a child process")
KILLS = 50


def stream_of(tiny: Backbone) -> TokenStream:
    words = random.Random(3).choices(["lease", "rent", "tenant", "law", "Oregon", "pays", "month"], k=2500)
    return TokenStream.of([Document("killed", "lease.txt", Kind.TEXT, pages=(Page(1, " ".join(words)),))], tiny.prompt)


def read_all(tiny: Backbone, folder: Path) -> None:
    torch.set_num_threads(1)
    for _ in Readings(tiny, folder).read(stream_of(tiny)):
        pass


def logits(tiny: Backbone, folder: Path) -> torch.Tensor:
    session = Readings(tiny, folder).session([stream_of(tiny)])
    return tiny.runner.forward(tiny.prompt.suffix("Who pays?"), session.turn())


def test_fifty_kills_lose_no_commit_and_change_no_logit(tiny: Backbone, tmp_path: Path) -> None:
    stream, fork, draw = stream_of(tiny), multiprocessing.get_context("fork"), random.Random(7)
    started = time.perf_counter()
    read_all(tiny, tmp_path / "through")
    whole_s = time.perf_counter() - started  # on a loaded machine kills must come later to fall into a reading
    committed, kills, reached = 0, 0, []
    folder = tmp_path / "killed"
    while kills < KILLS:
        child = fork.Process(target=read_all, args=(tiny, folder))
        child.start()
        time.sleep(draw.uniform(0.0, max(0.1, whole_s / 2)))
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        kills += 1
        found = Readings(tiny, folder).tokens_read(stream)
        assert found >= committed
        committed = found
        reached.append(found)
        if committed == len(stream):
            assert torch.equal(logits(tiny, folder), logits(tiny, tmp_path / "through"))
            folder = tmp_path / f"killed-{kills}"
            committed = 0
    assert len(set(reached)) > 3, "the kills fell into readings at different places"
    read_all(tiny, folder)
    assert torch.equal(logits(tiny, folder), logits(tiny, tmp_path / "through"))
