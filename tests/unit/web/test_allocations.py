"""/v1/allocations: allocate, look, renew, confirm, release."""

from typing import Any

import pytest

from app.domain.model import RESERVED_NAMES
from app.registry.transactions import Transactions
from tests.unit.web.services import GPU, JSON, Service, places_of, problem_of

URL = "/v1/allocations/my-project"


def test_a_project_gets_an_instance(service: Service) -> None:
    instance = service.idle()

    answer = service.http.put(URL)

    assert answer.status_code == 201
    assert answer.headers["Location"] == URL
    assert answer.get_json() == {
        "project": "my-project",
        "pool": "default",
        "instance": instance,
        "address": "54.123.45.67",
        "url": "http://54.123.45.67:8080",
        "state": "allocated",
        "allocatedAt": "2026-11-22T12:00:00.000Z",
        "expiresAt": None,
        "confirmBy": None,
        "lastActivityAt": None,
    }


def test_asked_again_it_is_the_same_instance_and_200(service: Service) -> None:
    service.idle()
    service.idle()
    first = service.http.put(URL)

    again = service.http.put(URL)

    assert (again.status_code, again.get_json()) == (200, first.get_json())


def test_the_body_names_a_pool(service: Service) -> None:
    service.idle()
    other = service.idle(pool=GPU)

    answer = service.http.put(URL, json={"pool": "gpu"})

    assert (answer.get_json()["pool"], answer.get_json()["instance"]) == ("gpu", other)


def test_without_a_pool_it_is_what_the_project_holds_of_any(service: Service) -> None:
    held = service.held_by("my-project", GPU)

    for body in ({}, {"pool": None}):
        assert service.http.put(URL, json=body).get_json()["instance"] == held


def test_another_pool_than_the_one_it_holds_of_is_409(service: Service) -> None:
    service.held_by("my-project", GPU)
    service.idle()

    answer = service.http.put(URL, json={"pool": "default"})

    assert (answer.status_code, problem_of(answer)) == (409, "allocated-elsewhere")


def test_a_pool_that_is_not_there_is_404(service: Service) -> None:
    answer = service.http.put(URL, json={"pool": "large"})

    assert (answer.status_code, problem_of(answer)) == (404, "pool-not-found")


def test_an_empty_pool_is_503_with_retry_after(service: Service) -> None:
    answer = service.http.put(URL)

    assert (answer.status_code, problem_of(answer)) == (503, "pool-exhausted")
    assert int(answer.headers["Retry-After"]) > 0


def test_how_long_it_will_take_is_null_where_nobody_knows(service: Service) -> None:
    assert service.http.put(URL).get_json(force=True)["estimatedWaitSeconds"] is None


def test_an_allocation_may_have_a_time_limit(service: Service) -> None:
    service.idle()

    assert service.http.put(URL, json={"ttl": 3600}).get_json()["expiresAt"] == "2026-11-22T13:00:00.000Z"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"pool": "A b"}, "pool"),
        ({"pool": 7}, "pool"),
        ({"wait": -1}, "wait"),
        ({"wait": 61}, "wait"),
        ({"wait": "30"}, "wait"),
        ({"wait": None}, "wait"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": 1.5}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"ttl": 10**30}, "ttl"),
        ({"confirmWithin": 0}, "confirmWithin"),
        ({"confirmWithin": "60"}, "confirmWithin"),
        ({"polo": "default"}, "polo"),
    ],
)
def test_a_field_that_is_off_is_named(service: Service, body: Any, where: str) -> None:
    service.idle()

    answer = service.http.put(URL, json=body)

    assert (answer.status_code, problem_of(answer), places_of(answer)) == (400, "invalid-body", {where})
    assert service.allocated == 0


def test_every_fault_is_told_at_once(service: Service) -> None:
    answer = service.http.put(URL, json={"polo": "default", "wait": 99, "ttl": -1})

    assert places_of(answer) == {"polo", "wait", "ttl"}
    assert "did you mean pool?" in answer.get_json(force=True)["detail"]


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "favicon.ico", "-x", "x" * 64, "a b", "%C3%BC"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_not_a_project_id_is_400(service: Service, method: str, name: str) -> None:
    service.idle()

    answer = service.http.open(f"/v1/allocations/{name}", method=method)

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-project-id")
    assert service.allocated == 0


def test_an_allocation_can_be_looked_at(service: Service) -> None:
    held = service.held_by("my-project")

    answer = service.http.get(URL)

    assert (answer.status_code, answer.get_json()["instance"]) == (200, held)


def test_an_allocation_may_have_to_be_confirmed(service: Service) -> None:
    service.idle()

    answer = service.http.put(URL, json={"confirmWithin": 60})

    assert answer.get_json()["confirmBy"] == "2026-11-22T12:01:00.000Z"


def test_what_is_confirmed_need_not_be_any_more(service: Service) -> None:
    service.idle()
    service.http.put(URL, json={"confirmWithin": 60})

    answer = service.http.post(f"{URL}/confirm")

    assert (answer.status_code, answer.get_json()["confirmBy"]) == (200, None)
    assert service.http.get(URL).get_json()["confirmBy"] is None


def test_what_need_not_be_confirmed_can_be(service: Service) -> None:
    held = service.held_by("my-project")

    answer = service.http.post(f"{URL}/confirm")

    assert (answer.status_code, answer.get_json()["instance"]) == (200, held)


def test_what_was_confirmed_too_late_is_404(service: Service) -> None:
    answer = service.http.post(f"{URL}/confirm")

    assert (answer.status_code, problem_of(answer)) == (404, "allocation-not-found")


