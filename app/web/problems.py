"""Errors on the wire: RFC 9457 problem details, from one table."""

from collections.abc import Callable, Mapping
from math import ceil

import structlog
from flask import Flask, Response, json
from werkzeug import exceptions
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
from app.web import facts

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
MEDIA = "application/problem+json"
_IN_OUR_WORDS: Mapping[type[HTTPException], str] = {
    exceptions.BadRequest: "The request cannot be understood.",
    exceptions.NotFound: "There is nothing at this path. What there is: GET /docs.",
    exceptions.MethodNotAllowed: "This path has no such method. The header Allow names those it has.",
}
ESTIMATE = "estimatedWaitSeconds"
"""The member of a PoolExhausted that tells how long it will take; null: nobody knows."""
CHALLENGE = 'Bearer realm="ec2-orchestrator"'
"""What a client must do to be let in, as RFC 6750 writes it."""


def problem(status: int, *, code: str, title: str, detail: str, **more: object) -> Response:
    """Render one problem. `code` is a slug that never changes; `type` is a URN made from it."""
    return _written(body_of(status, code=code, title=title, detail=detail) | more)


def _written(body: Mapping[str, object]) -> Response:
    facts.answered_with(str(body["code"]))
    status = int(str(body["status"]))
    return Response(json.dumps(body) + "\n", status=status, mimetype=MEDIA)


def body_of(status: int, *, code: str, title: str, detail: str) -> dict[str, object]:
    """Return the members that every problem has."""
    return {
        "type": f"urn:ec2-orchestrator:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }


def register(app: Flask, as_page: Callable[[Response], Response]) -> None:
    """Answer every error as a problem: ours, the framework's, and bugs, which leak nothing.

    Each goes through `as_page`, which makes a page of it where a person reads it.
    """
    app.register_error_handler(OrchestratorError, lambda error: as_page(_domain_error(error)))
    app.register_error_handler(HTTPException, lambda error: as_page(_http_error(error)))
    app.register_error_handler(Exception, lambda error: as_page(_crash(error)))


def status_of(kind: type[OrchestratorError]) -> int | None:
    """Return the status that an error is answered with; None where a request cannot meet it."""
    return next((STATUS[above] for above in kind.__mro__ if above in STATUS), None)


def _domain_error(error: OrchestratorError) -> Response:
    status = status_of(type(error))
    if status is None:
        return _crash(error)
    more: dict[str, object] = {}
    if isinstance(error, InvalidInput) and error.faults:
        more["errors"] = [{"where": where, "detail": what} for where, what in error.faults]
    elif isinstance(error, PoolExhausted):
        wait = error.estimated_wait
        more[ESTIMATE] = None if wait is None else ceil(wait.total_seconds())
    answer = problem(status, code=error.code, title=error.title(), detail=error.detail, **more)
    if isinstance(error, PoolExhausted | TooManyAttempts):
        answer.headers["Retry-After"] = str(ceil(error.retry_after.total_seconds()))
    elif isinstance(error, RegistryUnavailable):
        log.error("registry.unavailable", cause=repr(error.__cause__))
        answer.headers["Retry-After"] = str(DATABASE_RETRY_SECONDS)
    elif isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = CHALLENGE + (
            ', error="invalid_token"' if error.token_sent else ""
        )
    elif isinstance(error, Forbidden) and error.needed is not None:
        answer.headers["WWW-Authenticate"] = (
            f'{CHALLENGE}, error="insufficient_scope", scope="{error.needed}"'
        )
    return answer


def http_body(error: HTTPException) -> dict[str, object]:
    """Return the members of an error of HTTP itself, whose name makes the code."""
    own = error.description if error.description != type(error).description else None
    return body_of(
        error.code or 500,
        code=error.name.lower().replace(" ", "-"),
        title=error.name,
        detail=own or _IN_OUR_WORDS.get(type(error), f"{error.name}."),
    )


def _http_error(error: HTTPException) -> Response:
    answer = _written(http_body(error))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            answer.headers[name] = value  # Allow, Retry-After
    return answer


def crash_body() -> dict[str, object]:
    """Return the members of a bug of ours."""
    return body_of(
        500,
        code="internal-error",
        title="Internal error",
        detail="Something went wrong on our side. It has been logged.",
    )


def _crash(error: Exception) -> Response:
    log.error("request.crashed", exc_info=error)
    return _written(crash_body())
