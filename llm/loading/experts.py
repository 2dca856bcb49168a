"""Routed experts computed one by one: where they lie in host memory, or are kept in few bits, or both.

In host memory a budget of bytes bounds what lies on the device; the least recently used expert goes first. So a mixture
whose weights exceed a GPU runs on it, as fast as its hits allow. It enters through transformers' experts interface;
Llama 4 has no such door (its experts are one batched product over all of them), so that one method is replaced there.
On a CPU the two places are one memory: tests run it so. It has not been run on a GPU.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any, cast

import torch
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from llm.answer import ExpertUse
from llm.errors import ModelNotFound

_NAME = "longleaf_fetched"
_LLAMA4 = "Llama4TextExperts"

Matrices = tuple[torch.Tensor, torch.Tensor]  # gate and up (2F, D), down (D, F)
Held = tuple[torch.Tensor | torch.nn.Module, ...]  # the same, or layers of which they are the weights


def stored(experts: Any, number: int) -> Held:
    """One expert's matrices where they lie. Llama 4 stores them the other way round."""
    if hasattr(experts, "narrow"):
        return tuple(experts.narrow[number])
    gate_up, down = experts.gate_up_proj[number], experts.down_proj[number]
    return (gate_up.T, down.T) if type(experts).__name__ == _LLAMA4 else (gate_up, down)


def weights_of(held: Held) -> Matrices:
    """As numbers to compute with."""
    gate_up, down = (one if isinstance(one, torch.Tensor) else cast(torch.Tensor, one.weight) for one in held)
    return gate_up, down


class ExpertCache:
    """The experts of all layers that lie on `device`."""

    def __init__(self, device: torch.device, budget_bytes: int) -> None:
        self.device, self.budget_bytes = device, budget_bytes
        self.use = ExpertUse()
        self.used_bytes = 0
        self._kept: OrderedDict[tuple[int, int], Held] = OrderedDict()

    def fetch(self, experts: Any, number: int) -> Matrices:
        """One expert's matrices on the device. The last one fetched is kept whatever its size."""
        key = (id(experts), number)
        if key in self._kept:
            self.use.hits += 1
            self._kept.move_to_end(key)
            return weights_of(self._kept[key])
        self.use.misses += 1
        held = stored(experts, number)
        size = sum(map(bytes_of, held))
        while self._kept and self.used_bytes + size > self.budget_bytes:
            _, dropped = self._kept.popitem(last=False)
            self.used_bytes -= sum(map(bytes_of, dropped))
        self._kept[key] = tuple(_copied(one, self.device) for one in held)
        self.used_bytes += size
        self.use.fetched_bytes += size
        return weights_of(self._kept[key])

    def serve(self, experts: Any) -> None:
        """From now on a layer's experts are fetched as tokens are routed to them."""
        compute_one_by_one(experts, partial(self.fetch, experts))
        experts.fetched_by = self


def use_of_experts(model: PreTrainedModel) -> ExpertUse | None:
    """Goes on counting while the model runs; None where all experts lie where the rest does."""
    caches = (getattr(module, "fetched_by", None) for module in model.modules())
    return next((cache.use for cache in caches if isinstance(cache, ExpertCache)), None)


def keep_experts_in_host_memory(model: PreTrainedModel, device: torch.device, budget_bytes: int) -> ExpertCache:
    """Moves everything but the routed experts to `device`. Raises ModelNotFound for experts of another layout."""
    found = list(experts_of(model, "--experts-gb"))
    if not found:
        raise ModelNotFound(
            f"a model of type {model.config.model_type!r} has no routed experts to keep in host memory; "
            "leave --experts-gb out"
        )
    cache = ExpertCache(device, budget_bytes)
    for experts in found:
        cache.serve(experts)
    _move_the_rest(model, device, {id(module) for experts in found for module in experts.modules()})
    return cache


def compute_one_by_one(experts: Any, matrices: Callable[[int], Matrices]) -> None:
    """From now on `matrices` gives those of an expert to which tokens are routed."""
    ALL_EXPERTS_FUNCTIONS.register(_NAME, _forward)
    experts.matrices = matrices
    if type(experts).__name__ == _LLAMA4:
        experts.forward = MethodType(_forward_llama4, experts)
    else:
        experts.config._experts_implementation = _NAME


def _copied(held: torch.Tensor | torch.nn.Module, device: torch.device) -> torch.Tensor | torch.nn.Module:
    if isinstance(held, torch.nn.Module):
        return copy.deepcopy(held).to(device)
    return held.to(device, copy=True, non_blocking=True)


def bytes_of(matrix: torch.Tensor | torch.nn.Module) -> int:
    """What a matrix takes, also one of a kind that holds others: its integers and their scales."""
    if isinstance(matrix, torch.nn.Module):
        return sum(map(bytes_of, (*matrix.parameters(), *matrix.buffers())))
    if not hasattr(matrix, "__tensor_flatten__"):
        return matrix.nbytes
    names, _ = matrix.__tensor_flatten__()
    return sum(bytes_of(getattr(matrix, name)) for name in names)


def experts_of(model: PreTrainedModel, option: str) -> Iterator[Any]:
    """The experts of each layer. Raises ModelNotFound for those of another layout; `option` then is to be left out."""
    for name, module in model.named_modules():
        is_plain = hasattr(module, "gate_up_proj") and getattr(module.gate_up_proj, "ndim", 0) == 3
        if not is_plain and not hasattr(module, "narrow"):
            continue
        plain = not (getattr(module, "has_bias", False) or getattr(module, "has_post_expert_norm", False))
        in_interface = plain and getattr(module, "has_gate", False) and not getattr(module, "is_transposed", True)
        if type(module).__name__ != _LLAMA4 and not in_interface:
            raise ModelNotFound(
                f"the experts {name} of type {type(module).__name__} have a layout that cannot be computed one by "
                f"one; leave {option} out"
            )
        yield module


def _move_the_rest(model: PreTrainedModel, device: torch.device, staying: set[int]) -> None:
    for module in model.modules():
        if id(module) in staying:
            continue
        for parameter in module.parameters(recurse=False):
            parameter.data = parameter.data.to(device)
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))


def _forward(experts: Any, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """hidden (T, D), chosen (T, k) expert numbers, weights (T, k) -> (T, D)."""
    mixed = torch.zeros_like(hidden)
    for number in chosen.unique().tolist():
        tokens, places = (chosen == number).nonzero(as_tuple=True)
        gate_up, down = experts.matrices(number)
        states = linear(experts._apply_gate(linear(hidden[tokens], gate_up)), down)  # (n, D)
        mixed.index_add_(0, tokens, (states * weights[tokens, places, None]).to(mixed.dtype))
    return mixed


def _forward_llama4(experts: Any, routed: torch.Tensor) -> torch.Tensor:
    """routed (E * T, D), the tokens once for each expert, zero where it was not chosen -> (E * T, D).

    Llama 4 scales an expert's input, and what is zero stays zero; so only the rows that are not are computed.
    """
    by_expert = routed.view(experts.num_experts, -1, experts.hidden_size)  # (E, T, D)
    mixed = torch.zeros_like(by_expert)
    for number in by_expert.any(-1).any(-1).nonzero().flatten().tolist():
        tokens = by_expert[number].any(-1).nonzero().flatten()
        gate_up, down = experts.matrices(number)
        gate, up = linear(by_expert[number, tokens], gate_up).chunk(2, -1)
        mixed[number, tokens] = linear(up * experts.act_fn(gate), down)
    return mixed.view(-1, experts.hidden_size)
