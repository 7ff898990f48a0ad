"""Workers that are up and yet of no use: what a readiness probe must find out."""

from threading import Event

from app.simulator.listener import Handler, Listener
from app.simulator.worker import PageHandler, PageWorker, WorkerSpec


class _BlankHandler(PageHandler):
    def reply_front_page(self) -> None:
        """Fail."""
        message = "The requested module 'node:module' does not provide an export named 'registerHooks'"
        self.reply_json(500, {"error": message})


class BlankWorker(PageWorker):
    """Has a green `/healthz` and a dead page, as code-server on a Node.js that is not the one it needs."""

    handler = _BlankHandler


class _GarbledHandler(PageHandler):
    def reply_health(self) -> None:
        """Tell something that is no heartbeat."""
        self.reply_json(200, {"status": "alive", "lastHeartbeat": "a moment ago"})


class GarbledWorker(PageWorker):
    """Has a green `/healthz` that tells no time of use, as an editor that is not code-server."""

    handler = _GarbledHandler


class FailingWorker:
    """Answers 500 to everything."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._listener = Listener(spec.host, spec.port, _FailingHandler, _nothing)

    def start(self) -> None:
        """Answer from now on."""
        self._listener.start()

    def stop(self) -> None:
        """Stop listening."""
        self._listener.stop()


class HangingWorker:
    """Accepts every connection and never answers."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._over = Event()
        handler = type("HangingHandler", (_HangingHandler,), {"over": self._over})
        self._listener = Listener(spec.host, spec.port, handler, _nothing)

    def start(self) -> None:
        """Keep clients waiting from now on."""
        self._listener.start()

    def stop(self) -> None:
        """Let the waiting go, and stop listening."""
        self._over.set()
        self._listener.stop()


class _FailingHandler(Handler):
    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Fail."""
        self.reply(500, b'{"error":"Unexpected token in JSON at position 0"}', "application/json")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names


class _HangingHandler(Handler):
    over: Event

    def handle(self) -> None:
        """Wait until the worker is stopped, whatever the client sends."""
        self.over.wait()


def _nothing() -> None:
    """Do nothing between two polls."""
