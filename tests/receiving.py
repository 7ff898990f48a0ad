"""A receiver of webhooks, over real HTTP on loopback, that checks every signature by the specification."""

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, 32 bytes.").decode()
KEY = b"a secret of the tests, 32 bytes."


@dataclass(frozen=True)
class Got:
    """One message as it came."""

    headers: Mapping[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        """What it says; fails where it is not signed."""
        told: dict[str, Any] = Webhook(SECRET).verify(self.body, dict(self.headers))
        return told

    @property
    def kind(self) -> str:
        kind: str = self.message["type"]
        return kind

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.message["data"]
        return data


@dataclass(frozen=True)
class Reply:
    """How to answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver:
    """Takes each message, or answers as `answers` says; on the same port again where it is opened anew."""

    def __init__(
        self,
        port: int = 0,
        *,
        address: str = "127.0.0.1",
        answers: Callable[[Got], Reply] = lambda _: Reply(),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = answers
        self._got: list[tuple[str, str, Got, int]] = []
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                got = Got({name.lower(): value for name, value in self.headers.items()}, text)
                reply = receiver.answers(got)
                with receiver._lock:
                    receiver._got.append((self.command, self.path, got, reply.status))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - as above

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128  # who comes while it has no time is not turned away

            def handle_error(self, *_: object) -> None:
                """Who does not trust us hangs up."""

        self._server = Server((address, port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def got(self) -> list[Got]:
        """Everything that came, taken or not, in the order of the answers."""
        with self._lock:
            return [got for _, _, got, _ in self._got]

    @property
    def taken(self) -> list[Got]:
        """What was answered with success."""
        with self._lock:
            return [got for _, _, got, status in self._got if status < 300]

    @property
    def paths(self) -> list[str]:
        with self._lock:
            return [path for _, path, _, _ in self._got]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The data of each message of a kind that was taken, each id once."""
        found = {got.id: got for got in self.taken}
        return [got.data for got in found.values() if got.kind == kind]


def parsed(body: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body)
    return told
