"""Who may do what: every route with every kind of caller, from one table."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from werkzeug.routing import Rule

from app.domain.access import Role
from app.registry.database import open_database
from app.registry.transactions import Transactions
from app.service.standing import LIMIT
from app.service.tokens import TokenDesk
from tests.fakes import FakeTokens
from tests.unit.web.services import TOKEN, Service, problem_of

ALL = None
ROUTES = {
    # For everybody
    "GET /": ALL,
    "GET /healthz": ALL,
    "GET /readyz": ALL,
    "GET /metrics": ALL,
    "GET /openapi.json": ALL,
    "GET /docs": ALL,
    "GET /docs/<name>": ALL,
    # Looking
    "GET /status": Role.VIEWER,
    "GET /v1/allocations": Role.VIEWER,
    "GET /v1/allocations/<project>": Role.VIEWER,
    "GET /v1/instances": Role.VIEWER,
    "GET /v1/instances/<instance>": Role.VIEWER,
    "GET /v1/pools": Role.VIEWER,
    "GET /v1/pools/<name>": Role.VIEWER,
    "GET /v1/events": Role.VIEWER,
    "GET /v1/webhooks": Role.VIEWER,
    # By project
    "GET /<first_word:name>": Role.ALLOCATOR,
    "PUT /v1/allocations/<project>": Role.ALLOCATOR,
    "DELETE /v1/allocations/<project>": Role.ALLOCATOR,
    "POST /v1/allocations/<project>/renew": Role.ALLOCATOR,
    "POST /v1/allocations/<project>/confirm": Role.ALLOCATOR,
    # By instance, and whole pools
    "POST /destroy": Role.ADMIN,
    "DELETE /v1/instances/<instance>": Role.ADMIN,
    "PUT /v1/instances/<instance>/hold": Role.ADMIN,
    "DELETE /v1/instances/<instance>/hold": Role.ADMIN,
    "PATCH /v1/pools/<name>": Role.ADMIN,
    "POST /v1/webhooks": Role.ADMIN,
    "POST /v1/webhooks/<message>/retry": Role.ADMIN,
    "DELETE /v1/webhooks/<message>": Role.ADMIN,
    "POST /v1/webhooks/dead/retry": Role.ADMIN,
    "DELETE /v1/webhooks/dead": Role.ADMIN,
}
PAGES = {
    # For everybody
    "GET /login": ALL,
    "POST /login": ALL,
    "POST /dashboard/logout": ALL,
    "GET /dashboard/assets/<name>": ALL,
    # Looking
    "GET /dashboard": Role.VIEWER,
    "GET /dashboard/live": Role.VIEWER,
    "GET /dashboard/chart": Role.VIEWER,
    # By project
    "GET /dashboard/do/allocate": Role.ALLOCATOR,
    "POST /dashboard/do/allocate": Role.ALLOCATOR,
    "GET /dashboard/do/renew": Role.ALLOCATOR,
    "POST /dashboard/do/renew": Role.ALLOCATOR,
    "GET /dashboard/do/release": Role.ALLOCATOR,
    "POST /dashboard/do/release": Role.ALLOCATOR,
    # By instance, and whole pools
    "GET /dashboard/do/destroy": Role.ADMIN,
    "POST /dashboard/do/destroy": Role.ADMIN,
    "GET /dashboard/do/hold": Role.ADMIN,
    "POST /dashboard/do/hold": Role.ADMIN,
    "GET /dashboard/do/unhold": Role.ADMIN,
    "POST /dashboard/do/unhold": Role.ADMIN,
    "GET /dashboard/do/pause": Role.ADMIN,
    "POST /dashboard/do/pause": Role.ADMIN,
    "GET /dashboard/do/resume": Role.ADMIN,
    "POST /dashboard/do/resume": Role.ADMIN,
    "GET /dashboard/do/buffer": Role.ADMIN,
    "POST /dashboard/do/buffer": Role.ADMIN,
}
"""For people: with the session of a browser as well, and where there is none they are led to the login."""
PARTS = {"GET /dashboard/live", "GET /dashboard/chart"}
"""What pages ask for by themselves: it is 401 without a session."""
TAKING = "GET /<first_word:name>"
"""The one GET without a HEAD: it would have to take an instance."""
CALLERS = {
    "nobody": ALL,
    "garbage": ALL,
    "unknown": ALL,
    "revoked": ALL,
    "expired": ALL,
    "viewer": Role.VIEWER,
    "allocator": Role.ALLOCATOR,
    "admin": Role.ADMIN,
    "admin-of-the-settings": Role.ADMIN,
}
"""What each may do; ALL: what all may, and no more."""
COOKIE = "ec2-orchestrator-session"
UNKNOWN = {"nobody", "garbage", "unknown", "revoked", "expired"}
BODIES: dict[str, Any] = {
    "PUT /v1/allocations/<project>": {},
    "POST /v1/allocations/<project>/renew": {"ttl": 60},
    "PUT /v1/instances/<instance>/hold": {},
    "PATCH /v1/pools/<name>": {"buffer": 3},
}


class Matrix:
    """A service, each caller's header, and an address of its own for each request: nobody fails too often."""

    def __init__(self, transactions: Transactions) -> None:
        tokens = FakeTokens()
        self.closed = Service(transactions, TOKEN, tokens=tokens)
        self.open = Service(transactions, loopback_only=True)
        desk = TokenDesk(tokens=tokens, clock=self.closed.clock, chance=secrets.token_bytes)
        made = {
            name: desk.create(
                name, role or Role.ADMIN, ttl=timedelta(hours=1) if name == "expired" else None, actor="a"
            )
            for name, role in CALLERS.items()
        }
        sessions = {
            name: self.closed.sessions.log_in(
                TOKEN if name == "admin-of-the-settings" else secret, "127.0.0.1"
            ).cookie
            for name, (_, secret) in made.items()
        }
        sessions |= {"garbage": "x", "unknown": "x" * 43}
        self.cookies = {name: {"Cookie": f"{COOKIE}={value}"} for name, value in sessions.items()}
        self.cookies["nobody"] = {}
        desk.revoke("revoked", actor="a")
        desk.revoke("unknown", actor="a")
        self.closed.clock.advance(3600)
        self.closed.watch.advance(LIMIT)
        sent = {name: secret for name, (_, secret) in made.items()}
        sent |= {"admin-of-the-settings": TOKEN, "garbage": "x", "unknown": f"eco_00000000_{'x' * 43}"}
        self.headers = {name: {"Authorization": f"Bearer {token}"} for name, token in sent.items()}
        self.headers["nobody"] = {}
        self._addresses = count(1)
        self.before = 0
        """The newest event right before the last request."""

    def visit(self, route: str, caller: str, *, service: Service | None = None) -> Any:
        """Ask for a page, with the session of a browser."""
        asked = service or self.closed
        method, _, rule = route.partition(" ")
        address = next(self._addresses)
        instance = asked.held_by(f"project-{address}")
        path = rule.replace("<name>", "style.css")
        if "/do/" in path:
            path += f"?project=project-{address}&instance={instance}"
        form = {"project": f"another-{address}"} if method == "POST" else None
        cookie = {} if "logout" in rule else self.cookies[caller]  # the others go on with theirs
        self.before = trail(asked)
        return asked.app.test_client(use_cookies=False).open(
            path,
            method=method,
            data=form,
            headers={**cookie, "Sec-Fetch-Site": "same-origin"},
            environ_base={"REMOTE_ADDR": f"127.2.{address // 256}.{address % 256}"},
        )

    def ask(self, route: str, caller: str, *, service: Service | None = None, method: str = "") -> Any:
        asked = service or self.closed
        address = next(self._addresses)
        named, _, rule = route.partition(" ")
        instance = asked.held_by(f"project-{address}")
        path = rule.replace("/pools/<name>", "/pools/default").replace("<instance>", instance)
        path = path.replace("<first_word:name>", "<project>").replace("<project>", f"project-{address}")
        path = path.replace("<message>", "msg_0")
        body = {"machineId": instance} if route == "POST /destroy" else BODIES.get(route)
        self.before = trail(asked)
        return asked.http.open(
            path,
            method=method or named,
            json=body,
            headers=self.headers[caller],
            environ_base={"REMOTE_ADDR": f"127.1.{address // 256}.{address % 256}"},
        )


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('matrix')}/registry.db")
    transactions = Transactions(engine)
    yield Matrix(transactions)
    transactions.close()


