"""`python -m llm.training`: train the experts of the packaged model, or continue, or finish with a decaying rate.

Stop it with SIGTERM or Ctrl-C: it finishes the step, saves and ends.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from llm.errors import ModelNotFound
from llm.training.trainer import Plan, Trainer


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, and say in one line what a person got wrong."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    plan = Plan(
        minutes=arguments.minutes,
        seed=arguments.seed,
        rate=arguments.lr,
        decay=arguments.decay,
        resume=arguments.resume,
        adapter=arguments.adapter,
        experts_per_token=arguments.top_k,
        attention_rank=arguments.attention_rank,
    )
    try:
        trainer = Trainer(arguments.data, arguments.base, arguments.out, plan)
    except (FileNotFoundError, ValueError, ModelNotFound) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    trainer.run(stop)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llm.training", description="Train LeafMoE's experts.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the question sets (*.jsonl.gz)")
    parser.add_argument("--base", type=Path, required=True, help="folder with the base checkpoint")
    parser.add_argument("--out", type=Path, default=Path("runs/leafmoe"), help="folder for checkpoint, weights and log")
    parser.add_argument("--minutes", type=float, required=True, help="how long to train now")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=6e-4, help="the constant learning rate")
    parser.add_argument("--top-k", type=int, default=1, help="experts per token")
    parser.add_argument("--attention-rank", type=int, default=16, help="rank of the update of attention; 0: none")
    parser.add_argument("--adapter", type=Path, help="weights that a new run begins with, instead of fresh ones")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in --out")
    parser.add_argument(
        "--decay",
        action="store_true",
        help="from the checkpoint, bring the rate to zero; keeps the checkpoint as it is",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
