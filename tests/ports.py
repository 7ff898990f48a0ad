"""Ports on loopback that nobody else is given."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def a_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Keep a port at which nobody listens: who connects is refused, and the system gives it to nobody.

    Who reuses addresses, as servers do, can listen there meanwhile.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind((host, 0))
        port: int = kept.getsockname()[1]
        yield port
