"""One log line for each request, and the header that every answer carries."""

from http import HTTPStatus
from time import perf_counter

import structlog
from flask import Flask, Response, request

from app.telemetry.families import UNMATCHED
from app.web import auth, facts
from app.web.document import path_of

log = structlog.get_logger()

QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/dashboard/live", "/dashboard/chart"})
QUIET_FOLDERS = ("/dashboard/assets/", "/docs/")
"""Asked by machines, every few seconds or once a page: a line is worth writing only if the answer is bad."""

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
        if _is_quiet(request.path) and response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        known, rule = facts.known(), request.url_rule
        took = perf_counter() - request.environ.get(_STARTED, perf_counter())
        log.info(
            "request.finished",
            method=request.method,
            path=request.path,
            route=UNMATCHED if rule is None else path_of(rule),
            status=response.status_code,
            ms=round(took * 1000, 2),
            address=request.remote_addr,
            actor=auth.known_actor(),
            pool=known.pool,
            project=known.project,
            instance=known.instance,
            outcome=known.outcome,
            code=known.code,
        )
        return response


def _is_quiet(path: str) -> bool:
    return path in QUIET_PATHS or path.startswith(QUIET_FOLDERS)
