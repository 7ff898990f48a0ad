"""One log line for each request, and the header that every answer carries."""

from http import HTTPStatus
from time import perf_counter

import structlog
from flask import Flask, Response, request

from app.web import auth

log = structlog.get_logger()

QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: a line is worth writing only when the answer is bad."""

_STARTED = "ec2_orchestrator.started"


def log_each(app: Flask) -> None:
    """Log every request as `request.finished`: who asked for what, the status, and how long it took."""

    @app.before_request
    def _start() -> None:
        request.environ[_STARTED] = perf_counter()

    @app.after_request
    def _finish(response: Response) -> Response:
        # A GET here can take an instance: an answer out of a cache would hand out one that is long gone.
        response.headers.setdefault("Cache-Control", "no-store")
        if request.path in QUIET_PATHS and response.status_code == HTTPStatus.OK:
            return response
        took = perf_counter() - request.environ.get(_STARTED, perf_counter())
        log.info(
            "request.finished",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round(took * 1000, 2),
            address=request.remote_addr,
            actor=auth.known_actor(),
        )
        return response
