"""/v1/pools: look, and change what operators may."""

from typing import Any

import pytest

from app.domain.controls import Change, Controls
from app.domain.errors import RegistryUnavailable
from app.domain.model import PoolName
from app.registry.transactions import Transactions
from tests.unit.web.services import GPU, Service, places_of, problem_of

URL = "/v1/pools/default"


def test_a_pool_tells_its_figures(service: Service) -> None:
    service.booting()
    service.idle()
    service.held_by("my-project")

    found = service.http.get(URL).get_json()

    assert (found["name"], found["group"], found["region"]) == ("default", "vscode-asg", "us-east-1")
    assert (found["buffer"], found["configuredBuffer"], found["paused"]) == (5, 5, False)
    assert found["instances"] == {"booting": 1, "idle": 1, "allocated": 1, "terminating": 0, "held": 0}


def test_a_pool_without_terms_says_so(service: Service) -> None:
    found = service.http.get(URL).get_json()

    terms = ("defaultTtl", "maxTtl", "confirmWithin", "idleTimeout", "launchSeconds")
    assert {found[name] for name in terms} == {None}


def test_a_pool_tells_what_its_allocations_are_made_under(transactions: Transactions) -> None:
    service = Service(transactions, default_ttl=3600, max_ttl=86400, confirm_within=1.5, idle_timeout=7200)

    found = service.http.get(URL).get_json()

    assert (found["defaultTtl"], found["maxTtl"]) == (3600, 86400)
    assert (found["confirmWithin"], found["idleTimeout"]) == (1.5, 7200)


def test_whole_seconds_are_written_without_a_fraction(transactions: Transactions) -> None:
    service = Service(transactions, max_ttl=86400.0)

    assert '"maxTtl":86400,' in service.http.get(URL).text


def test_what_is_on_hold_is_not_counted_as_idle(service: Service) -> None:
    for instance in (service.held_by("my-project"), service.booting(), service.idle()):
        service.http.put(f"/v1/instances/{instance}/hold")

    found = service.http.get(URL).get_json()

    assert found["instances"] == {"booting": 0, "idle": 0, "allocated": 1, "terminating": 0, "held": 2}


def test_projects_that_asked_in_vain_wait_in_the_pool_that_they_asked(service: Service) -> None:
    service.http.put("/v1/allocations/one", json={"pool": "gpu"})
    service.http.put("/v1/allocations/two", json={"pool": "gpu"})

    listed = service.http.get("/v1/pools").get_json()["items"]

    assert {one["name"]: one["waiting"] for one in listed} == {"default": 0, "gpu": 2}


def test_pools_are_listed_with_default_first(service: Service) -> None:
    listed = service.http.get("/v1/pools").get_json()

    assert ([one["name"] for one in listed["items"]], listed["next"]) == (["default", "gpu"], None)


def test_pools_are_listed_in_parts(service: Service) -> None:
    first = service.http.get("/v1/pools?limit=1").get_json()
    second = service.http.get(f"/v1/pools?limit=1&cursor={first['next']}").get_json()

    assert [one["name"] for one in (*first["items"], *second["items"])] == ["default", "gpu"]
    assert second["next"] is None


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize(
    ("name", "status", "code"), [("large", 404, "pool-not-found"), ("A", 400, "invalid-pool-name")]
)
def test_a_pool_that_is_not_there(service: Service, method: str, name: str, status: int, code: str) -> None:
    answer = service.http.open(f"/v1/pools/{name}", method=method, json={})

    assert (answer.status_code, problem_of(answer)) == (status, code)


def test_the_buffer_can_be_set(service: Service) -> None:
    answer = service.http.patch(URL, json={"buffer": 8})

    assert answer.status_code == 200
    assert (answer.get_json()["buffer"], answer.get_json()["configuredBuffer"]) == (8, 5)
    assert service.waker.pools == ["default"]


def test_null_gives_the_buffer_back_to_the_settings(service: Service) -> None:
    service.http.patch(URL, json={"buffer": 8})

    assert service.http.patch(URL, json={"buffer": None}).get_json()["buffer"] == 5


def test_a_pause_says_since_when_and_by_whom(service: Service) -> None:
    found = service.http.patch(URL, json={"paused": True}).get_json()

    assert (found["paused"], found["pausedBy"]) == (True, "anonymous")
    assert found["pausedAt"] == "2026-11-22T12:00:00.000Z"
    assert found["limitedBy"] == "paused"


