"""The cookie by which a browser shows its session.

Scripts cannot read it, and other sites cannot have it sent but by a link. Over HTTPS its name begins with
`__Host-`, which browsers take from this very host alone, and never from a neighbour under the same domain.
"""

from datetime import timedelta

from flask import Response, request

_NAME = "ec2-orchestrator-session"
_OF_THIS_HOST = "__Host-"


def read() -> str | None:
    """Return what the browser shows; None where it has no session here."""
    strict = request.cookies.get(_OF_THIS_HOST + _name())
    if strict is not None or request.is_secure:
        return strict
    return request.cookies.get(_name())  # or a proxy speaks HTTPS, and does not tell us


def put(answer: Response, value: str, lasts: timedelta) -> None:
    """Have the browser show this from now on."""
    secure = _is_https()
    answer.set_cookie(
        _OF_THIS_HOST + _name() if secure else _name(),
        value,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Lax",
    )


def drop(answer: Response) -> None:
    """Have the browser forget it."""
    for name in request.cookies:
        if name in {_name(), _OF_THIS_HOST + _name()}:
            secure = name.startswith("__")
            answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


def _name() -> str:
    """Browsers keep no cookies apart by port: two services of one machine must not share a name."""
    _, _, port = request.host.rpartition(":")
    return f"{_NAME}-{port}" if port.isascii() and port.isdigit() else _NAME


def _is_https() -> bool:
    """Whether the browser speaks HTTPS, to us or to a proxy: it says so itself with each form it sends."""
    return request.is_secure or request.headers.get("Origin", "").startswith("https://")
