"""Errors on the wire: RFC 9457 problem details, from one table."""

from math import ceil

import structlog
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from app.domain.errors import (
    Forbidden,
    InTheWay,
    InvalidInput,
    NotFound,
    OrchestratorError,
    PoolExhausted,
    RegistryUnavailable,
    TooManyAttempts,
    Unauthenticated,
    VersionChanged,
)

log = structlog.get_logger()

STATUS: dict[type[OrchestratorError], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    TooManyAttempts: 429,
    Forbidden: 403,
    NotFound: 404,
    InTheWay: 409,
    VersionChanged: 412,
    PoolExhausted: 503,
    RegistryUnavailable: 503,
}
"""The status of each error that a request can meet; a subclass has its parent's unless it stands here."""

DATABASE_RETRY_SECONDS = 2
_CHALLENGE = 'Bearer realm="ec2-orchestrator"'
"""What a client must do to be let in, as RFC 6750 writes it."""


def problem(status: int, *, code: str, title: str, detail: str, **more: object) -> Response:
    """Render one problem. `code` is a slug that never changes; `type` is a URN made from it."""
    text = json.dumps(body_of(status, code=code, title=title, detail=detail) | more) + "\n"
    return Response(text, status=status, mimetype="application/problem+json")


def body_of(status: int, *, code: str, title: str, detail: str) -> dict[str, object]:
    """Return the members that every problem has."""
    return {
        "type": f"urn:ec2-orchestrator:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }


def register(app: Flask) -> None:
    """Answer every error as a problem: ours, the framework's, and bugs, which leak nothing."""
    app.register_error_handler(OrchestratorError, _domain_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)


def status_of(kind: type[OrchestratorError]) -> int | None:
    """Return the status that an error is answered with; None where a request cannot meet it."""
    return next((STATUS[above] for above in kind.__mro__ if above in STATUS), None)


def _domain_error(error: OrchestratorError) -> Response:
    status = status_of(type(error))
    if status is None:
        return _crash(error)
    more = {}
    if isinstance(error, InvalidInput) and error.faults:
        more["errors"] = [{"where": where, "detail": what} for where, what in error.faults]
    answer = problem(status, code=error.code, title=error.title(), detail=error.detail, **more)
    if isinstance(error, PoolExhausted | TooManyAttempts):
        answer.headers["Retry-After"] = str(ceil(error.retry_after.total_seconds()))
    elif isinstance(error, RegistryUnavailable):
        log.error("registry.unavailable", cause=repr(error.__cause__))
        answer.headers["Retry-After"] = str(DATABASE_RETRY_SECONDS)
    elif isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = _CHALLENGE + (
            ', error="invalid_token"' if error.token_sent else ""
        )
    elif isinstance(error, Forbidden) and error.needed is not None:
        answer.headers["WWW-Authenticate"] = (
            f'{_CHALLENGE}, error="insufficient_scope", scope="{error.needed}"'
        )
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
