"""Which machines hold a model, and what lies where on them. Arithmetic: none of the larger ones was run.

Nine tenths of every memory are counted. The index lies beside the weights; keys and values lie as near to them as they
fit, on disk at last.
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
    nodes: int = 1  # Longleaf itself runs on one; over several, a serving engine does

    @property
    def memory(self) -> float:
        return self.memory_gb * _GB * _USABLE

    @property
    def gpu_memory(self) -> float:
        return self.gpus * self.gpu_gb * _GB * _USABLE

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
    is_served: bool  # the runtime does not read the model; a serving engine does


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
    if load.is_served or machine.nodes > 1:
        everything = load.weights + load.kv + load.working
        return "through a serving engine, weights and KV on the GPUs" if machine.gpu_memory >= everything else None
    if machine.gpus and (how := _on_gpus(machine, load)):
        return how
    return _on_cpu(machine, load)


def _on_gpus(machine: Machine, load: Load) -> str | None:
    gpus = "the GPU" if machine.gpus == 1 else "the GPUs"
    beside = load.index + load.working
    if machine.gpu_memory >= load.weights + beside:
        place = _place_of_kv(machine.gpu_memory - load.weights - beside, machine.memory, machine.disk, load.kv, gpus)
        return place and f"weights and index on {gpus}, KV {place}"
    resident = load.weights - load.experts
    if load.experts and machine.gpu_memory >= resident + beside and machine.memory >= load.weights:
        left = machine.gpu_memory - resident - beside
        place = _place_of_kv(0, machine.memory - load.weights, machine.disk, load.kv, gpus)
        cached = min(100, round(100 * left / load.experts))
        return place and (
            f"experts in host memory, {cached} % of them at a time on {gpus} with everything else, KV {place}"
        )
    return None


def _on_cpu(machine: Machine, load: Load) -> str | None:
    if machine.memory < load.weights + load.index + load.working or machine.disk < load.kv:
        return None
    return "on the CPU, weights and index in memory, KV on disk"


def _place_of_kv(on_gpus: float, in_memory: float, on_disk: float, kv: int, gpus: str) -> str | None:
    if kv <= on_gpus:
        return f"on {gpus}"
    if kv <= in_memory:
        return "in host memory"
    return "on disk" if kv <= on_disk else None
