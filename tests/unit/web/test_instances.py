"""/v1/instances: look, terminate, hold."""

import pytest

from tests.unit.web.services import GPU, JSON, Service, places_of, problem_of

ELSEWHERE = "/v1/instances/i-0123456789abcdef0"


def test_an_instance_can_be_looked_at(service: Service) -> None:
    held = service.held_by("my-project")

    answer = service.http.get(f"/v1/instances/{held}")

    assert answer.status_code == 200
    assert answer.get_json() == {
        "id": held,
        "pool": "default",
        "state": "allocated",
        "stateSince": "2026-11-22T12:00:00.000Z",
        "address": "54.123.45.67",
        "port": 8080,
        "url": "http://54.123.45.67:8080",
        "zone": "eu-west-1a",
        "project": "my-project",
        "allocatedAt": "2026-11-22T12:00:00.000Z",
        "expiresAt": None,
        "confirmBy": None,
        "lastActivityAt": None,
        "launchedAt": "2026-11-22T12:00:00.000Z",
        "readyAt": "2026-11-22T12:00:00.000Z",
        "endReason": None,
        "hold": None,
    }


def test_one_that_was_never_ready_has_no_address(service: Service) -> None:
    found = service.http.get(f"/v1/instances/{service.booting()}").get_json()

    assert (found["state"], found["address"], found["url"]) == ("booting", None, None)


def test_instances_are_listed_by_id(service: Service) -> None:
    made = [service.idle() for _ in range(3)]

    listed = service.http.get("/v1/instances").get_json()["items"]

    assert [one["id"] for one in listed] == sorted(made)


@pytest.mark.parametrize(
    ("query", "count"), [("", 3), ("?pool=gpu", 1), ("?state=booting", 1), ("?pool=x", 0)]
)
def test_instances_can_be_listed_by_pool_and_by_state(service: Service, query: str, count: int) -> None:
    service.idle()
    service.idle(pool=GPU)
    service.booting()

    assert len(service.http.get(f"/v1/instances{query}").get_json()["items"]) == count


def test_a_state_that_is_none_is_400(service: Service) -> None:
    answer = service.http.get("/v1/instances?state=asleep")

    assert (answer.status_code, problem_of(answer), places_of(answer)) == (400, "invalid-query", {"state"})


def test_delete_ends_the_instance_and_says_why(service: Service) -> None:
    held = service.held_by("my-project")

    answer = service.http.delete(f"/v1/instances/{held}")

    assert answer.status_code == 202
    assert (answer.get_json()["state"], answer.get_json()["endReason"]) == ("terminating", "destroyed")


def test_delete_again_while_it_goes_away_answers_the_same(service: Service) -> None:
    instance = service.idle()
    first = service.http.delete(f"/v1/instances/{instance}")

    again = service.http.delete(f"/v1/instances/{instance}")

    assert (again.status_code, again.get_json()) == (202, first.get_json())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ELSEWHERE),
        ("DELETE", ELSEWHERE),
        ("PUT", f"{ELSEWHERE}/hold"),
        ("DELETE", f"{ELSEWHERE}/hold"),
    ],
)
def test_what_is_not_ours_is_404(service: Service, method: str, path: str) -> None:
    answer = service.http.open(path, method=method)

    assert (answer.status_code, problem_of(answer)) == (404, "instance-not-found")


@pytest.mark.parametrize("name", ["i-1", "54.123.45.67", "i-0123456789ABCDEF0"])
def test_what_is_not_an_instance_id_is_400(service: Service, name: str) -> None:
    answer = service.http.get(f"/v1/instances/{name}")

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-instance-id")


def test_a_hold_says_who_why_and_until_when(service: Service) -> None:
    path = f"/v1/instances/{service.idle()}/hold"

    answer = service.http.put(path, json={"ttl": 60, "reason": "a look"})

    assert answer.status_code == 200
    assert answer.get_json()["hold"] == {
        "since": "2026-11-22T12:00:00.000Z",
        "by": "anonymous",
        "until": "2026-11-22T12:01:00.000Z",
        "reason": "a look",
    }


def test_a_hold_needs_no_body(service: Service) -> None:
    path = f"/v1/instances/{service.idle()}/hold"

    assert service.http.put(path).get_json()["hold"]["until"] is None


@pytest.mark.parametrize(
    "reason",
    [
        *("two\nlines", "nul\0", "x" * 201, "\ud800", "", " ", "\u00a0\u3000"),
        *(f"a{character}b" for character in "\x7f\x80\x85\x9b\x9f\u2028\u2029\u202a\u202e\u2066\u2069"),
    ],
)
def test_a_reason_is_one_short_line(service: Service, reason: str) -> None:
    path = f"/v1/instances/{service.idle()}/hold"

    answer = service.http.put(path, json={"reason": reason})

    assert (answer.status_code, problem_of(answer), places_of(answer)) == (400, "invalid-body", {"reason"})


@pytest.mark.parametrize(
    "reason", ["x", " a  look ", "größer", "日本語", "👩\u200d💻", "\u05d0\u200f!", "x" * 200]
)
def test_a_reason_may_be_in_any_language(service: Service, reason: str) -> None:
    path = f"/v1/instances/{service.idle()}/hold"

    assert service.http.put(path, json={"reason": reason}).get_json()["hold"]["reason"] == reason


def test_a_held_instance_is_not_handed_out(service: Service) -> None:
    service.http.put(f"/v1/instances/{service.idle()}/hold")

    assert service.http.put("/v1/allocations/my-project").status_code == 503


def test_a_hold_can_be_ended(service: Service) -> None:
    path = f"/v1/instances/{service.idle()}/hold"
    service.http.put(path, data=b"{}", headers=JSON)

    answer = service.http.delete(path)

    assert (answer.status_code, answer.get_json()["hold"]) == (200, None)
    assert service.http.put("/v1/allocations/my-project").status_code == 201
