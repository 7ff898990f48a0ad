"""TcpProber: ready is who accepts a connection."""

import socket
from collections.abc import Mapping

from app.domain.model import InstanceId
from app.probe.crowd import Crowd


class TcpProber:
    """Finds ready every instance that accepts a TCP connection within `timeout` seconds.

    The whole call gets `deadline` seconds, and who was not heard by then is not ready.
    """

    def __init__(self, *, timeout: float = 2.0, concurrency: int = 32, deadline: float = 10.0) -> None:
        self._timeout = timeout
        self._crowd = Crowd(self._accepts, concurrency=concurrency, deadline=deadline)

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` that are ready. Never raises; bounded in time."""
        return self._crowd.ask(targets)

    def close(self) -> None:
        """Let the threads end."""
        self._crowd.close()

    def _accepts(self, address: str, port: int) -> bool:
        with socket.create_connection((address, port), timeout=self._timeout):
            return True
