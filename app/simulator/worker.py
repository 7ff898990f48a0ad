"""What runs on an instance: the contract of a worker, and the one that is a page."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Protocol

from app.simulator.clock import utc_now
from app.simulator.heart import Heart
from app.simulator.listener import Handler, Listener

HEALTH_CHECK = re.compile(r"/healthz/?")
"""Matched against the whole request target, as code-server does: `/healthz?x=1` is a use, not a check."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Which instance a worker stands for, where it listens, and who holds the instance at this moment."""

    instance_id: str
    host: str
    port: int
    project: Callable[[], str | None]
    heartbeat_seconds: float = 60.0
    """How long one use keeps it from noting another."""


class Worker(Protocol):
    """Serves one instance. start() may take seconds; after stop() nothing listens any more."""

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""

    def stop(self) -> None:
        """Stop listening, and close what is open."""


class PageHandler(Handler):
    """Answers as the worker of one instance."""

    spec: WorkerSpec
    heart: Heart

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer the health check, the holder of the instance, or the page."""
        if HEALTH_CHECK.fullmatch(self.path):
            self.reply_health()
            return
        self.heart.beat()
        match self.path.partition("?")[0]:
            case "/healthz":
                self.reply_health()
            case "/project":
                self.reply_json(200, {"project": self.spec.project()})
            case "/":
                self.reply_front_page()
            case _:
                self.reply_json(404, {"error": "not found"})

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def reply_health(self) -> None:
        """Tell how the heart beats."""
        self.reply_json(200, self.heart.as_json())

    def reply_front_page(self) -> None:
        """Show the instance."""
        self.reply(200, _page(self.spec), "text/html; charset=utf-8")

    def reply_json(self, status: int, body: object) -> None:
        """Send one complete answer."""
        self.reply(
            status, json.dumps(body, separators=(",", ":")).encode(), "application/json; charset=utf-8"
        )


class PageWorker:
    """A page that tells which instance this is and who holds it, with code-server's `/healthz`."""

    handler: type[PageHandler] = PageHandler

    def __init__(self, spec: WorkerSpec) -> None:
        self._spec = spec
        self._heart = Heart(
            lambda: int(utc_now().timestamp() * 1000), alive_ms=round(spec.heartbeat_seconds * 1000)
        )
        self._listener: Listener | None = None

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        handler = type("Handler", (self.handler,), {"spec": self._spec, "heart": self._heart})
        listener = Listener(self._spec.host, self._spec.port, handler, self._look)
        self._listener = listener
        listener.start()

    def stop(self) -> None:
        """Stop listening, and close what is open."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def _look(self) -> None:
        if self._listener is not None:
            self._heart.look(self._listener.connections)


def _page(spec: WorkerSpec) -> bytes:
    text = resources.files("app.simulator").joinpath("page.html").read_text(encoding="utf-8")
    project = spec.project()
    values = {
        "INSTANCE": spec.instance_id,
        "ADDRESS": f"{spec.host}:{spec.port}",
        "PROJECT": project or "",
        "STATE": "held" if project else "idle",
    }
    for name, value in values.items():
        text = text.replace(f"[[{name}]]", html.escape(value))
    return text.encode()
