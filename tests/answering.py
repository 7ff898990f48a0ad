"""A service that answers what a test says, over real HTTP on loopback."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Says:
    """One answer."""

    status: int = 200
    body: Any = None
    """JSON, or a string as it is."""
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    after: Event | None = None
    """Comes before the answer does."""
    hangs_up: bool = False
    """Ends the connection instead of answering."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


Answer = Says | Callable[[Asked], Says]


def problem(status: int, code: str, detail: str, retry_after: str | None = None) -> Says:
    """A refusal as the service writes them."""
    body = {"type": f"urn:x:{code}", "title": code, "status": status, "detail": detail, "code": code}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Says(status, body, headers, kind="application/problem+json")


class AnsweringService:
    """Answers each request with what stands for it, in turn; the last answer stays."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _reply(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                text = self.rfile.read(length)
                parts = urlsplit(self.path)
                asked = Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    dict(self.headers),
                    json.loads(text) if text else None,
                )
                service.asked.append(asked)
                answer = service._next(asked)
                if answer.after:
                    answer.after.wait(60)
                if answer.hangs_up:
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind or "application/json")
                self.send_header("Content-Length", str(len(content.encode())))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content.encode())

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _reply  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # who comes while it has no time is not turned away

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer requests for this path so, from now on."""
        self._answers[method, path] = list(answers)

    def requests(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if (one.method, one.path) == (method, path)]

    def _next(self, asked: Asked) -> Says:
        answers = self._answers.get((asked.method, asked.path))
        if not answers:
            return problem(404, "not-found", f"No answer for {asked.method} {asked.path} in this test.")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(asked) if callable(answer) else answer
