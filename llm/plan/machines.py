"""Which machines hold a model, and what lies where on them. Arithmetic: none of the larger ones was run.

Nine tenths of every memory are counted. Longleaf itself runs on one GPU of one machine; over several GPUs a serving
engine does. The index lies beside the weights; keys and values lie as near to them as they fit, on disk at last.
"""

from dataclasses import dataclass

_USABLE = 0.9
_GB = 10**9


@dataclass(frozen=True, slots=True)
class Machine:
    """Sizes in units of 10^9 bytes."""

    name: str
    memory_gb: int
    disk_gb: int
    gpus: int = 0
    gpu_gb: int = 0
    nodes: int = 1

    @property
    def memory(self) -> float:
        return self.memory_gb * _GB * _USABLE

    @property
    def one_gpu(self) -> float:
        return self.gpu_gb * _GB * _USABLE

    @property
    def all_gpus(self) -> float:
        return self.gpus * self.one_gpu

    @property
    def disk(self) -> float:
        return self.disk_gb * _GB * _USABLE


@dataclass(frozen=True, slots=True)
class Load:
    """What has to lie somewhere, in bytes."""

    weights: int
    experts: int  # of the weights, routed experts
    index: int
    kv: int
    working: int


@dataclass(frozen=True, slots=True)
class Fit:
    machine: str
    how: str


MACHINES = (
    Machine("laptop with 16 GB", 16, 500),
    Machine("workstation with 64 GB", 64, 2000),
    Machine("workstation with 128 GB and a 24 GB GPU", 128, 2000, 1, 24),
    Machine("server with 512 GB and an 80 GB GPU", 512, 4000, 1, 80),
    Machine("node with 2 TB and eight 80 GB GPUs", 2000, 16000, 8, 80),
    Machine("node with 2 TB and eight 141 GB GPUs", 2000, 16000, 8, 141),
    Machine("node with 4 TB and eight 192 GB GPUs", 4000, 32000, 8, 192),
    Machine("four nodes with 2 TB and eight 141 GB GPUs each", 8000, 64000, 32, 141, nodes=4),
)


def fits(load: Load) -> list[Fit]:
    """The machines that hold the load, the smallest first."""
    return [Fit(machine.name, how) for machine in MACHINES if (how := _how(machine, load)) is not None]


def _how(machine: Machine, load: Load) -> str | None:
    """Longleaf alone with all weights on a GPU, else a serving engine, else with less than all on a GPU or none."""
    can_read = machine.nodes == 1
    ways = (
        can_read and machine.gpus and _on_one_gpu(machine, load),
        _served(machine, load),
        can_read and machine.gpus and _experts_fetched(machine, load),
        can_read and _on_cpu(machine, load),
    )
    return next((how for how in ways if how), None)


def _on_one_gpu(machine: Machine, load: Load) -> str | None:
    left = machine.one_gpu - load.weights - load.index - load.working
    place = _place_of_kv(left, machine.memory, machine.disk, load.kv) if left >= 0 else None
    return place and f"weights and index on one GPU, KV {place}"


def _served(machine: Machine, load: Load) -> str | None:
    if machine.all_gpus < load.weights + load.kv + load.working:
        return None
    gpus = "one GPU" if machine.gpus == 1 else f"{machine.gpus} GPUs"
    return f"through a serving engine, weights and KV on {gpus}"


def _experts_fetched(machine: Machine, load: Load) -> str | None:
    left = machine.one_gpu - (load.weights - load.experts) - load.index - load.working
    if not load.experts or left < 0 or machine.memory < load.weights:
        return None
    place = _place_of_kv(0, machine.memory - load.weights, machine.disk, load.kv)
    share = min(100, round(100 * left / load.experts))
    return place and f"experts in host memory, {share} % of them at a time on one GPU with everything else, KV {place}"


def _on_cpu(machine: Machine, load: Load) -> str | None:
    if machine.memory < load.weights + load.index + load.working or machine.disk < load.kv:
        return None
    return "on the CPU, weights and index in memory, KV on disk"


def _place_of_kv(on_gpu: float, in_memory: float, on_disk: float, kv: int) -> str | None:
    if kv <= on_gpu:
        return "on it"
    if kv <= in_memory:
        return "in host memory"
    return "on disk" if kv <= on_disk else None
