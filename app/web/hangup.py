"""Whether the client of a request still waits for the answer."""

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

from app.web import current

SOCKET = "gunicorn.socket"
"""Where gunicorn puts the client's connection."""
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
"""What the kernel says of a connection that the other side has closed, also where something is unread.

Not every system knows POLLRDHUP; without it, who has sent something behind the request is not seen to go.
"""


def client_gone() -> Callable[[], bool]:
    """Return what tells, also while another request is served, whether the current one's client has hung up.

    One that has closed its half of the connection counts as gone: HTTP knows no reason to, before the answer.
    Where nothing can be seen, because the connection is encrypted or there is none, the client is there.
    """
    connection = current.request().environ.get(SOCKET)
    if not isinstance(connection, socket.socket) or isinstance(connection, ssl.SSLSocket):
        return lambda: False
    return lambda: _is_closed(connection)


def _is_closed(connection: Any) -> bool:
    try:
        there = select.poll()
        there.register(connection, select.POLLIN | _HUNG_UP)
        [(_, told)] = there.poll(0) or [(0, 0)]
        if told & _HUNG_UP:
            return True
        if not told:
            return False
        # Past the worker's own recv, which takes silence for an error; the kernel's limit is none of ours.
        return socket.socket.recv(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (OSError, ValueError):  # reset, or closed on our side
        return True
