"""How pages, their parts and their files are answered: with the rules that a browser must keep."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Response, request

_HERE = Path(__file__).parent / "assets"
_MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASSETS = frozenset(file.name for file in _HERE.iterdir() if file.suffix in _MEDIA)
"""The files that are served."""

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page(html: str, status: int = 200) -> Response:
    """Answer a whole page."""
    return guarded(Response(html, status=status, mimetype="text/html"))


def fragment(html: str) -> Response:
    """Answer a part of a page; 304 where the asker has it as it is."""
    answer = guarded(Response(html, mimetype="text/html"))
    return _unless_known(answer, html)


def asset(name: str) -> Response:
    """Answer a file: it changes with the version of the service, so a browser asks each time."""
    text = _text(name)
    answer = guarded(Response(text, mimetype=_MEDIA[Path(name).suffix]))
    answer.headers["Cache-Control"] = "no-cache"
    return _unless_known(answer, text)


def guarded(answer: Response) -> Response:
    """Set what keeps a page from doing, or from being used for, anything but its own work."""
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"  # with no-referrer, forms come from the origin "null"
    return answer


def _unless_known(answer: Response, text: str) -> Response:
    answer.set_etag(sha256(text.encode()).hexdigest()[:16])
    answer.make_conditional(request)
    return answer


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text()
