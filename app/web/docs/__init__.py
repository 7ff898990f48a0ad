"""What tells of the interface: /openapi.json for programs, /docs for people. Nothing comes from elsewhere."""

import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import NotFound

from app.web.docs import reference
from app.web.operations import Reply, operation
from app.web.queries import SeedQuery

TAG = "Documentation"
ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}

_HERE = Path(__file__).parent
_UNCHANGED = Reply(what="Not changed since the `ETag` in `If-None-Match`", media="")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def written(document: dict[str, Any]) -> str:
    """Write the document as it is committed and served."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def blueprint(document: Callable[[], dict[str, Any]]) -> Blueprint:
    """Serve /openapi.json, /docs and what that page is made of; the document is made when it is needed."""
    pages = Blueprint("docs", __name__, template_folder=".")
    as_json = cache(lambda: written(document()))
    as_page = cache(lambda: render_template("page.html", **reference.of(document())))
    asset_text = cache(lambda name: (_HERE / name).read_text())

    @pages.get("/openapi.json")
    @operation(
        "openapi",
        TAG,
        None,
        query=SeedQuery,
        replies={200: Reply(what="An OpenAPI 3.1 document"), 304: _UNCHANGED},
    )
    def openapi() -> Response:
        """Get this interface as an OpenAPI document.

        For code generators and other programs.
        """
        return _kept(as_json(), "application/json")

    @pages.get("/docs")
    @operation(
        "docs",
        TAG,
        None,
        query=SeedQuery,
        replies={200: Reply(what="A page", media="text/html"), 304: _UNCHANGED},
    )
    def page() -> Response:
        """Read this interface as a page.

        It needs nothing from other servers.
        """
        return _kept(as_page(), "text/html")

    @pages.get("/docs/<name>")
    def asset(name: str) -> Response:
        if name not in ASSETS:
            raise NotFound("There is no such page.")
        return _kept(asset_text(name), ASSETS[name])

    return pages


def _kept(text: str, media: str) -> Response:
    """Answer what changes with the version of the service alone: a browser asks again whether it has."""
    answer = Response(text, mimetype=media)
    answer.set_etag(sha256(text.encode()).hexdigest()[:16])
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.make_conditional(request)
    return answer
