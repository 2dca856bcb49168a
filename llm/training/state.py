"""What a training run remembers: float32 master weights, AdamW, counters, generators. Saved atomically.

The model itself stays in bfloat16; each step the optimizer changes the masters, and the model gets them rounded.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from llm.leafmoe import LeafMoEForCausalLM
from llm.leafmoe.modeling import is_new_part

CHECKPOINT = "checkpoint.pt"


@dataclass(slots=True)
class Counters:
    step: int = 0
    tokens: int = 0
    questions: int = 0
    trained_s: float = 0.0  # over all runs, without development scores


class Masters:
    """The trained weights of a model in float32, with their optimizer."""

    def __init__(self, model: LeafMoEForCausalLM) -> None:
        """Freezes the base; only weights that a base checkpoint lacks get gradients."""
        self._biases = {n: p for n, p in model.named_parameters() if n.endswith("selection_bias")}
        self._weights = {n: p for n, p in model.named_parameters() if is_new_part(n) and n not in self._biases}
        model.requires_grad_(False)
        for parameter in self._weights.values():
            parameter.requires_grad_(True)
        self._masters = {name: parameter.detach().float() for name, parameter in self._weights.items()}
        self._optimizer = torch.optim.AdamW(
            list(self._masters.values()), betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )

    def step(self, rate: float, max_norm: float = 1.0) -> float:
        """One AdamW step from the model's gradients, which are then dropped. Gives their norm before clipping."""
        for name, parameter in self._weights.items():
            self._masters[name].grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self._masters.values(), max_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._write()
        return float(norm)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "masters": self._masters,
            "optimizer": self._optimizer.state_dict(),
            "biases": {name: bias.detach() for name, bias in self._biases.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state of a model of the same shape, and write it into the model."""
        with torch.no_grad():
            for name, master in self._masters.items():
                master.copy_(state["masters"][name])
            for name, bias in self._biases.items():
                bias.copy_(state["biases"][name])
        self._optimizer.load_state_dict(state["optimizer"])
        self._write()

    @torch.no_grad()
    def _write(self) -> None:
        for name, parameter in self._weights.items():
            parameter.copy_(self._masters[name])


def save_checkpoint(folder: Path, masters: Masters, counters: Counters, data_state: object) -> None:
    """Write the run's state; a kill at any moment leaves the old or the new file, never a part."""
    partial = folder / (CHECKPOINT + ".partial")
    torch.save({**masters.state(), "counters": asdict(counters), "data": data_state}, partial)
    os.replace(partial, folder / CHECKPOINT)


def load_checkpoint(folder: Path, masters: Masters) -> tuple[Counters, object]:
    """Take over the state in `folder`. Raises FileNotFoundError when there is none."""
    path = folder / CHECKPOINT
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: there is nothing to continue; start without --resume or --decay")
    state = torch.load(path, weights_only=True)
    masters.restore(state)
    return Counters(**state["counters"]), state["data"]
