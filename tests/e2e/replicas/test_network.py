"""The network of the replicas does to a connection what it says."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from tests.e2e.processes import HOST
from tests.e2e.replicas.network import Link, Network

PATIENCE = 30.0
"""Seconds for what comes at once, as soon as anybody gets to it."""


class Echo:
    """A server that says everything back."""

    def __init__(self) -> None:
        self._listening = socket.create_server((HOST, 0))
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)


@pytest.fixture
def link() -> Iterator[Link]:
    echo = Echo()
    with Network() as network:
        yield network.link(echo.port)
    echo.close()


@pytest.fixture
def connection(link: Link) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, link.port), timeout=PATIENCE) as connection:
        connection.sendall(b"one")
        assert connection.recv(100) == b"one"
        yield connection


def hears_nothing(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        connection.recv(100)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE)
    return False


def test_a_cut_holds_what_is_sent_and_a_mended_link_delivers_it(
    link: Link, connection: socket.socket
) -> None:
    link.cut()
    connection.sendall(b"two")
    assert hears_nothing(connection)
    link.mend()
    assert connection.recv(100) == b"two"


def test_a_connection_made_during_a_cut_is_accepted_and_hears_nothing(link: Link) -> None:
    link.cut()
    with socket.create_connection((HOST, link.port), timeout=PATIENCE) as connection:
        connection.sendall(b"three")
        assert hears_nothing(connection)
        link.mend()
        assert connection.recv(100) == b"three"


def test_nobody_hears_of_an_end_during_a_cut(link: Link, connection: socket.socket) -> None:
    link.cut()
    connection.shutdown(socket.SHUT_WR)
    assert hears_nothing(connection)
    link.mend()
    assert connection.recv(100) == b""


def test_a_reset_closes_what_is_open_and_nothing_else(link: Link, connection: socket.socket) -> None:
    link.reset()
    with pytest.raises(ConnectionResetError):
        connection.recv(100)
    with socket.create_connection((HOST, link.port), timeout=PATIENCE) as another:
        another.sendall(b"four")
        assert another.recv(100) == b"four"
