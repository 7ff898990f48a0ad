"""Flask, without what none of our functions needs."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface


class _NoSessions(SessionInterface):
    """Has one for all requests: none can write to it."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 - as Flask calls it
        """Return it."""
        return self._none


class Application(Flask):
    """Calls views, and what is called around them, without looking each time whether they are coroutines.

    There are no sessions of Flask's: ours are in the registry, and belong to pages alone.
    """

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return it as it is: none is `async`."""
        return func
