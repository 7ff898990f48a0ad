"""The gunicorn worker: gthread, but a client that stops in the middle of a request loses its thread.

gunicorn gives a silent new connection back to its poller, and waits without limit for one that has begun to
send: eight such clients would take all eight threads, health checks included. A client that keeps sending a
byte now and then still holds one: put a buffering proxy in front of a public address.
"""

import errno
import socket
import struct
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

PATIENCE = 10
"""Seconds without a byte in the middle of a request."""


class _Connection(socket.socket):
    """A client's socket that takes a long silence for a closed connection, which gunicorn knows to end."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            raise ConnectionResetError(errno.ECONNRESET, "nothing came for too long") from error


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves like gthread, and waits for the rest of a request for PATIENCE seconds at a time."""

    def enqueue_req(self, conn: Any) -> None:
        """Put the limit on a connection before a thread gets it."""
        if not isinstance(conn.sock, _Connection):
            conn.sock = _Connection(fileno=conn.sock.detach())
            # The kernel's own limit: gunicorn switches Python's on and off between requests.
            limit = struct.pack("ll", PATIENCE, 0)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        super().enqueue_req(conn)
