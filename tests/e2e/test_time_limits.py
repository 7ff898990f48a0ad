"""Allocations that end by themselves, in a real process: in time, announced, and never under a renewal."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

V1 = "/v1/allocations"
RACERS = 12
LOOKS = 3.0
"""Seconds after which the leader has looked once more: it does so each second."""
LATE = 15.0
"""Seconds after its time within which an allocation has ended on a busy machine, too: passes come once an
hour."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Aws]:
    with Aws(worker="none") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def service(cloud: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose passes come once an hour where nobody asks for one: limits need none."""
    settings = {
        **cloud.settings,
        "ORCHESTRATOR_POLL_INTERVAL": "3600",
        "ORCHESTRATOR_BUFFER": "3",
        "ORCHESTRATOR_MAX_TTL": "7200",
    }
    with Service(tmp_path_factory.mktemp("limits") / "registry.db", settings) as service:
        service.start()
        yield service


def take(service: Service, project: str, **wishes: object) -> dict[str, Any]:
    answer = service.http.put(f"{V1}/{project}", json={"wait": 25, **wishes})
    assert answer.status_code == 201, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


def is_there(service: Service, project: str) -> bool:
    return service.http.get(f"{V1}/{project}").status_code == 200


def told(service: Service, project: str) -> list[dict[str, Any]]:
    """The project's events, oldest first."""
    answer = service.http.get("/v1/events", params={"project": project})
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["items"]
    return sorted(events, key=lambda event: int(event["id"]))


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the service has no other clock


def until_gone(service: Service, project: str) -> None:
    until(lambda: not is_there(service, project), within=DEADLINE, what=f"the end of {project}")


def test_an_allocation_ends_soon_after_its_time_and_is_announced_once_before(service: Service) -> None:
    taken = take(service, "short", ttl=4)

    until_gone(service, "short")

    ends, time_to_act = time_of(taken["expiresAt"]), timedelta(seconds=1)
    lines = [line for line in told(service, "short") if line["kind"].startswith("allocation.")]
    assert [line["kind"] for line in lines][-3:] == [
        "allocation.created",
        "allocation.expiring",
        "allocation.ended",
    ]
    announced, ended = lines[-2:]
    assert ends - timedelta(seconds=2) <= time_of(announced["at"])
    assert time_of(announced["at"]) + time_to_act <= time_of(ended["at"])
    assert ends <= time_of(ended["at"]) < ends + timedelta(seconds=LATE)
    assert ended["reason"] == "expired"


def test_what_ended_by_itself_is_terminated_without_waiting_for_a_pass_of_its_own(
    service: Service, cloud: Aws
) -> None:
    instance = take(service, "terminated", ttl=1)["instance"]

    until(lambda: instance not in cloud.members(), within=DEADLINE, what="the end of the instance")


def test_of_a_renewal_and_an_expiry_in_the_same_moment_one_wins(service: Service) -> None:
    """Some renew a little before the end, some a little after it, most of them about when it comes."""
    statuses, rounds = set[int](), itertools.count()

    def both_have_won() -> bool:
        statuses.update(renewals_race_with_the_end(service, next(rounds)))
        return statuses == {200, 404}

    # Where the machine is busy, all may come in time, or none: then once more.
    until(both_have_won, within=2 * DEADLINE, what="renewals that come in time, and others that do not")


def renewals_race_with_the_end(service: Service, nth: int) -> set[int]:
    """Let them race, check what each was told, and return what they were."""
    projects = [f"racer-{nth}-{number}" for number in range(RACERS)]
    for project in projects:
        take(service, project, ttl=3600)
    start = Barrier(RACERS)

    def race(number: int) -> tuple[dict[str, Any], int]:
        project = projects[number]
        with httpx.Client(base_url=service.url, timeout=DEADLINE, trust_env=False) as http:
            start.wait(timeout=DEADLINE)
            made = http.post(f"{V1}/{project}/renew", json={"ttl": 2}).json()
            at = time_of(made["expiresAt"]) + timedelta(seconds=-0.5 + 3 * number / RACERS)
            until(lambda: now() >= at, within=DEADLINE)
            answer = http.post(f"{V1}/{project}/renew", json={"ttl": 3600})
            return made, answer.status_code

    with ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(race, range(RACERS)))

    over = max(time_of(made["expiresAt"]) for made, _ in answers) + timedelta(seconds=LOOKS)
    until(lambda: now() > over, within=DEADLINE)
    for made, status in answers:
        project = made["project"]
        found = service.http.get(f"{V1}/{project}")
        ended = [line for line in told(service, project) if line["kind"] == "allocation.ended"]
        if status == 200:
            assert (found.status_code, found.json()["instance"], ended) == (200, made["instance"], [])
        else:
            assert (status, found.status_code, len(ended)) == (404, 404, 1)
    for project in projects:
        service.http.delete(f"{V1}/{project}")
    return {status for _, status in answers}


def test_what_nobody_confirms_is_released_and_what_is_confirmed_stays(service: Service) -> None:
    kept = take(service, "confirmed", confirmWithin=6)
    answer = service.http.post(f"{V1}/confirmed/confirm")
    assert (answer.status_code, answer.json()["confirmBy"]) == (200, None)
    take(service, "unconfirmed", confirmWithin=2)

    until_gone(service, "unconfirmed")

    assert told(service, "unconfirmed")[-1]["reason"] == "unconfirmed"
    end = time_of(kept["confirmBy"]) + timedelta(seconds=LOOKS)
    until(lambda: now() > end, within=DEADLINE)
    assert service.http.get(f"{V1}/confirmed").json()["instance"] == kept["instance"]
    assert service.http.post(f"{V1}/unconfirmed/confirm").status_code == 404


def test_what_is_on_hold_does_not_end_before_the_hold_does(service: Service) -> None:
    held = take(service, "inspected", ttl=5, confirmWithin=5)
    hold = f"/v1/instances/{held['instance']}/hold"
    service.http.put(hold, json={}).raise_for_status()
    over = time_of(held["expiresAt"]) + timedelta(seconds=LOOKS)

    until(lambda: now() > over, within=DEADLINE)
    assert is_there(service, "inspected")
    service.http.put(hold, json={"ttl": 1}).raise_for_status()
    until_gone(service, "inspected")

    kinds = [line["kind"] for line in told(service, "inspected")]
    assert kinds.index("instance.unheld") < kinds.index("allocation.ended")


def test_who_asks_again_after_the_end_begins_anew(service: Service) -> None:
    first = take(service, "again", ttl=1)
    until_gone(service, "again")

    assert take(service, "again", ttl=1)["instance"] != first["instance"]


def test_more_time_than_the_pool_allows_is_refused(service: Service) -> None:
    answer = service.http.put(f"{V1}/too-long", json={"ttl": 7201})

    assert (answer.status_code, answer.json()["code"]) == (400, "ttl-too-long")
