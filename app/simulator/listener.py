"""A small threaded HTTP server on one address, which really is gone after stop()."""

import contextlib
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

POLL_SECONDS = 0.1
KEEP_ALIVE_SECONDS = 5
"""Node's keep-alive timeout, so that connections count as code-server counts them."""


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive, and silent."""

    protocol_version = "HTTP/1.1"
    timeout = KEEP_ALIVE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gave it
        """Say nothing: a worker's access log is nobody's business."""

    def reply(self, status: int, body: bytes, content_type: str) -> None:
        """Send one complete answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Listener(ThreadingHTTPServer):
    """Serves in a thread of its own and knows its open connections."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, handler: type[Handler], every_poll: Callable[[], None]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = Lock()
        self._every_poll = every_poll
        super().__init__((host, port), handler)
        self._thread = Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": POLL_SECONDS},
            name=f"worker-{host}:{port}",
            daemon=True,
        )

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._open)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the door and every open connection; afterwards a client is refused."""
        self.shutdown()
        self.server_close()
        with self._guard:
            still_open = tuple(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def service_actions(self) -> None:
        """Run what must happen regularly."""
        self._every_poll()

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of http.server, which may wait for a DNS server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count the connection in."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Count the connection out."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a client that went away go."""
