"""What was done, told once on the page that comes next.

A cookie carries it there: a word of the table below, and whom it is about. Its text is ours, and what does
not look as names do is dropped, so whoever can set cookies can say nothing of their own here.
"""

import re
from dataclasses import dataclass

from flask import Response, request

COOKIE = "ec2-orchestrator-said"
SHOWN = "X-Shown"
"""The script of a page says so that what it fetches is to be shown `later`, as where its form has led to."""
LASTS = 60
"""Seconds, for a page that is never asked for."""

SAID = {
    "allocated": "Allocated: {0} has {1} now.",
    "kept": "{0} has {1} already, and keeps it. Nothing was taken.",
    "renewed": "Renewed: {0} keeps {1}, as long as you have said.",
    "released": "Released: {0} has given back {1}, which is being terminated.",
    "released-held": "Released: {0} has given back {1}. It is held, and terminated when the hold ends.",
    "destroyed": "{0} is being terminated.",
    "destroyed-held": "{0} is terminated when its hold ends.",
    "held": "{0} is held: it is neither handed out nor terminated.",
    "let-go": "{0} is not held any more.",
    "paused": "Pool {0} is paused: nothing is changed at AWS until it is resumed.",
    "resumed": "Pool {0} is resumed. What had to wait is being done.",
    "buffer": "Pool {0} keeps {1} idle from now on.",
    "logged-out": "You are logged out.",
}

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)
_SEPARATOR = "."  # stands in no name


@dataclass(frozen=True, slots=True)
class Said:
    """A word of the table, and whom it is about."""

    code: str
    about: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is told."""
        return SAID[self.code].format(*self.about)


def put(answer: Response, said: Said) -> None:
    """Have it told by the next page."""
    value = _SEPARATOR.join((said.code, *said.about))
    answer.set_cookie(COOKIE, value, max_age=LASTS, path="/", httponly=True, samesite="Lax")


def read() -> Said | None:
    """Return what is to be told now; None where that is nothing."""
    code, *about = request.cookies.get(COOKIE, "").split(_SEPARATOR)
    if code not in SAID or len(about) != SAID[code].count("{"):
        return None
    return Said(code, tuple(about)) if all(map(_NAME.fullmatch, about)) else None


def told(answer: Response) -> Response:
    """Take the cookie back: it was told in this answer, if that is shown now."""
    if COOKIE in request.cookies and request.headers.get(SHOWN) != "later":
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    return answer
