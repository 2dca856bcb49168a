"""The walls around every test: nothing leaves this machine, and no setting of the person's comes in."""

import os
import socket
import sys

import pytest

from app.settings import Settings


def test_connecting_to_another_machine_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        with pytest.raises(RuntimeError, match=r"tried to reach 192\.0\.2\.1; mark it `network`"):
            client.connect(("192.0.2.1", 80))  # set aside for documentation: nobody's address


def test_looking_up_another_machine_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"tried to reach example\.org"):
        socket.create_connection(("example.org", 80), timeout=1)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=5) as client:
            client.sendall(b"hello")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(5) == b"hello"


def test_no_setting_of_the_person_comes_in() -> None:
    assert not [name for name in os.environ if name.startswith("LONGLEAF_")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has XDG_DATA_HOME")
def test_the_library_of_the_person_is_out_of_reach() -> None:
    assert Settings().data_dir.is_relative_to(os.environ["XDG_DATA_HOME"])
