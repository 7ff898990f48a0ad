"""HttpProber: ready is who answers GET with success."""

import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from threading import Timer
from time import monotonic

from urllib3.connection import HTTPConnection

from app.domain.model import InstanceId
from app.probe.crowd import Crowd

_REQUEST_HEADERS = {"Connection": "close", "User-Agent": "ec2-orchestrator", "Accept": "*/*"}
"""The connection is closed each time: code-server takes an open one for a sign of use."""


class HttpProber:
    """Finds ready every instance that answers GET `path` with any 2xx.

    A redirect is not followed and is no success. Each instance gets `timeout` seconds for all of it, however
    slowly it sends; the whole call gets `deadline` seconds, and who was not heard by then is not ready.
    """

    def __init__(
        self, path: str, *, timeout: float = 2.0, concurrency: int = 32, deadline: float = 10.0
    ) -> None:
        self._path = path
        self._timeout = timeout
        self._crowd = Crowd(self._answers, concurrency=concurrency, deadline=deadline)

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` that are ready. Never raises; bounded in time."""
        return self._crowd.ask(targets)

    def close(self) -> None:
        """Let the threads end."""
        self._crowd.close()

    def _answers(self, address: str, port: int) -> bool:
        end = monotonic() + self._timeout
        with closing(HTTPConnection(address, port, timeout=self._timeout)) as connection:
            connection.connect()
            # A socket's timeout begins anew with each byte received, so that it alone bounds nothing.
            cut = Timer(max(end - monotonic(), 0), _cut, [connection.sock])
            cut.start()
            try:
                connection.request("GET", self._path, headers=_REQUEST_HEADERS, preload_content=False)
                with closing(connection.getresponse()) as response:
                    # Headers that were cut off look complete.
                    return 200 <= response.status < 300 and monotonic() < end  # noqa: PLR2004 - any 2xx
            finally:
                cut.cancel()


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connected.shutdown(socket.SHUT_RDWR)
