"""HTTP as the contract writes it, over a real registry and no AWS at all."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, RESERVED_NAMES, Group, InstanceId, Limit, Notice, PoolView
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.service.allocation import Allocator
from app.service.status import StatusReader
from app.web import create_app
from tests.builders import NOW, a_look
from tests.fakes import FakeClock, FakeProber, FakeWaker

TOKEN = "a-token-of-sixteen-characters-or-more"
JSON = {"Content-Type": "application/json"}


class Service:
    """The service without AWS: a registry that the test fills, and a client."""

    def __init__(
        self, registry: SqlRegistry, token: str | None = None, *, loopback_only: bool = False
    ) -> None:
        self.registry = registry
        self.clock = FakeClock()
        self.waker = FakeWaker()
        app = create_app(
            allocator=Allocator(
                pool=DEFAULT_POOL,
                registry=registry,
                quick_prober=FakeProber(),
                waker=self.waker,
                clock=self.clock,
            ),
            status_reader=StatusReader(
                pool=DEFAULT_POOL,
                buffer=5,
                poll_interval=timedelta(seconds=10),
                registry=registry,
                clock=self.clock,
            ),
            token=SecretStr(token) if token else None,
            loopback_only=loopback_only,
        )
        self.http: FlaskClient = app.test_client()

    def booting(self) -> InstanceId:
        look = a_look()
        self.registry.discover(DEFAULT_POOL, look, now=NOW)
        return look.id

    def idle(self, address: str = "54.123.45.67") -> InstanceId:
        instance = self.booting()
        self.registry.mark_idle(instance, address, 8080, now=NOW)
        return instance

    def destroy(self, body: Any) -> Any:
        return self.http.post("/destroy", json=body)

    @property
    def allocated(self) -> int:
        return sum(one.project is not None for one in self.registry.instances(DEFAULT_POOL).values())


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    yield SqlRegistry(engine)
    engine.dispose()


@pytest.fixture
def service(registry: SqlRegistry) -> Service:
    return Service(registry)


def problem_of(answer: Any) -> str:
    """Check that an answer is a problem of the one shape, and return its code."""
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json(force=True)
    assert set(body) >= {"type", "title", "status", "detail", "code"}
    assert body["status"] == answer.status_code
    assert body["type"].endswith(body["code"])
    return str(body["code"])


# GET /<projectId>


def test_a_project_gets_an_instance(service: Service) -> None:
    instance = service.idle()

    answer = service.http.get("/my-project")

    assert answer.status_code == 200
    assert answer.get_json() == {
        "ip": "54.123.45.67",
        "projectId": "my-project",
        "machineId": instance,
        "url": "http://54.123.45.67:8080",
    }


def test_asked_again_it_is_the_same_instance(service: Service) -> None:
    service.idle()
    service.idle()

    assert service.http.get("/my-project").get_json() == service.http.get("/my-project").get_json()
    assert service.allocated == 1


def test_an_allocation_starts_its_top_up(service: Service) -> None:
    service.idle()
    service.http.get("/my-project")
    service.http.get("/my-project")

    assert service.waker.wakes == 1


def test_an_empty_pool_answers_503_with_retry_after_and_counts_as_demand(service: Service) -> None:
    answer = service.http.get("/my-project")

    assert answer.status_code == 503
    assert problem_of(answer) == "pool-exhausted"
    assert int(answer.headers["Retry-After"]) > 0
    assert service.registry.waiting(DEFAULT_POOL, now=service.clock.now()) == 1
    assert service.waker.wakes == 1


@pytest.mark.parametrize("name", ["-x", "_x", "a b", "a%2Cb", "x" * 64, "%C3%BC", "a%0Ab"])
def test_what_is_not_a_project_id_is_400_and_allocates_nothing(service: Service, name: str) -> None:
    service.idle()

    answer = service.http.get(f"/{name}")

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-project-id")
    assert service.allocated == 0


@pytest.mark.parametrize("name", ["favicon.ico", "robots.txt", ".env", "a/b", "my-project/", "wp-login.php"])
def test_what_cannot_be_a_project_id_is_404_and_allocates_nothing(service: Service, name: str) -> None:
    service.idle()

    answer = service.http.get(f"/{name}")

    assert (answer.status_code, problem_of(answer)) == (404, "not-found")
    assert service.allocated == 0


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_reserved_name_is_never_allocated(service: Service, name: str) -> None:
    service.idle()

    service.http.get(f"/{name}")

    assert service.allocated == 0


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_no_method_but_get_allocates(service: Service, method: str) -> None:
    service.idle()

    answer = service.http.open("/my-project", method=method)

    assert answer.status_code == (204 if method == "OPTIONS" else 405)
    assert "GET" in answer.headers["Allow"]
    assert service.allocated == 0


def test_no_answer_may_be_cached(service: Service) -> None:
    service.idle()

    for path in ("/my-project", "/status", "/favicon.ico"):
        assert service.http.get(path).headers["Cache-Control"] == "no-store"


# POST /destroy


def test_destroy_ends_the_instance_of_a_project(service: Service) -> None:
    instance = service.idle()
    service.http.get("/my-project")

    answer = service.destroy({"machineId": instance})

    assert answer.status_code == 200
    assert answer.get_json() == {"machineId": instance, "projectId": "my-project", "state": "terminating"}


def test_destroy_again_while_it_goes_away_answers_the_same(service: Service) -> None:
    instance = service.idle()
    first = service.destroy({"machineId": instance})

    assert service.destroy({"machineId": instance}).get_json() == first.get_json()
    assert first.get_json()["projectId"] is None


def test_destroy_starts_a_pass(service: Service) -> None:
    service.destroy({"machineId": service.idle()})

    assert service.waker.wakes == 1


def test_destroy_of_what_is_not_ours_is_404(service: Service) -> None:
    answer = service.destroy({"machineId": "i-0123456789abcdef0"})

    assert (answer.status_code, problem_of(answer)) == (404, "instance-not-found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"machineId": 7}',
        b'{"machineId": null}',
        b'{"machineId": ["i-0123456789abcdef0"]}',
        b'{"machineId": ""}',
        b'{"machineId": "54.123.45.67"}',
        b'{"machineId": "i-0123456789abcdef0; drop"}',
        b"\xff\xfe",
        b"[" * 20_000,
    ],
)
def test_a_body_that_is_not_right_is_400(service: Service, body: bytes) -> None:
    answer = service.http.post("/destroy", data=body, headers=JSON)

    assert answer.status_code == 400
    assert problem_of(answer) in {"invalid-body", "invalid-instance-id"}


def test_a_body_that_does_not_say_it_is_json_is_400(service: Service) -> None:
    instance = service.idle()

    answer = service.http.post("/destroy", data=f'{{"machineId": "{instance}"}}')

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-body")
    assert service.http.get("/my-project").status_code == 200


def test_a_huge_body_is_refused(service: Service) -> None:
    answer = service.http.post("/destroy", data=b" " * 70_000, headers=JSON)

    assert (answer.status_code, problem_of(answer)) == (413, "request-entity-too-large")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_destroy_answers_post_alone(service: Service, method: str) -> None:
    answer = service.http.open("/destroy", method=method)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


# GET /status


def test_status_counts_and_lists(service: Service) -> None:
    service.booting()
    used, free = service.idle(), service.idle()
    going = service.idle()
    service.destroy({"machineId": going})
    service.http.get("/my-project")

    body = service.http.get("/status").get_json()

    held = body["machines"]
    assert (body["totalMachines"], body["idleMachines"], body["usedMachines"]) == (2, 1, 1)
    assert (body["bootingMachines"], body["terminatingMachines"], body["buffer"]) == (1, 1, 5)
    states = {machine["machineId"]: machine["state"] for machine in held}
    assert sorted(states.values()) == ["allocated", "booting", "idle", "terminating"]
    one = next(machine for machine in held if machine["state"] == "allocated")
    assert (one["isUsed"], one["assignedProject"], one["ip"]) == (True, "my-project", "54.123.45.67")
    other = next(machine for machine in held if machine["state"] == "idle")
    assert (other["isUsed"], other["assignedProject"]) == (False, None)
    assert {one["machineId"], other["machineId"]} == {used, free}


def test_status_tells_what_the_last_pass_learnt(service: Service) -> None:
    service.registry.record_view(
        PoolView(
            pool=DEFAULT_POOL,
            group=Group(desired=10, min_size=1, max_size=10),
            limited_by=Limit.MAX_SIZE,
            notices=(Notice(code="detached", detail="i-1 is no longer a member."),),
            last_pass_at=NOW,
            last_attempt_at=NOW,
        )
    )

    body = service.http.get("/status").get_json()

    assert (body["desiredCapacity"], body["minSize"], body["maxSize"]) == (10, 1, 10)
    assert body["limitedBy"] == "max-size"
    assert body["warnings"] == [{"code": "detached", "detail": "i-1 is no longer a member."}]
    assert body["lastPassAt"].endswith("Z")


def test_status_allocates_nothing(service: Service) -> None:
    service.idle()
    service.http.get("/status")

    assert service.allocated == 0


# Health


def test_healthz_touches_nothing(service: Service) -> None:
    service.registry.close()

    assert service.http.get("/healthz").status_code == 200


def test_readyz_needs_a_pass(service: Service) -> None:
    answer = service.http.get("/readyz")

    assert (answer.status_code, problem_of(answer)) == (503, "not-ready")
    assert "no pass has succeeded yet" in answer.get_json(force=True)["detail"]


@pytest.mark.parametrize(("age", "status"), [(60, 200), (61, 503)])
def test_readyz_allows_six_poll_intervals(service: Service, age: int, status: int) -> None:
    service.registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=NOW))
    service.clock.advance(age)

    assert service.http.get("/readyz").status_code == status


# Who may


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/my-project"), ("POST", "/destroy"), ("GET", "/status"), ("GET", "/")]
)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"bearer {TOKEN} ", TOKEN, f"Basic {TOKEN}"]
)
def test_without_the_token_nothing_is_answered(
    registry: SqlRegistry, method: str, path: str, header: str | None
) -> None:
    service = Service(registry, TOKEN)
    service.idle()
    headers = {} if header is None else {"Authorization": header}

    answer = service.http.open(path, method=method, headers=headers)

    assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert service.allocated == 0


def test_with_the_token_everything_works_and_the_trail_says_who(registry: SqlRegistry) -> None:
    service = Service(registry, TOKEN)
    service.idle()

    answer = service.http.get("/my-project", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 200
    assert next(iter(registry.events(limit=1))).actor == "admin"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(registry: SqlRegistry, path: str) -> None:
    assert Service(registry, TOKEN).http.get(path).status_code != 401


def test_the_scheme_of_the_header_may_be_written_in_any_case(registry: SqlRegistry) -> None:
    answer = Service(registry, TOKEN).http.get("/status", headers={"Authorization": f"bearer {TOKEN}"})

    assert answer.status_code == 200


# Without a token: this machine alone, and no web page behind its user's back


@pytest.mark.parametrize("host", ["localhost:9092", "localhost", "127.0.0.1:9092", "[::1]:9092"])
def test_without_a_token_this_machine_is_answered(registry: SqlRegistry, host: str) -> None:
    service = Service(registry, loopback_only=True)

    assert service.http.get("/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9092", "10.0.0.5:9092", "localhost.evil.example"]
)
def test_without_a_token_a_name_that_was_made_to_lead_here_is_refused(
    registry: SqlRegistry, host: str
) -> None:
    service = Service(registry, loopback_only=True)
    instance = service.idle()

    answer = service.http.post("/destroy", json={"machineId": instance}, headers={"Host": host})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.http.get("/healthz", headers={"Host": host}).status_code == 200


def test_without_a_token_another_machine_is_refused(registry: SqlRegistry) -> None:
    service = Service(registry, loopback_only=True)

    answer = service.http.get("/status", environ_base={"REMOTE_ADDR": "10.0.0.5"})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")


def test_a_picture_on_another_site_takes_no_instance(service: Service) -> None:
    service.idle()

    answer = service.http.get(
        "/a1",
        headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    )

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.allocated == 0


def test_a_link_on_another_site_may_be_followed(service: Service) -> None:
    service.idle()
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    assert service.http.get("/a1", headers=headers).status_code == 200


# When things break


def test_an_unreachable_database_is_503_and_says_when_to_try_again(service: Service) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RegistryUnavailable

    service.registry.claim = fail  # type: ignore[method-assign]

    answer = service.http.get("/my-project")

    assert (answer.status_code, problem_of(answer)) == (503, "registry-unavailable")
    assert "Retry-After" in answer.headers


def test_a_bug_is_500_and_leaks_nothing(service: Service) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("a secret of ours")

    service.registry.claim = fail  # type: ignore[method-assign]

    answer = service.http.get("/my-project")

    assert (answer.status_code, problem_of(answer)) == (500, "internal-error")
    assert b"secret" not in answer.data