@pytest.mark.parametrize(("asked", "body"), [("confirm", {}), ("renew", {"ttl": 60})])
def test_what_names_another_instance_than_the_project_holds_is_404_and_changes_nothing(
    service: Service, asked: str, body: dict[str, object]
) -> None:
    lost = service.held_by("my-project")
    service.http.delete(URL)
    service.idle()
    held = service.http.put(URL, json={"confirmWithin": 60}).get_json()

    answer = service.http.post(f"{URL}/{asked}", json={**body, "instance": lost})

    assert (answer.status_code, problem_of(answer)) == (404, "allocation-not-found")
    assert service.http.get(URL).get_json() == held


@pytest.mark.parametrize(("asked", "body"), [("confirm", {}), ("renew", {"ttl": 60})])
def test_what_names_the_instance_that_the_project_holds_is_done(
    service: Service, asked: str, body: dict[str, object]
) -> None:
    service.idle()
    held = service.http.put(URL, json={"confirmWithin": 60}).get_json()["instance"]

    answer = service.http.post(f"{URL}/{asked}", json={**body, "instance": held})

    assert (answer.status_code, answer.get_json()["confirmBy"]) == (200, None)


@pytest.mark.parametrize(("asked", "body"), [("confirm", {}), ("renew", {"ttl": 60})])
def test_an_instance_that_is_no_id_is_400(service: Service, asked: str, body: dict[str, object]) -> None:
    service.held_by("my-project")

    answer = service.http.post(f"{URL}/{asked}", json={**body, "instance": "alice"})

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-body")


def test_a_renewal_confirms(service: Service) -> None:
    service.idle()
    service.http.put(URL, json={"confirmWithin": 60})

    assert service.http.post(f"{URL}/renew", json={"ttl": 60}).get_json()["confirmBy"] is None


def test_what_the_pool_says_holds_for_who_asks_for_nothing(transactions: Transactions) -> None:
    service = Service(transactions, default_ttl=600, confirm_within=30)
    service.idle()

    held = service.http.put(URL).get_json()

    assert held["expiresAt"] == "2026-11-22T12:10:00.000Z"
    assert held["confirmBy"] == "2026-11-22T12:00:30.000Z"


def test_more_time_than_the_pool_allows_is_400_and_allocates_nothing(transactions: Transactions) -> None:
    service = Service(transactions, max_ttl=600)
    service.idle()

    answer = service.http.put(URL, json={"ttl": 601})

    assert (answer.status_code, problem_of(answer)) == (400, "ttl-too-long")
    assert service.allocated == 0


@pytest.mark.parametrize("ttl", [601, None])
def test_a_renewal_for_longer_than_the_pool_allows_is_400(
    transactions: Transactions, ttl: int | None
) -> None:
    service = Service(transactions, max_ttl=600)
    service.held_by("my-project")

    answer = service.http.post(f"{URL}/renew", json={"ttl": ttl})

    assert (answer.status_code, problem_of(answer)) == (400, "ttl-too-long")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_project_that_holds_nothing_is_404_and_gets_nothing(service: Service, method: str) -> None:
    service.idle()

    answer = service.http.open(URL, method=method)

    assert (answer.status_code, problem_of(answer)) == (404, "allocation-not-found")
    assert service.allocated == 0


def test_a_renewal_counts_from_now(service: Service) -> None:
    service.held_by("my-project")
    service.clock.advance(600)

    answer = service.http.post(f"{URL}/renew", json={"ttl": 60})

    assert (answer.status_code, answer.get_json()["expiresAt"]) == (200, "2026-11-22T12:11:00.000Z")


def test_a_renewal_can_take_the_time_limit_away(service: Service) -> None:
    service.idle()
    service.http.put(URL, json={"ttl": 60})

    assert service.http.post(f"{URL}/renew", json={"ttl": None}).get_json()["expiresAt"] is None


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ttl": "60"}', b'{"ttl": 60, "wait": 3}'])
def test_a_renewal_without_a_time_limit_is_400(service: Service, body: bytes) -> None:
    service.held_by("my-project")

    answer = service.http.post(f"{URL}/renew", data=body, headers=JSON)

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-body")


def test_nothing_to_renew_is_404(service: Service) -> None:
    answer = service.http.post(f"{URL}/renew", json={"ttl": 60})

    assert (answer.status_code, problem_of(answer)) == (404, "allocation-not-found")


def test_a_release_is_accepted_and_ends_the_instance(service: Service) -> None:
    held = service.held_by("my-project")

    answer = service.http.delete(URL)

    assert answer.status_code == 202
    assert (answer.get_json()["instance"], answer.get_json()["state"]) == (held, "terminating")
    assert service.http.get(URL).status_code == 404


def test_after_a_release_the_project_gets_another_instance(service: Service) -> None:
    held = service.held_by("my-project")
    service.idle()
    service.http.delete(URL)

    assert service.http.put(URL).get_json()["instance"] != held


def test_allocations_are_listed_by_project(service: Service) -> None:
    for project in ("c", "a", "b"):
        service.held_by(project)

    answer = service.http.get("/v1/allocations").get_json()

    assert [one["project"] for one in answer["items"]] == ["a", "b", "c"]
    assert answer["next"] is None


def test_allocations_can_be_listed_of_one_pool(service: Service) -> None:
    service.held_by("a")
    service.held_by("b", GPU)

    listed = service.http.get("/v1/allocations?pool=gpu").get_json()["items"]

    assert [one["project"] for one in listed] == ["b"]
