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
from app.service.tokens import TokenDesk
from tests.fakes import FakeTokens
from tests.unit.web.services import TOKEN, Service, problem_of

ALL = None
ROUTES = {
    # For everybody
    "GET /": ALL,
    "GET /healthz": ALL,
    "GET /readyz": ALL,
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
    # By project
    "GET /<first_word:name>": Role.ALLOCATOR,
    "PUT /v1/allocations/<project>": Role.ALLOCATOR,
    "DELETE /v1/allocations/<project>": Role.ALLOCATOR,
    "POST /v1/allocations/<project>/renew": Role.ALLOCATOR,
    # By instance, and whole pools
    "POST /destroy": Role.ADMIN,
    "DELETE /v1/instances/<instance>": Role.ADMIN,
    "PUT /v1/instances/<instance>/hold": Role.ADMIN,
    "DELETE /v1/instances/<instance>/hold": Role.ADMIN,
    "PATCH /v1/pools/<name>": Role.ADMIN,
}
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
        desk.revoke("revoked", actor="a")
        desk.revoke("unknown", actor="a")
        self.closed.clock.advance(3600)
        sent = {name: secret for name, (_, secret) in made.items()}
        sent |= {"admin-of-the-settings": TOKEN, "garbage": "x", "unknown": f"eco_00000000_{'x' * 43}"}
        self.headers = {name: {"Authorization": f"Bearer {token}"} for name, token in sent.items()}
        self.headers["nobody"] = {}
        self._addresses = count(1)
        self.before = 0
        """The newest event right before the last request."""

    def ask(self, route: str, caller: str, *, service: Service | None = None, method: str = "") -> Any:
        asked = service or self.closed
        address = next(self._addresses)
        named, _, rule = route.partition(" ")
        instance = asked.held_by(f"project-{address}")
        path = rule.replace("/pools/<name>", "/pools/default").replace("<instance>", instance)
        path = path.replace("<first_word:name>", "<project>").replace("<project>", f"project-{address}")
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
    yield Matrix(Transactions(engine))
    engine.dispose()


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
    } == set(ROUTES)
