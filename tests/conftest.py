"""What every test can rely on: no network, no LONGLEAF_ settings, nobody's library, few threads.

`-m network` lifts the block on connections, `-m slow` and `-m gpu` run those tests; otherwise they are skipped with
a reason. Child processes are not blocked; their tests say what they open.
"""

import os
import socket
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

os.environ.setdefault("OMP_NUM_THREADS", "2")  # before torch is imported; more threads than cores cost 20 times
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class NetworkBlocked(RuntimeError):
    """A test tried to reach an address outside this machine."""


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.startswith("LONGLEAF_")]:
        del os.environ[name]
    library = tempfile.TemporaryDirectory(prefix="longleaf-tests-")
    config.add_cleanup(library.cleanup)
    os.environ["XDG_DATA_HOME"] = library.name  # a test that forgets a data folder must not touch a person's library
    if "network" not in config.option.markexpr:
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        block_network(patch)


def block_network(patch: pytest.MonkeyPatch) -> None:
    """Connections and look-ups of other machines raise NetworkBlocked."""

    def guard(name: str) -> None:
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                expect_this_machine(args[-1][0])
            return original(self, *args)

        patch.setattr(socket.socket, name, guarded)

    for name in ("connect", "connect_ex", "sendto"):
        guard(name)
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *args: Any, **options: Any) -> Any:
        expect_this_machine(host)
        return look_up(host, *args, **options)

    patch.setattr(socket, "getaddrinfo", guarded_look_up)


def expect_this_machine(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "0.0.0.0", "::"):
        return
    try:
        is_local = ip_address(str(name)).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise NetworkBlocked(f"a test tried to reach {name}; mark it `network`, or keep it on this machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked_for = config.option.markexpr
    for item in items:
        for marker in ("slow", "network"):
            if item.get_closest_marker(marker) and marker not in asked_for:
                item.add_marker(pytest.mark.skip(reason=f"marked {marker}; run it with -m {marker}"))
        if item.get_closest_marker("gpu") and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real documents that lies beside a developer's checkout; it is never part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no folder {SHARED_DATA.parent.name}/{SHARED_DATA.name} beside the project")
    return SHARED_DATA


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample documents that ship with the project."""
    return Path(__file__).resolve().parents[1] / "assets" / "samples"


@pytest.fixture(autouse=True)
def unchanged_environment() -> Iterator[None]:
    """A test leaves the LONGLEAF_ settings as it found them: unset."""
    yield
    left = sorted(name for name in os.environ if name.startswith("LONGLEAF_"))
    assert not left, f"the test left {left} in the environment; set them with monkeypatch"
