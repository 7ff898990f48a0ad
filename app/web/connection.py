"""A client's connection, as the worker's threads have it."""

import errno
import socket
import struct
from contextlib import suppress
from math import inf
from typing import Any

PATIENCE = 10
"""Seconds without a byte in the middle of a request, or of its answer."""


class Connection(socket.socket):
    """A client's socket that takes a long silence for a closed connection, which gunicorn knows to end.

    It does without calls of the kernel that change nothing: at each of them another thread may get the
    interpreter, and this one has to wait for it.
    """

    def __init__(self, accepted: socket.socket, *, patience: float = PATIENCE) -> None:
        """Take over a connection, and put the limit on it: seconds without a byte, in either direction."""
        super().__init__(fileno=accepted.detach())
        super().setblocking(True)  # which a new object takes for granted, whatever the connection was
        # The kernel's own limit: gunicorn switches Python's on and off between requests.
        limit = struct.pack("ll", int(patience), int(patience % 1 * 1_000_000))
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._limit: float | None = None
        """Python's own, as it is wished for; it is set when something is read or sent."""
        self._gathers = False
        self._gathered: Any = b""
        self.answered_at = inf
        self.is_quick = True
        """Whether the last request came soon after the answer before it."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive; ConnectionResetError where nothing comes for too long."""
        self._limit_now()
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            raise self._given_up("nothing came for too long") from error

    def _given_up(self, why: str) -> ConnectionResetError:
        with suppress(OSError):  # or gunicorn's main thread would wait two seconds more for the client's end
            self.shutdown(socket.SHUT_RDWR)
        return ConnectionResetError(errno.ECONNRESET, why)

    def settimeout(self, value: float | None, /) -> None:
        """Have Python's own limit set before something is read or sent, if it is another one by then.

        gunicorn sets one behind each request, in case there is something left of it to be read, and another
        one while the connection waits for the next. Mostly nothing is done with either.
        """
        self._limit = value

    def gettimeout(self) -> float | None:
        """Return Python's own limit."""
        return self._limit

    def setblocking(self, flag: bool, /) -> None:
        """Wait, or do not: as `settimeout` with None, or 0."""
        self._limit = None if flag else 0.0

    def _limit_now(self) -> None:
        if self._limit != super().gettimeout():
            super().settimeout(self._limit)

    def gather(self) -> None:
        """Keep what is sent next, the head of an answer, until more of it comes, or its end."""
        self._gathers = True

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send as much as is taken, and keep nothing; ConnectionResetError as `sendall`."""
        self._limit_now()
        try:
            return super().send(data, flags)
        except BlockingIOError as error:
            raise self._given_up("nothing was taken for too long") from error

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send, or keep what is to be gathered; ConnectionResetError where nothing is taken for too long."""
        if self._gathers:
            self._gathers, self._gathered = False, data
            return
        if self._gathered:
            data, self._gathered = self._gathered + data, b""
        self._limit_now()
        try:
            super().sendall(data, flags)
        except BlockingIOError as error:
            raise self._given_up("nothing was taken for too long") from error

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send what is still kept, and then the file."""
        self.end()
        self._limit_now()
        return super().sendfile(file, offset, count)

    def end(self) -> None:
        """Send what is still kept: this was the whole answer."""
        self._gathers = False
        if self._gathered:
            self.sendall(b"")

    def forget(self) -> None:
        """Keep nothing any more: the answer came to no end."""
        self._gathers, self._gathered = False, b""