def trail(service: Service) -> int:
    return next(iter(service.registry.events(limit=1))).id


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROUTES)
def test_who_may_do_what(matrix: Matrix, route: str, caller: str) -> None:
    needed, has = ROUTES[route], CALLERS[caller]

    answer = matrix.ask(route, caller)

    if needed is ALL or (has is not ALL and has.allows(needed)):
        assert answer.status_code not in {401, 403, 429}
        assert answer.status_code < 500 or route == "GET /readyz"
    elif caller in UNKNOWN:
        assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
        assert ('error="invalid_token"' in answer.headers["WWW-Authenticate"]) == (caller != "nobody")
    else:
        assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
        assert f'error="insufficient_scope", scope="{needed}"' in answer.headers["WWW-Authenticate"]
        assert f"--role {needed}" in answer.get_json(force=True)["detail"]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", PAGES)
def test_who_may_do_what_with_the_session_of_a_browser(matrix: Matrix, route: str, caller: str) -> None:
    needed, has = PAGES[route], CALLERS[caller]

    answer = matrix.visit(route, caller)

    to_login = answer.headers.get("Location", "").startswith("/login")
    if needed is ALL or (has is not ALL and has.allows(needed)):
        assert answer.status_code in {200, 303, 400, 412, 503}
        assert not to_login or route == "POST /dashboard/logout"
    elif caller not in UNKNOWN:
        assert answer.status_code == 403
        assert f"--role {needed}" in answer.get_data(as_text=True)
    elif route in PARTS:
        assert answer.status_code == 401
    else:
        assert (answer.status_code, to_login) == (303, True)


