"""A client's connection: a silence in the middle of a request or of its answer ends it."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.web.connection import Connection

BARELY = 0.05
MUCH = b"x" * 4_000_000

Send = Callable[[Connection], object]


@pytest.fixture
def client_and_ours() -> Iterator[tuple[socket.socket, Connection]]:
    client, accepted = socket.socketpair()
    ours = Connection(accepted, patience=BARELY)
    with client, ours:
        yield client, ours


def test_a_client_that_says_nothing_more_is_gone(client_and_ours: tuple[socket.socket, Connection]) -> None:
    _, ours = client_and_ours

    with pytest.raises(ConnectionResetError, match="nothing came"):
        ours.recv(1)


def _sends_much(ours: Connection) -> None:
    while True:
        ours.send(MUCH)


@pytest.mark.parametrize("send", [lambda ours: ours.sendall(MUCH), _sends_much], ids=["all", "a part"])
def test_a_client_that_takes_nothing_more_is_gone(
    client_and_ours: tuple[socket.socket, Connection], send: Send
) -> None:
    _, ours = client_and_ours

    with pytest.raises(ConnectionResetError, match="nothing was taken"):
        send(ours)


def test_nobody_waits_for_the_end_of_a_connection_that_was_given_up(
    client_and_ours: tuple[socket.socket, Connection],
) -> None:
    _, ours = client_and_ours
    with pytest.raises(ConnectionResetError):
        ours.sendall(MUCH)

    assert ours.recv(1) == b""


def test_a_client_that_takes_all_gets_all(client_and_ours: tuple[socket.socket, Connection]) -> None:
    client, ours = client_and_ours

    ours.sendall(MUCH[:1000])

    assert client.recv(2000) == MUCH[:1000]


# Python's own limit, which gunicorn sets and takes back more often than anything is read or sent under it


def test_a_limit_is_not_set_where_nothing_is_read_or_sent(
    client_and_ours: tuple[socket.socket, Connection],
) -> None:
    _, ours = client_and_ours

    ours.settimeout(BARELY)

    assert ours.gettimeout() == BARELY
    assert os.get_blocking(ours.fileno())  # which Python's limit takes away


@pytest.mark.parametrize("limit", [BARELY, 0.0])
def test_a_limit_is_set_where_something_is_read(
    client_and_ours: tuple[socket.socket, Connection], limit: float
) -> None:
    client, ours = client_and_ours
    client.sendall(b"more")

    ours.settimeout(limit)

    assert ours.recv(4) == b"more"
    assert not os.get_blocking(ours.fileno())


def test_a_limit_of_time_ends_a_silence() -> None:
    client, accepted = socket.socketpair()
    with client, Connection(accepted) as ours:
        ours.settimeout(BARELY)

        with pytest.raises(TimeoutError):
            ours.recv(1)


def test_who_is_not_to_wait_does_not() -> None:
    client, accepted = socket.socketpair()
    with client, Connection(accepted) as ours:
        ours.setblocking(False)

        with pytest.raises(ConnectionResetError):
            ours.sendall(MUCH)


@pytest.mark.parametrize("send", [Connection.sendall, Connection.send], ids=["all", "a part"])
def test_a_limit_that_was_taken_back_is_gone(
    client_and_ours: tuple[socket.socket, Connection], send: Callable[[Connection, bytes], object]
) -> None:
    client, ours = client_and_ours
    client.sendall(b"more")
    ours.settimeout(BARELY)
    ours.recv(4)

    ours.setblocking(True)
    send(ours, b"answer")

    assert ours.gettimeout() is None
    assert os.get_blocking(ours.fileno())


def test_a_file_is_sent_as_a_connection_that_waits_sends_it(
    client_and_ours: tuple[socket.socket, Connection], tmp_path: Path
) -> None:
    client, ours = client_and_ours
    file = tmp_path / "file"
    file.write_bytes(b"of the disk")
    client.sendall(b"more")
    ours.setblocking(False)
    ours.recv(4)

    ours.setblocking(True)
    with file.open("rb") as opened:
        ours.sendfile(opened)

    assert client.recv(100) == b"of the disk"
    assert os.get_blocking(ours.fileno())
