"""Tiny servers on loopback that behave well, badly, and not at all."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from tests.ports import a_port

Target = tuple[str, int]
Behaviour = Callable[[socket.socket], None]

PATIENCE = 30.0
"""How long a server waits for a client to leave: what an unbounded probe would take."""
AMPLE = 60.0
"""Seconds for a probe that is to succeed, however busy the machine is."""


class Serve:
    """Starts servers, each of which treats its connections in its own way."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, behaviour: Behaviour) -> Target:
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        thread = threading.Thread(target=_accept, args=(listener, behaviour))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(listener.shutdown, socket.SHUT_RDWR)
        return address_of(listener)

    def nobody(self) -> Target:
        """A port at which nothing listens."""
        return "127.0.0.1", self._stack.enter_context(a_port())

    def deaf(self) -> Target:
        """A port whose connections nobody accepts: the system completes them, and no more."""
        return address_of(self._stack.enter_context(socket.create_server(("127.0.0.1", 0))))

    def crowded(self) -> Target:
        """A port that takes no connection and refuses none, as an address to which no way leads."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = self._stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address_of(listener))
        return address_of(listener)


def address_of(listener: socket.socket) -> Target:
    address, port = listener.getsockname()
    return address, port


def _accept(listener: socket.socket, behaviour: Behaviour) -> None:
    threads = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threads.append(threading.Thread(target=_treat, args=(connection, behaviour)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _treat(connection: socket.socket, behaviour: Behaviour) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(PATIENCE)
        behaviour(connection)


def answering(status: str, *headers: str) -> Behaviour:
    """Read the request and send this answer."""
    answer = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()

    def behaviour(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return behaviour


def redirecting(location: str) -> Behaviour:
    """Answer every request with a redirect."""
    return answering("302 Found", f"Location: {location}")


class Site:
    """Answers by path, and remembers what it was asked."""

    def __init__(self, pages: Mapping[str, Behaviour]) -> None:
        self._pages = pages
        self.asked: list[str] = []

    def __call__(self, connection: socket.socket) -> None:
        request = connection.recv(65536, socket.MSG_PEEK).decode()
        if not request:
            return  # whose time was over before it asked
        target = request.split()[1]
        self.asked.append(target)
        self._pages.get(target, answering("404 Not Found"))(connection)


def raw(answer: bytes) -> Behaviour:
    """Read the request and send exactly this."""

    def behaviour(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return behaviour


def slowly(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Behave so after a while."""

    def later(connection: socket.socket) -> None:
        threading.Event().wait(seconds)
        behaviour(connection)

    return later


def hanging(connection: socket.socket) -> None:
    """Take the request and say nothing until the other side leaves."""
    while connection.recv(65536):
        pass


def resetting(connection: socket.socket) -> None:
    """Take the request and reset the connection."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def dripping(payload: bytes) -> Behaviour:
    """Send this, and then one byte every 20 ms, for as long as the other side stays."""

    def behaviour(connection: socket.socket) -> None:
        gone = threading.Event()
        connection.sendall(payload)
        while not gone.wait(0.02):
            connection.sendall(b"x")

    return behaviour


def flooding(payload: bytes) -> Behaviour:
    """Send this, and then as much as goes through, for as long as the other side stays."""

    def behaviour(connection: socket.socket) -> None:
        connection.sendall(payload)
        while True:
            connection.sendall(b"X-More: and more\r\n" * 1000)

    return behaviour
