"""Who may ask: a bearer token guards all but the health checks; without one, only this machine may."""

import hmac
import ipaddress

from flask import Flask, request
from pydantic import SecretStr

from app.domain.errors import Forbidden, Unauthenticated

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""For load balancers and scrapers, which have no token."""

_ACTOR = "ec2_orchestrator.actor"


def require(app: Flask, token: SecretStr | None, *, loopback_only: bool) -> None:
    """Refuse requests without the token; where none is needed, those that a web page makes behind one's back.

    With `loopback_only`, requests of other machines are refused too, however the server was made to listen.
    """
    if token is not None:
        _require_token(app, token)
        return
    if loopback_only:
        app.before_request(_refuse_strangers)
    app.before_request(_refuse_other_sites)


def actor() -> str:
    """Say who makes the current request, for the audit trail."""
    name: str = request.environ.get(_ACTOR, "anonymous")
    return name


def _require_token(app: Flask, token: SecretStr) -> None:
    expected = token.get_secret_value().encode()

    @app.before_request
    def _check() -> None:
        if request.path in OPEN_PATHS:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        known = hmac.compare_digest(given.encode(), expected)
        if not known or scheme.lower() != "bearer":
            raise Unauthenticated("Send the header 'Authorization: Bearer TOKEN' with a valid token.")
        request.environ[_ACTOR] = "admin"


def _refuse_strangers() -> None:
    """Answer this machine alone, by the name in Host too: a page may have had its own name resolved to it."""
    if request.path in OPEN_PATHS:
        return
    if not (_is_loopback(request.remote_addr or "") and _is_loopback(_host_name())):
        raise Forbidden("Without a token this service answers its own machine only, at localhost.")


def _refuse_other_sites() -> None:
    """Let a link be followed, and nothing else be done from a page of another site (Fetch Metadata, W3C)."""
    headers = request.headers
    followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    if headers.get("Sec-Fetch-Site") == "cross-site" and not followed:
        raise Forbidden("A page of another site may not use this service.")


def _host_name() -> str:
    name, _, port = request.host.rpartition(":")
    return (name if port.isdigit() and name else request.host).strip("[]")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
