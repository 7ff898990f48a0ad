"""The line of each request: who asked for what."""

import pytest
import structlog
from structlog.typing import EventDict

from app.domain.access import Role
from app.registry.transactions import Transactions
from tests.fakes import FakeTokens
from tests.unit.web.services import Service


def line_of(
    service: Service, path: str, token: str | None = None, forwarded_for: str | None = None
) -> EventDict:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if forwarded_for is not None:
        headers["X-Forwarded-For"] = forwarded_for
    with structlog.testing.capture_logs() as lines:
        service.http.get(path, headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    (line,) = (one for one in lines if one["event"] == "request.finished")
    return line


@pytest.fixture
def closed(transactions: Transactions) -> Service:
    return Service(transactions, tokens=FakeTokens())


def test_it_names_the_address_and_the_token(closed: Service) -> None:
    line = line_of(closed, "/status", closed.token("ci", Role.VIEWER))

    assert (line["status"], line["address"], line["actor"]) == (200, "192.0.2.1", "token:ci")


def test_it_names_a_token_whose_role_is_not_enough(closed: Service) -> None:
    line = line_of(closed, "/my-project", closed.token("ci", Role.VIEWER))

    assert (line["status"], line["actor"]) == (403, "token:ci")


@pytest.mark.parametrize(("path", "status"), [("/status", 401), ("/", 200), ("/no/such/page", 404)])
def test_where_nobody_is_known_it_says_so(closed: Service, path: str, status: int) -> None:
    line = line_of(closed, path)

    assert (line["status"], line["address"], line["actor"]) == (status, "192.0.2.1", None)


def test_whoever_needs_no_token_is_anonymous(service: Service) -> None:
    assert line_of(service, "/status")["actor"] == "anonymous"


def test_behind_a_proxy_the_address_is_the_one_that_it_tells(transactions: Transactions) -> None:
    service = Service(transactions, tokens=FakeTokens(), proxy_hops=1)

    assert line_of(service, "/status", forwarded_for="198.51.100.7")["address"] == "198.51.100.7"
