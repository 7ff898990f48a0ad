"""The HTTP server in front of the cloud."""

import os
import socket
from collections.abc import Callable
from threading import Thread
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

BACKLOG = 256


class Server:
    """Listens from its creation on; raises OSError when it cannot."""

    def __init__(self, host: str, port: int, app: Callable[..., Any]) -> None:
        # werkzeug ends the process when a port is taken, so we bind ourselves.
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((host, port))
            except OSError as error:
                raise OSError(
                    error.errno, f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"
                ) from error
            listening.listen(BACKLOG)
            self.host, self.port = listening.getsockname()
            self._server = make_server(
                host, port, app, threaded=True, request_handler=_QuietHandler, fd=listening.fileno()
            )
        self._thread = Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="cloud-http", daemon=True
        )

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc] # moto has no types
    def log_request(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: `/_cloud/calls` has the record."""
