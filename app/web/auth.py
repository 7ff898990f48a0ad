"""Who may ask: a bearer token in front of everything but the health checks."""

import hmac

from flask import Flask, request
from pydantic import SecretStr

from app.domain.errors import Unauthenticated

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""For load balancers and scrapers, which have no token."""

_ACTOR = "ec2_orchestrator.actor"


def require(app: Flask, token: SecretStr | None) -> None:
    """Refuse requests that do not carry the token; with no token at all, the service is open."""
    if token is None:
        return
    expected = f"Bearer {token.get_secret_value()}".encode()

    @app.before_request
    def _check() -> None:
        if request.path in OPEN_PATHS:
            return
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise Unauthenticated("Send the header 'Authorization: Bearer TOKEN' with a valid token.")
        request.environ[_ACTOR] = "admin"


def actor() -> str:
    """Say who makes the current request, for the audit trail."""
    name: str = request.environ.get(_ACTOR, "anonymous")
    return name
