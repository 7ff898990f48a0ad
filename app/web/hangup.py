"""Whether the client of a request still waits for the answer."""

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

from flask import request

SOCKET = "gunicorn.socket"
"""Where gunicorn puts the client's connection."""


def client_gone() -> Callable[[], bool]:
    """Return what tells, also while another request is served, whether the current one's client has hung up.

    One that has closed its half of the connection counts as gone: HTTP knows no reason to, before the answer.
    Where nothing can be seen, because the connection is encrypted or there is none, the client is there. So
    it is, for the time being, where it has sent another request behind this one.
    """
    connection = request.environ.get(SOCKET)
    if not isinstance(connection, socket.socket) or isinstance(connection, ssl.SSLSocket):
        return lambda: False
    return lambda: _is_closed(connection)


def _is_closed(connection: Any) -> bool:
    try:
        there = select.poll()
        there.register(connection, select.POLLIN)
        if not there.poll(0):
            return False
        # Past the worker's own recv, which takes silence for an error; the kernel's limit is none of ours.
        return socket.socket.recv(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (OSError, ValueError):  # reset, or closed on our side
        return True
