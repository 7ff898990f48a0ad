"""HTTP as the contract writes it, over a real registry and no AWS at all."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, RESERVED_NAMES, Group, Limit, Notice, PoolView
from tests.builders import NOW
from tests.unit.web.services import JSON, Service, problem_of

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
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "OPTIONS"]
    assert service.allocated == 0


@pytest.mark.parametrize("path", ["//my-project", "//status", "///status", "//healthz", "//", "//v1/pools"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_two_slashes_are_not_one(service: Service, method: str, path: str) -> None:
    service.idle()

    answer = service.http.open("/", method=method, environ_overrides={"PATH_INFO": path})

    assert (answer.status_code, problem_of(answer)) == (404, "not-found")
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


def test_status_does_not_count_what_is_on_hold_as_idle(service: Service) -> None:
    used, kept, booting = service.held_by("my-project"), service.idle(), service.booting()
    for instance in (used, kept, booting):
        service.http.put(f"/v1/instances/{instance}/hold")

    body = service.http.get("/status").get_json()

    for told in (body, body["pools"][0]):
        assert (told["totalMachines"], told["idleMachines"], told["usedMachines"]) == (1, 0, 1)
        assert (told["bootingMachines"], told["heldMachines"]) == (0, 2)
    assert {one["machineId"]: one["held"] for one in body["machines"]} == dict.fromkeys(
        (used, kept, booting), True
    )


def test_status_tells_how_many_projects_wait(service: Service) -> None:
    for project in ("one", "two"):
        service.http.get(f"/{project}")

    body = service.http.get("/status").get_json()

    for told in (body, body["pools"][0]):
        assert told["waitingProjects"] == 2


def test_status_tells_when_an_idle_instance_was_last_found_ready(service: Service) -> None:
    def ready_at() -> Any:
        return service.http.get("/status").get_json()["machines"][0]["readyAt"]

    service.idle()
    assert ready_at() == "2026-11-22T12:00:00.000Z"

    service.http.get("/my-project")
    assert ready_at() is None


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


def test_readyz_names_the_leader_whether_ready_or_not(service: Service) -> None:
    unready = service.http.get("/readyz")
    service.registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=NOW))
    service.leases.take("another", timedelta(seconds=60))
    service.clock.advance(7)
    ready = service.http.get("/readyz")

    assert unready.get_json(force=True)["leader"] is None
    assert unready.get_json(force=True)["lastPassAgeSeconds"] is None
    told = ready.get_json()
    assert (told["replica"], told["leader"]["replica"], told["leader"]["term"]) == ("this one", "another", 1)
    assert told["leader"]["since"].endswith("Z")
    assert told["lastPassAgeSeconds"] == 7


def test_status_names_the_leader(service: Service) -> None:
    service.leases.take("another", timedelta(seconds=60))

    told = service.http.get("/status").get_json()

    assert (told["replica"], told["leader"]["replica"], told["leader"]["term"]) == ("this one", "another", 1)
    assert told["lastPassAgeSeconds"] is None


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
