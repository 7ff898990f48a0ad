"""The life of an allocation over HTTP, in a real process: in line, for a time, held, released."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.aws import TERMINATE, Aws
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

V1 = "/v1/allocations"


@pytest.fixture
def cloud() -> Iterator[Aws]:
    with Aws(worker="none") as cloud:
        yield cloud


@pytest.fixture
def service(cloud: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    database = tmp_path_factory.mktemp("life") / "registry.db"
    settings = {**cloud.settings, "ORCHESTRATOR_POLL_INTERVAL": "1", "ORCHESTRATOR_BUFFER": "2"}
    with Service(database, settings) as service:
        service.start()
        yield service


def take(service: Service, project: str, **wishes: object) -> httpx.Response:
    return service.http.put(f"{V1}/{project}", json=wishes)


def ask_in_line(service: Service, path: str) -> httpx.Response:
    with httpx.Client(base_url=service.url, timeout=3 * DEADLINE, trust_env=False) as http:
        return http.get(path)


def test_who_comes_before_anything_is_idle_waits_and_is_served(service: Service) -> None:
    projects = ["first", "second", "third"]
    with ThreadPoolExecutor(len(projects)) as pool:
        asked = {one: pool.submit(ask_in_line, service, f"/{one}?wait=60") for one in projects}
        answers = {one: answer.result() for one, answer in asked.items()}

    assert [answer.status_code for answer in answers.values()] == [200] * 3
    assert len({answer.json()["machineId"] for answer in answers.values()}) == 3


def test_an_allocation_ends_with_its_time_unless_it_is_renewed(service: Service, cloud: Aws) -> None:
    service.settled(idle=2)
    renewed = take(service, "renewed", ttl=8).json()  # seconds: to be renewed in time on a busy machine, too
    service.http.post(f"{V1}/renewed/renew", json={"ttl": 3600}).raise_for_status()
    # It ends when the other one's time would have been over as well.
    short = take(service, "short", ttl=8).json()

    until(lambda: short["instance"] not in cloud.members(), within=DEADLINE, what="the end of the instance")

    assert service.http.get(f"{V1}/short").status_code == 404
    assert service.http.get(f"{V1}/renewed").json()["instance"] == renewed["instance"]


def test_a_released_instance_that_is_held_is_terminated_after_the_hold(service: Service, cloud: Aws) -> None:
    service.settled(idle=2)
    machine = service.allocate("inspected")["machineId"]
    hold = f"/v1/instances/{machine}/hold"
    service.http.put(hold, json={"reason": "its disk is full"}).raise_for_status()

    assert service.http.delete(f"{V1}/inspected").status_code == 202
    seen = len(service.passes)
    until(lambda: len(service.passes) > seen + 2, within=DEADLINE, what="some passes")
    assert cloud.asked(TERMINATE, InstanceId=machine) == 0

    service.http.delete(hold).raise_for_status()
    until(lambda: machine not in cloud.members(), within=DEADLINE, what="the end of the instance")


def test_who_waits_while_the_service_is_stopped_is_answered_at_once(service: Service, cloud: Aws) -> None:
    service.settled(idle=2)
    cloud.control("PATCH", "group", boot_seconds=600)
    for project in ("one", "two"):
        service.allocate(project)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask_in_line, service, "/late?wait=60")
        until(lambda: service.passes[-1]["waiting"] == 1, within=DEADLINE, what="the demand to show")
        service.http.close()  # see `terminate`
        service.program.signal(signal.SIGTERM)
        answer = waiting.result(timeout=DEADLINE)  # it would have waited for a minute

    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert service.program.exit_code() == 0
