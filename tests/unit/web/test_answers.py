"""The line of each request: who asked for what."""

from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from app.domain.access import Role
from app.registry.transactions import Transactions
from tests.fakes import FakeTokens
from tests.unit.web.services import GPU, Service


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


# what it was about


def last_line(service: Service, method: str, path: str, **given: Any) -> EventDict:
    with structlog.testing.capture_logs() as lines:
        service.http.open(path, method=method, **given)
    (line,) = (one for one in lines if one["event"] == "request.finished")
    return line


def about(line: EventDict) -> tuple[object, ...]:
    return line["pool"], line["project"], line["instance"], line["outcome"], line["code"]


def test_an_allocation_tells_what_was_given_to_whom(service: Service) -> None:
    instance = service.idle()

    line = last_line(service, "GET", "/my-project")

    assert about(line) == ("default", "my-project", instance, "warm", None)


def test_the_same_again_is_told_to_be_so(service: Service) -> None:
    instance = service.held_by("my-project", GPU)

    line = last_line(service, "PUT", "/v1/allocations/my-project")

    assert about(line) == ("gpu", "my-project", instance, "repeated", None)


@pytest.mark.parametrize(
    ("method", "path", "given", "pool"),
    [
        ("GET", "/my-project", {}, "default"),
        ("PUT", "/v1/allocations/my-project", {}, "default"),
        ("PUT", "/v1/allocations/my-project", {"json": {"pool": "gpu"}}, "gpu"),
    ],
)
def test_whoever_got_nothing_is_told_with_the_pool_that_was_empty(
    service: Service, method: str, path: str, given: dict[str, Any], pool: str
) -> None:
    line = last_line(service, method, path, **given)

    assert about(line) == (pool, "my-project", None, "empty", "pool-exhausted")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/allocations/my-project"),
        ("DELETE", "/v1/allocations/my-project"),
    ],
)
def test_what_is_asked_by_project_tells_the_instance(service: Service, method: str, path: str) -> None:
    instance = service.held_by("my-project")

    assert about(last_line(service, method, path)) == ("default", "my-project", instance, None, None)


def test_a_renewal_tells_the_instance(service: Service) -> None:
    instance = service.held_by("my-project")

    line = last_line(service, "POST", "/v1/allocations/my-project/renew", json={"ttl": 60})

    assert about(line) == ("default", "my-project", instance, None, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/instances/{}"),
        ("DELETE", "/v1/instances/{}"),
        ("PUT", "/v1/instances/{}/hold"),
        ("DELETE", "/v1/instances/{}/hold"),
    ],
)
def test_what_is_asked_by_instance_tells_the_project(service: Service, method: str, path: str) -> None:
    instance = service.held_by("my-project")

    line = last_line(service, method, path.format(instance))

    assert about(line) == ("default", "my-project", instance, None, None)


def test_destroy_tells_what_it_ended(service: Service) -> None:
    instance = service.held_by("my-project")

    line = last_line(service, "POST", "/destroy", json={"machineId": instance})

    assert about(line) == ("default", "my-project", instance, None, None)


@pytest.mark.parametrize(("method", "given"), [("GET", {}), ("PATCH", {"json": {"buffer": 3}})])
def test_a_pool_is_told_by_its_name(service: Service, method: str, given: dict[str, Any]) -> None:
    line = last_line(service, method, "/v1/pools/gpu", **given)

    assert (line["status"], *about(line)) == (200, "gpu", None, None, None, None)


def test_what_is_not_there_is_told_by_what_was_asked_for(service: Service) -> None:
    line = last_line(service, "DELETE", "/v1/allocations/nobody")

    assert about(line) == (None, "nobody", None, None, "allocation-not-found")


@pytest.mark.parametrize(
    ("path", "route", "code"),
    [
        ("/my-project", "/{project}", "pool-exhausted"),
        ("/v1/allocations/my-project", "/v1/allocations/{project}", "allocation-not-found"),
        ("/status", "/status", None),
        ("/no/such/page", "unmatched", "not-found"),
    ],
)
def test_it_names_the_route_and_the_problem(
    service: Service, path: str, route: str, code: str | None
) -> None:
    line = last_line(service, "GET", path)

    assert (line["path"], line["route"], line["code"]) == (path, route, code)


def test_a_query_is_not_told(service: Service) -> None:
    line = last_line(service, "GET", "/status?key=value")

    assert line["path"] == "/status"


# what is not worth a line


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/docs/page.css", "/dashboard/assets/style.css"])
def test_what_machines_ask_for_is_told_only_when_the_answer_is_bad(service: Service, path: str) -> None:
    with structlog.testing.capture_logs() as good:
        assert service.http.get(path).status_code == 200
    with structlog.testing.capture_logs() as bad:
        assert service.http.post(path).status_code == 405

    assert [line["event"] for line in (*good, *bad)] == ["request.finished"]
    assert bad[0]["status"] == 405


@pytest.mark.parametrize("path", ["/dashboard/live", "/dashboard/chart"])
def test_an_open_dashboard_is_told_when_it_comes_and_not_all_the_time(service: Service, path: str) -> None:
    with structlog.testing.capture_logs() as lines:
        tag = service.http.get(path).headers["ETag"]
        assert service.http.get(path, headers={"If-None-Match": tag}).status_code == 304
        assert service.http.get("/dashboard").status_code == 200

    assert [line["path"] for line in lines] == ["/dashboard"]


def test_an_open_dashboard_that_is_refused_is_told(closed: Service) -> None:
    assert line_of(closed, "/dashboard/live")["status"] == 401
