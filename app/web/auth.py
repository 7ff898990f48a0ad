"""Who may ask for what: the role of each operation, checked before anything of it is done.

The table is the operations themselves: each names the role it needs beside its view, and the OpenAPI document
tells the same. What is no operation stands in UNLISTED; anything else makes the application refuse to start.
"""

import ipaddress
from collections.abc import Collection

from flask import Flask, Request, Response, request
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from app.domain.access import Identity, Role
from app.domain.errors import Forbidden
from app.service.access import ANONYMOUS, Gate
from app.service.sessions import Sessions
from app.web import current, visitors
from app.web.operations import operation_of
from app.web.pages import is_page, page_role

UNLISTED = frozenset({"status.index", "docs.asset"})
"""Endpoints that are no operation, and that everybody may see: a signpost, and the look of /docs."""

_IDENTITY = "ec2_orchestrator.identity"


def guard(app: Flask, gate: Gate, sessions: Sessions, *, proxy_hops: int = 0) -> None:
    """Let requests through to what their sender may do. To be called after the last route was added.

    What is not there, or not with this method, is answered so without asking who wants to know: 404, 405, and
    OPTIONS. HEAD needs what GET needs. `proxy_hops` proxies in front are believed who the sender is; with 0
    nothing of what a request says about that is read.

    Sessions are for pages alone: an operation never reads a cookie, so no page of others can use it.
    """
    roles = {endpoint: _role(app, endpoint) for endpoint in app.view_functions}
    pages = {endpoint for endpoint, view in app.view_functions.items() if is_page(view)}
    if proxy_hops:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own way to do it
            app.wsgi_app, x_for=proxy_hops, x_proto=proxy_hops, x_host=proxy_hops
        )

    @app.before_request
    def _check() -> Response | None:
        asked = current.request()
        if asked.url_rule is None or asked.method == "OPTIONS":
            return None
        is_a_page, needed = asked.url_rule.endpoint in pages, roles[asked.url_rule.endpoint]
        if is_a_page and asked.method == "POST":
            visitors.refuse_foreign_forms()
        if needed is None:
            return None
        identity = visitors.identity(gate, sessions) if is_a_page else _sender(gate, asked)
        if identity is None:
            return visitors.to_login()
        if identity is ANONYMOUS and gate.local:
            _refuse_strangers(proxy_hops)
        if identity is ANONYMOUS or is_a_page:
            _refuse_other_sites(needed, trusted=set() if is_a_page else {"same-site"})
        asked.environ[_IDENTITY] = identity
        _require(needed, identity)
        return None


def actor() -> str:
    """Say who makes the current request, for the audit trail."""
    identity: Identity = current.request().environ[_IDENTITY]
    return identity.actor


def known_identity() -> Identity | None:
    """Say who makes the current request, and what they may do; None where nobody asked, or it was refused."""
    return current.request().environ.get(_IDENTITY)


def known_actor() -> str | None:
    """Say who makes the current request; None where nobody asked, or where it was refused for that."""
    identity = known_identity()
    return None if identity is None else identity.actor


def _sender(gate: Gate, asked: Request) -> Identity:
    return gate.admit(asked.environ.get("HTTP_AUTHORIZATION"), asked.remote_addr or "")


def _require(needed: Role, identity: Identity) -> None:
    if not identity.role.allows(needed):
        raise Forbidden(
            f"This needs the role '{needed}', and {identity.actor} has '{identity.role}'. Use a token "
            f"that has it: ec2-orchestrator token create NAME --role {needed}.",
            needed=needed,
        )


def _role(app: Flask, endpoint: str) -> Role | None:
    """Return the role that an endpoint needs; None where everybody may use it."""
    if endpoint in UNLISTED:
        return None
    view = app.view_functions[endpoint]
    if is_page(view):
        return page_role(view)
    found = operation_of(view)
    if found is None:
        raise LookupError(f"The endpoint {endpoint} says nowhere which role it needs: make it an operation.")
    return found.role


def _refuse_strangers(proxy_hops: int) -> None:
    """Answer this machine alone, by the name in Host too: a page may have had its own name resolved to it."""
    if proxy_hops and not (_told("X-Forwarded-For", proxy_hops) and _told("X-Forwarded-Host", proxy_hops)):
        raise Forbidden(
            "ORCHESTRATOR_PROXY_HOPS is set, but this request came without X-Forwarded-For or "
            "X-Forwarded-Host: have the proxies send both, or make a token: ec2-orchestrator token create "
            "NAME --role ROLE."
        )
    if not (_is_loopback(request.remote_addr or "") and _is_loopback(_host_name())):
        raise Forbidden(
            "Without a token this service answers its own machine only, at localhost. Make one there: "
            "ec2-orchestrator token create NAME --role ROLE. With ORCHESTRATOR_AUTH=off, where a proxy on "
            "that machine guards the service: set ORCHESTRATOR_PROXY_HOPS."
        )


def _told(header: str, proxy_hops: int) -> bool:
    """Whether the outermost proxy has told something; else the address or name would be a proxy's own."""
    told = parse_list_header(request.headers.get(header, ""))
    return len(told) >= proxy_hops and bool(told[-proxy_hops].strip())


def _refuse_other_sites(needed: Role, *, trusted: Collection[str]) -> None:
    """Let links be followed, and pages of others do nothing else (Fetch Metadata, W3C).

    Any page of the web can lead its reader here, without a click: such a link may look, and change nothing.
    On the same site, which on this machine is any of its ports, are pages of the user's own: where they are
    `trusted`, a link there may take an instance. It leads to no question of ours: one that appears under the
    pointer at the right moment would be answered by a click that was meant for another page.
    """
    headers = request.headers
    site = headers.get("Sec-Fetch-Site")
    if site not in {"cross-site", "same-site"}:
        return
    if headers.get("Sec-Fetch-Mode") != "navigate" or headers.get("Sec-Fetch-Dest") != "document":
        raise Forbidden("Another page may not use this service: it may have links to it, and no more.")
    if site not in trusted and not Role.VIEWER.allows(needed):
        raise Forbidden(
            "A link on another site may not change anything here. If you mean it, open the address yourself."
        )


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
