"""The metrics of a process that serves nothing else."""

import socket
from collections.abc import Callable
from contextlib import suppress
from socketserver import TCPServer
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

AT_ONCE = 4
"""Requests that are answered at a time: as many threads there are at most. The others wait in line."""
IN_LINE = 16
"""Connections that the system keeps until it is their turn."""
PATIENCE = 5.0
"""Seconds that a connection has, from its first byte to its last."""
CROWDED = 1.0
"""Seconds that it has while all threads are taken, and somebody waits: who asks has asked long before."""
_LOOK = 0.1
"""Seconds between two looks for connections that are late."""


def serve(bind: str, counted: Collector) -> Callable[[], None]:
    """Serve what was counted at HOST:PORT, in a thread; return what ends it.

    Where that cannot be, it says so in the log, and no more: what is watched must not stop for who watches.
    """
    host, _, port = bind.rpartition(":")
    registry = CollectorRegistry()
    registry.register(counted)
    try:
        server = _Server(host.strip("[]"), int(port))
    except OSError as error:
        log = structlog.get_logger()
        log.warning("metrics.unserved", bind=bind, detail=error.strerror or str(error))
        return lambda: None
    server.set_app(make_wsgi_app(registry))
    thread = Thread(target=server.serve_forever, args=(_LOOK,), name="metrics", daemon=True)
    thread.start()

    def end() -> None:
        server.patience = 0.0  # nobody who is silent holds up the end
        server.shutdown()
        server.server_close()
        thread.join()

    return end


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class _Server(WSGIServer):
    """Answers few at a time, and waits for nobody for long: the silent do not make thread after thread."""

    request_queue_size = IN_LINE

    def __init__(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        self.patience = PATIENCE
        self._free = BoundedSemaphore(AT_ONCE)
        self._taken: dict[socket.socket, float] = {}
        self._looking = Lock()
        super().__init__((str(address[0]), port), _Handler)

    def server_bind(self) -> None:
        """Bind, and ask no name server what we are called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, as soon as one is free."""
        while not self._free.acquire(timeout=_LOOK):
            self._end_late(min(self.patience, CROWDED))
        with self._looking:
            self._taken[request] = monotonic()
        Thread(
            target=self._answer, args=(request, client_address), name="metrics-answer", daemon=True
        ).start()

    def service_actions(self) -> None:
        """End the connections that are late."""
        self._end_late(self.patience)

    def _end_late(self, patience: float) -> None:
        late = monotonic() - patience
        with self._looking:
            for request in [one for one, taken in self._taken.items() if taken <= late]:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)  # whoever reads from it reads its end

    def handle_error(self, *_: object) -> None:
        """Write nothing: whoever went away does not miss the answer."""

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - as the base does
            self.handle_error(request, client_address)
        finally:
            with self._looking:
                self._taken.pop(request, None)
            self.shutdown_request(request)
            self._free.release()
