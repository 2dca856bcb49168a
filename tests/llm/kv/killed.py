"""Kills children at random moments of appending, and after each checks what they left. Run as a program.

    python -m tests.llm.kv.killed FOLDER KILLS

A process of its own, with one thread, may fork without harm. Prints one JSON object: how many children were killed
inside an append, how often the snapshot had grown, and in how many tokens each kill found it.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import torch

from llm.kv.codec import KVDtype
from tests.llm.kv.made import MIXED, States, append, assert_holds, cut, states_of, store_of

NUM_TOKENS = 1500


def main(folder: Path, kills: int) -> None:
    torch.set_num_threads(1)
    ids, states = list(range(NUM_TOKENS)), states_of(MIXED, NUM_TOKENS)
    moments = random.Random(0)
    found = []
    killed_inside = 0
    reached = 0
    for kill in range(kills):
        reported, was_inside = _kill_one(folder, ids, states, kill, moments.uniform(0.0, 0.05))
        killed_inside += was_inside
        snapshot = store_of(folder, kv_dtype=KVDtype.FLOAT32).open(ids, ["doc"])
        assert snapshot.num_tokens >= max(reached, reported), "a commit that was reported is lost"
        snapshot.check_integrity()
        assert_holds(snapshot, states)
        found.append(snapshot.num_tokens)
        reached = snapshot.num_tokens
        if snapshot.is_complete:
            snapshot.discard()
            reached = 0
    snapshot = store_of(folder).open(ids, ["doc"])
    append(snapshot, states, until=NUM_TOKENS)
    snapshot.check_integrity()
    assert_holds(snapshot, states)
    print(json.dumps({"killed_inside": killed_inside, "found": found}))


def _kill_one(folder: Path, ids: list[int], states: States, seed: int, after_s: float) -> tuple[int, bool]:
    """Tokens that the child had reported as committed, and whether it was inside an append when it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _append_for_ever(folder, ids, states, seed, writing)
        os._exit(0)
    os.close(writing)
    select.select([reading], [], [], 10)  # until it has opened the snapshot
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        lines = stream.read().split()
    commits = [int(line) for line in lines if line != "begin"]
    return (commits[-1] if commits else 0), lines[-1:] == ["begin"]


def _append_for_ever(folder: Path, ids: list[int], states: States, seed: int, writing: int) -> None:
    snapshot = store_of(folder).open(ids, ["doc"])
    sizes = random.Random(seed)
    while not snapshot.is_complete:
        start = snapshot.num_tokens
        end = min(start + sizes.choice((1, 20, 64, 150)), len(ids))
        os.write(writing, b"begin\n")
        snapshot.append(cut(states, start, end), end - start)
        os.write(writing, f"{end}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