@pytest.mark.parametrize(
    ("route", "caller"),
    [
        (route, caller)
        for route, needed in PAGES.items()
        for caller in ("nobody", "revoked", "expired", "viewer")
        if needed is not ALL and (caller != "viewer" or needed is not Role.VIEWER)
    ],
)
def test_a_page_that_is_refused_leaves_no_trace(matrix: Matrix, route: str, caller: str) -> None:
    matrix.visit(route, caller)

    assert trail(matrix.closed) == matrix.before


@pytest.mark.parametrize("route", [route for route in PAGES if route.startswith("GET ")])
def test_looking_at_a_page_changes_nothing(matrix: Matrix, route: str) -> None:
    matrix.visit(route, "admin")

    assert trail(matrix.closed) == matrix.before


@pytest.mark.parametrize("route", PAGES)
def test_an_open_service_shows_its_pages_to_everybody_of_its_machine(matrix: Matrix, route: str) -> None:
    for caller in ("nobody", "garbage"):
        answer = matrix.visit(route, caller, service=matrix.open)

        assert answer.status_code not in {401, 403, 429}
        assert "Location" not in answer.headers or route.startswith("POST ") or route == "GET /login"


@pytest.mark.parametrize("route", ROUTES)
def test_an_open_service_lets_everybody_of_its_machine_do_everything(matrix: Matrix, route: str) -> None:
    for caller in ("nobody", "garbage"):
        assert matrix.ask(route, caller, service=matrix.open).status_code not in {401, 403, 429}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith("GET ") and route != TAKING])
def test_looking_at_the_head_needs_what_looking_needs(matrix: Matrix, route: str) -> None:
    refused = matrix.ask(route, "nobody", method="HEAD").status_code == 401

    assert refused == (ROUTES[route] is not ALL)


@pytest.mark.parametrize("route", ROUTES)
def test_what_may_be_asked_here_is_told_to_everybody_and_changes_nothing(matrix: Matrix, route: str) -> None:
    answer = matrix.ask(route, "nobody", method="OPTIONS")

    assert answer.status_code in {200, 204}
    assert route.partition(" ")[0] in answer.headers["Allow"]
    assert answer.data == b""


@pytest.mark.parametrize(
    ("route", "caller"),
    [(route, "nobody") for route, role in ROUTES.items() if role is not ALL]
    + [(route, "viewer") for route, role in ROUTES.items() if role not in {ALL, Role.VIEWER}],
)
def test_a_refused_request_leaves_no_trace(matrix: Matrix, route: str, caller: str) -> None:
    assert matrix.ask(route, caller).status_code in {401, 403}
    assert trail(matrix.closed) == matrix.before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 404),
        ("GET", "/destroy", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/allocations/a/b", 404),
        ("POST", "/v1/allocations", 405),
        ("PATCH", "/v1/instances/i-0123456789abcdef0", 405),
        ("POST", "/status", 405),
        ("POST", "/my-project", 405),
        ("TRACE", "/v1/pools", 405),
    ],
)
def test_what_is_not_there_is_told_to_everybody(matrix: Matrix, method: str, path: str, status: int) -> None:
    answer = matrix.closed.http.open(path, method=method)

    assert answer.status_code == status
    assert status != 405 or answer.headers["Allow"]


def test_the_table_has_every_route_and_no_other(matrix: Matrix) -> None:
    rules: Iterator[Rule] = matrix.closed.app.url_map.iter_rules()

    assert {
        f"{method} {rule.rule}" for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    } == {*ROUTES, *PAGES}
