"""The request that is being answered, itself."""

import flask
from flask import Request


def request() -> Request:
    """Return it. A look through Flask's own `request`, which stands for it, costs as much as ten of these."""
    # Flask's documented way to the object behind one of its names.
    found: Request = flask.request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return found