def test_what_is_left_out_stays_as_it_is(service: Service) -> None:
    service.http.patch(URL, json={"paused": True, "buffer": 8})

    service.http.patch(URL, json={"buffer": 9})
    found = service.http.patch(URL, json={}).get_json()

    assert (found["paused"], found["buffer"]) == (True, 9)


def test_another_pool_is_left_alone(service: Service) -> None:
    service.http.patch(URL, json={"paused": True})

    assert service.http.get(f"/v1/pools/{GPU}").get_json()["paused"] is False


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"buffer": -1}, "buffer"),
        ({"buffer": 10_001}, "buffer"),
        ({"buffer": "8"}, "buffer"),
        ({"paused": None}, "paused"),
        ({"paused": "yes"}, "paused"),
        ({"max": 3}, "max"),
        ([], ""),
    ],
)
def test_a_change_that_is_not_right_is_400(service: Service, body: Any, where: str) -> None:
    answer = service.http.patch(URL, json=body)

    assert (answer.status_code, problem_of(answer), places_of(answer)) == (400, "invalid-body", {where})


# ETag and If-Match


def test_the_tag_changes_with_a_change_and_only_then(service: Service) -> None:
    before = service.http.get(URL).headers["ETag"]
    same = service.http.patch(URL, json={"paused": False}).headers["ETag"]
    after = service.http.patch(URL, json={"paused": True}).headers["ETag"]

    assert before == same != after
    assert service.http.get(URL).headers["ETag"] == after


@pytest.mark.parametrize("tag", ['"0"', 'W/"0"', '"7", "0"', '"7", W/"0"', "*"])
def test_a_tag_that_fits_lets_the_change_through(service: Service, tag: str) -> None:
    answer = service.http.patch(URL, json={"buffer": 8}, headers={"If-Match": tag})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "tag", ['"1"', 'W/"1"', '"7", "8"', '"zero"', '"00"', '""', "", '"' + "9" * 50 + '"']
)
def test_a_tag_that_does_not_fit_is_412_and_changes_nothing(service: Service, tag: str) -> None:
    answer = service.http.patch(URL, json={"buffer": 8}, headers={"If-Match": tag})

    assert (answer.status_code, problem_of(answer)) == (412, "version-changed")
    assert service.http.get(URL).get_json()["buffer"] == 5


def test_of_two_who_read_the_same_one_is_refused(service: Service) -> None:
    read = {"If-Match": service.http.get(URL).headers["ETag"]}

    answers = [service.http.patch(URL, json={"buffer": size}, headers=read) for size in (8, 9)]

    assert [answer.status_code for answer in answers] == [200, 412]
    assert service.http.get(URL).get_json()["buffer"] == 8


def test_the_answer_tells_the_change_and_its_tag_whoever_writes_behind_it(service: Service) -> None:
    mine = service.controls.change

    def and_somebody_else(pool: PoolName, change: Change, **how: Any) -> Controls:
        after = mine(pool, change, **how)
        mine(pool, Change(buffer=9, paused=True), **how)
        return after

    service.controls.change = and_somebody_else  # type: ignore[method-assign]

    answer = service.http.patch(URL, json={"buffer": 8})

    told = answer.get_json()
    assert (told["buffer"], told["paused"], told["limitedBy"]) == (8, False, None)
    assert "paused" not in {notice["code"] for notice in told["warnings"]}
    assert answer.headers["ETag"] == '"1"'
    later = service.http.patch(URL, json={"buffer": 7}, headers={"If-Match": answer.headers["ETag"]})
    assert later.status_code == 412


def test_a_database_that_goes_away_behind_a_change_does_not_hide_it(service: Service) -> None:
    mine = service.controls.change

    def fail(*_: Any, **__: Any) -> Any:
        raise RegistryUnavailable

    def and_go_away(pool: PoolName, change: Change, **how: Any) -> Controls:
        after = mine(pool, change, **how)
        service.census.survey = service.controls.controls = fail  # type: ignore[method-assign]
        return after

    service.controls.change = and_go_away  # type: ignore[method-assign]

    answer = service.http.patch(URL, json={"paused": True})

    assert (answer.status_code, answer.get_json()["paused"]) == (200, True)


def test_a_database_that_is_away_changes_nothing(service: Service) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RegistryUnavailable

    readable, service.census.survey = service.census.survey, fail  # type: ignore[method-assign]

    answer = service.http.patch(URL, json={"paused": True})
    service.census.survey = readable  # type: ignore[method-assign]

    assert (answer.status_code, problem_of(answer)) == (503, "registry-unavailable")
    assert service.http.get(URL).get_json()["paused"] is False
