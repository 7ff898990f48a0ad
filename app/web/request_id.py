"""The id of a request: it stands in its answer, and in every log line that is written on its way.

A caller may choose it, and so find in this log what he has in his own. Two requests with the same id are no
error: it leads to log lines, and to nothing else.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from functools import partial
from random import getrandbits  # noqa: TID251 - an id leads to log lines, and decides nothing
from typing import TYPE_CHECKING

from flask import Flask
from structlog.contextvars import STRUCTLOG_KEY_PREFIX

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
_ON_LINES = ContextVar[str](f"{STRUCTLOG_KEY_PREFIX}request_id")
"""What structlog.contextvars would make of the name, and look up again each time."""


def chosen(given: str | None) -> str:
    """Return the id that a request gives itself, or a new one where that is none, or not fit for a log."""
    if given is not None and _FIT.fullmatch(given):
        return given
    # A secret's quality costs a call of the kernel, where another thread may get the interpreter.
    return f"{getrandbits(128):032x}"


class OnEveryLine:
    """Writes the id on each line that this thread logs meanwhile."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._before = _ON_LINES.set(self._request_id)

    def __exit__(self, *_: object) -> None:
        _ON_LINES.reset(self._before)


def name_each(app: Flask) -> None:
    """Give every request its id before anything is done for it, and send it with every answer."""
    serve = app.wsgi_app

    def named(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request_id = environ[_VARIABLE] = chosen(environ.get(_VARIABLE))
        with OnEveryLine(request_id):
            return serve(environ, partial(_start, start_response, request_id))

    app.wsgi_app = named  # type: ignore[method-assign]  # Flask's own way to do it


def _start(
    start_response: "StartResponse",
    request_id: str,
    status: str,
    headers: list[tuple[str, str]],
    exc_info: "OptExcInfo | None" = None,
    /,
) -> Callable[[bytes], object]:
    return start_response(status, [*headers, (HEADER, request_id)], exc_info)


def in_headers(headers: Sequence[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Return the id of a request whose headers a server has read, and the headers with this id alone."""
    given = [value for name, value in headers if name.upper() == _NAME]
    others = [one for one in headers if one[0].upper() != _NAME] if given else headers
    request_id = chosen(given[0] if len(given) == 1 else None)
    return request_id, [*others, (_NAME, request_id)]
