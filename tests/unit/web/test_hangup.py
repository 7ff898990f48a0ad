"""Whether a client still waits for its answer, by its connection."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.web.connection import Connection
from app.web.hangup import SOCKET, client_gone
from tests.waiting import until


class Connected:
    """A client, and what is known of it where it is served."""

    def __init__(self, server: socket.socket, client: socket.socket) -> None:
        self.server = Connection(server)
        self.client = client
        self.gone = gone_by(self.server)


def gone_by(connection: object) -> Callable[[], bool]:
    with Flask(__name__).test_request_context(environ_overrides={SOCKET: connection}):
        return client_gone()


@pytest.fixture
def connected() -> Iterator[Connected]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    there = Connected(server, client)
    yield there
    there.client.close()
    there.server.close()


def test_a_client_that_waits_is_there(connected: Connected) -> None:
    assert not connected.gone()


def test_one_that_is_looked_at_keeps_what_it_has_sent(connected: Connected) -> None:
    connected.client.sendall(b"GET")
    until(lambda: connected.server.recv(3, socket.MSG_PEEK) == b"GET")

    assert not connected.gone()
    assert connected.server.recv(3) == b"GET"


def test_a_client_that_has_closed_the_connection_is_gone(connected: Connected) -> None:
    connected.client.close()

    assert until(connected.gone)


LEFT_OVER = {
    "another request": b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n",
    "an empty line": b"\r\n",
    "a body that nobody reads": b"{}",
}


@pytest.mark.parametrize("unread", LEFT_OVER.values(), ids=LEFT_OVER)
def test_so_it_is_where_something_of_it_was_not_read(connected: Connected, unread: bytes) -> None:
    connected.client.sendall(unread)
    until(lambda: connected.server.recv(1, socket.MSG_PEEK) != b"")
    connected.client.close()

    assert until(connected.gone)


def test_a_client_that_was_killed_is_gone_though_something_was_not_read(connected: Connected) -> None:
    connected.client.sendall(b"GET")
    until(lambda: connected.server.recv(3, socket.MSG_PEEK) == b"GET")
    connected.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.client.close()

    assert until(connected.gone)


def test_a_client_that_was_killed_is_gone(connected: Connected) -> None:
    connected.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.client.close()  # which resets the connection

    assert until(connected.gone)


def test_a_client_that_sends_nothing_more_counts_as_gone(connected: Connected) -> None:
    connected.client.shutdown(socket.SHUT_WR)

    assert until(connected.gone)


def test_one_whose_connection_we_have_closed_is_gone(connected: Connected) -> None:
    connected.server.close()

    assert connected.gone()


def test_behind_an_encrypted_connection_nobody_is_seen_to_go() -> None:
    left, right = socket.socketpair()
    with (
        right,
        ssl.create_default_context().wrap_socket(
            left, server_hostname="localhost", do_handshake_on_connect=False
        ) as encrypted,
    ):
        assert not gone_by(encrypted)()


def test_without_a_connection_the_client_is_there() -> None:
    assert not gone_by(None)()
