"""Errors of pages: the same problem as everybody is answered, as a page that says what now."""

from flask import Response, render_template, request

from app.domain.errors import RegistryUnavailable
from app.web import auth
from app.web.dashboard import kept

FOLDERS = ("/dashboard", "/login")
_ASKED_BY_SCRIPT = frozenset({"/dashboard/live", "/dashboard/chart"})


def as_page(problem: Response) -> Response:
    """Turn the answer into a page where it is a page that was asked for; status and headers stay."""
    if not _is_for_people(request.path):
        return problem
    body = problem.get_json(force=True)
    problem.set_data(render_template(_template(body["code"]), problem=body, identity=auth.known_identity()))
    problem.mimetype = "text/html"
    return kept.guarded(problem)


def _template(code: str) -> str:
    """Name the page. One that answers a form never asks again by itself: that would send the form again."""
    if code != RegistryUnavailable.code:
        return "error.html"
    return "unknown.html" if request.method == "POST" else "away.html"


def _is_for_people(path: str) -> bool:
    inside = any(path == folder or path.startswith(folder + "/") for folder in FOLDERS)
    return inside and path not in _ASKED_BY_SCRIPT
