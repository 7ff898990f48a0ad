"""Who looks at a page: by the session of a browser, or by a token in a header as everywhere else.

A browser sends its cookie by itself, whoever made it ask. So what changes something must come from a page of
our own, and what only looks may be reached by links, and shown in no page of others.
"""

import re
from urllib.parse import quote, urlsplit

from flask import Response, request

from app.domain.access import Identity
from app.domain.errors import Forbidden, Unauthenticated
from app.service.access import ANONYMOUS, Gate
from app.service.sessions import Sessions
from app.web import session_cookie

HOME = "/dashboard"
LOGIN = "/login"

_OWN = re.compile(r"/dashboard(?:/do/[a-z]+)?(?:\?[!-\[\]-~]{0,1000})?", re.ASCII)
"""The pages that one can come to by way of another, with their query: no host, no backslash, no blank."""
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def own_path(text: str | None) -> str | None:
    """Return the path where it is one of a whole page of ours; None for anything else, however it looks."""
    return text if text is not None and _OWN.fullmatch(text) else None


def to_login() -> Response:
    """Send a browser to log in, and then to where it wanted; for a part of a page, raise Unauthenticated."""
    query = request.query_string.decode("ascii", "replace")
    wanted = own_path(f"{request.path}?{query}" if query else request.path)
    if wanted is None:
        raise Unauthenticated("You are not logged in, or your session has ended. Log in at /login.")
    return seen_other(LOGIN if wanted == HOME else f"{LOGIN}?next={quote(wanted, safe='/')}")


def seen_other(path: str) -> Response:
    """Lead a browser on to a path of ours, which it asks for with GET."""
    return Response(status=303, headers={"Location": path})  # no host in it: Host would choose where it leads


def identity(gate: Gate, sessions: Sessions) -> Identity | None:
    """Tell who looks; None where a browser has yet to log in.

    Raises what Gate.admit raises: for a token that was sent and is not good.
    """
    address = request.remote_addr or ""
    if gate.open:
        return ANONYMOUS
    found = sessions.identity(session_cookie.read())
    if found is not None:
        return found
    sent = request.headers.get("Authorization", "")
    # Other schemes are between the browser and a proxy, which need not take them off.
    return gate.admit(sent, address) if sent.lower().startswith("bearer") else None


def refuse_foreign_forms() -> None:
    """Let forms of our own pages through, and no others (Fetch Metadata, W3C; RFC 6454 for older browsers).

    Every browser says where a form comes from: since 2023 with Sec-Fetch-Site, at `localhost` and over HTTPS,
    and with Origin for much longer. Who says nothing is no browser, and has /v1.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    ours = site == "same-origin" if site is not None else origin is not None and _is_ours(origin)
    if not ours:
        raise Forbidden(
            "This was not sent by a page of this service, and nothing was done. Open the dashboard itself, "
            "and try again from there. Programs use /v1."
        )


def _is_ours(origin: str) -> bool:
    try:
        scheme, host, *rest = urlsplit(origin)
    except ValueError:
        return False
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or any(rest) or not host:
        return False
    return host.lower().removesuffix(port) == request.host.lower().removesuffix(port)
