"""Errors on the wire: RFC 9457 problem details, from one table."""

import structlog
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from app.domain.errors import (
    Forbidden,
    InstanceNotFound,
    InvalidInput,
    OrchestratorError,
    PoolExhausted,
    RegistryUnavailable,
    Unauthenticated,
)

log = structlog.get_logger()

STATUS: dict[type[OrchestratorError], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    InstanceNotFound: 404,
    PoolExhausted: 503,
    RegistryUnavailable: 503,
}
"""The status of each error that a request can meet; a subclass has its parent's unless it stands here."""

DATABASE_RETRY_SECONDS = 2


def problem(status: int, *, code: str, title: str, detail: str, **more: object) -> Response:
    """Render one problem. `code` is a slug that never changes; `type` is a URN made from it."""
    body = {
        "type": f"urn:ec2-orchestrator:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    return Response(json.dumps(body) + "\n", status=status, mimetype="application/problem+json")


def register(app: Flask) -> None:
    """Answer every error as a problem: ours, the framework's, and bugs, which leak nothing."""
    app.register_error_handler(OrchestratorError, _domain_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)


def _domain_error(error: OrchestratorError) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is None:
        return _crash(error)
    answer = problem(status, code=error.code, title=error.title(), detail=error.detail)
    if isinstance(error, PoolExhausted):
        answer.headers["Retry-After"] = str(int(error.retry_after.total_seconds()))
    elif isinstance(error, RegistryUnavailable):
        log.error("registry.unavailable", cause=repr(error.__cause__))
        answer.headers["Retry-After"] = str(DATABASE_RETRY_SECONDS)
    elif isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="ec2-orchestrator"'
    return answer


def _http_error(error: HTTPException) -> Response:
    title = error.name
    answer = problem(
        error.code or 500,
        code=title.lower().replace(" ", "-"),
        title=title,
        detail=error.description or title,
    )
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            answer.headers[name] = value  # Allow, Retry-After
    return answer


def _crash(error: Exception) -> Response:
    log.error("request.crashed", exc_info=error)
    return problem(
        500,
        code="internal-error",
        title="Internal error",
        detail="Something went wrong on our side. It has been logged.",
    )
