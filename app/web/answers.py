"""What is done about every answer: it is counted, timed and logged in one line, and no cache keeps it."""

from http import HTTPStatus
from time import perf_counter

import structlog
from flask import Flask, Response

from app.telemetry.families import UNMATCHED
from app.telemetry.metrics import Metrics
from app.web import auth, current, facts
from app.web.document import path_of

log = structlog.get_logger()

QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/dashboard/live", "/dashboard/chart"})
QUIET_FOLDERS = ("/dashboard/assets/", "/docs/")
"""Asked by machines, every few seconds or once a page: a line is worth writing only if the answer is bad."""

_BAD = HTTPStatus.BAD_REQUEST.value
_BEGUN = "ec2_orchestrator.begun"


def note_each(app: Flask, metrics: Metrics) -> None:
    """Count every request by its route, and log it as `request.finished`: who asked for what, with what end.

    What strangers make up counts as one route.
    """

    @app.before_request
    def _begin() -> None:
        current.request().environ[_BEGUN] = perf_counter()

    @app.after_request
    def _finish(response: Response) -> Response:
        asked = current.request()
        rule, status, now = asked.url_rule, response.status_code, perf_counter()
        took = now - asked.environ.get(_BEGUN, now)
        route = UNMATCHED if rule is None else path_of(rule)
        metrics.request_answered(asked.method, route, status, took)
        # A GET here can take an instance: an answer out of a cache would hand out one that is long gone.
        if not response.headers.getlist("Cache-Control"):  # `in` costs a KeyError
            response.headers.add("Cache-Control", "no-store")
        if status < _BAD and _is_quiet(asked.path):
            return response
        known = facts.known()
        log.info(
            "request.finished",
            method=asked.method,
            path=asked.path,
            route=route,
            status=status,
            ms=round(took * 1000, 2),
            address=asked.remote_addr,
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
