"""The id of a request: it stands in its answer, and in every log line that is written on its way.

A caller may choose it, and so find in this log what he has in his own. Two requests with the same id are no
error: it leads to log lines, and to nothing else.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from flask import Flask

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HEADER = "X-Request-ID"
WHAT = (
    "The request's id in the service's log: its own `X-Request-ID` where that was 1 to 128 letters, digits, "
    "`.`, `_`, `:` or `-`, and else a new one"
)

_NAME = HEADER.upper()
_VARIABLE = "HTTP_X_REQUEST_ID"
_FIT = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


def chosen(given: str | None) -> str:
    """Return the id that a request gives itself, or a new one where that is none, or not fit for a log."""
    return given if given is not None and _FIT.fullmatch(given) else uuid4().hex


@contextmanager
def on_every_line(request_id: str) -> Iterator[None]:
    """Write the id on each line that this thread logs meanwhile."""
    before = structlog.contextvars.bind_contextvars(request_id=request_id)
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**before)


def name_each(app: Flask) -> None:
    """Give every request its id before anything is done for it, and send it with every answer."""
    serve = app.wsgi_app

    def named(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request_id = environ[_VARIABLE] = chosen(environ.get(_VARIABLE))

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: "OptExcInfo | None" = None, /
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, (HEADER, request_id)], exc_info)

        with on_every_line(request_id):
            return serve(environ, start)

    app.wsgi_app = named  # type: ignore[method-assign]  # Flask's own way to do it


def in_headers(headers: Iterable[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Return the id of a request whose headers a server has read, and the headers with this id alone."""
    others, given = [], []
    for name, value in headers:
        if name.upper() == _NAME:
            given.append(value)
        else:
            others.append((name, value))
    request_id = chosen(given[0] if len(given) == 1 else None)
    return request_id, [*others, (_NAME, request_id)]
