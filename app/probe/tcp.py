"""TcpProber: ready is who accepts a connection."""

from collections.abc import Mapping
from typing import Literal

from app.domain.model import InstanceId
from app.probe.connection import connection
from app.probe.crowd import Crowd


class TcpProber:
    """Finds ready every instance that accepts a TCP connection within `timeout` seconds.

    The whole call gets `deadline` seconds, and who was not heard by then is not ready.
    """

    def __init__(self, *, timeout: float = 2.0, deadline: float = 10.0, concurrency: int = 200) -> None:
        self._crowd = Crowd(_accepts, timeout=timeout, concurrency=concurrency, deadline=deadline)

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` that are ready. Never raises; bounded in time."""
        return frozenset(self._crowd.ask(targets))

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return all of `targets`: what listens there need not speak HTTP."""
        return frozenset(targets)


async def _accepts(address: str, port: int) -> Literal[True]:
    async with connection(address, port):
        return True
