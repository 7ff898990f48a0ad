"""What AWS, the network and disks do to a pool, and what a user sees of it: real processes, real pages."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import TERMINATE, Aws
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

PROJECTS = ("ada", "grace", "margaret")


def tags(cloud: Aws) -> dict[str, str]:
    """Who holds which member, by the tags in AWS."""
    held = {one: found["tags"].get("ec2-orchestrator:project") for one, found in cloud.members().items()}
    return {project: one for one, project in held.items() if project}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Aws, Service, Path]]:
    """A cloud and a service that no other test uses, and its database."""
    database = tmp_path / "registry.db"
    with Aws() as cloud, Service(database, {**cloud.settings, "ORCHESTRATOR_POLL_INTERVAL": "1"}) as service:
        service.start()
        service.settled(idle=5)
        yield cloud, service, database


def test_a_lost_database_is_rebuilt_from_the_tags_before_the_first_claim(
    alone: tuple[Aws, Service, Path],
) -> None:
    cloud, service, database = alone
    held = {project: service.allocate(project)["machineId"] for project in PROJECTS}
    until(lambda: tags(cloud) == held, within=DEADLINE, what="every allocation to be written on its instance")
    service.settled(idle=5, used=3)
    service.kill9()
    for file in database.parent.glob("registry.db*"):
        file.unlink()

    service.start()

    def mine(project: str) -> str:
        answer = service.get(project)
        assert answer.status_code in {200, 503}
        machine: str = answer.json().get("machineId", "")
        return machine

    for project, machine in held.items():
        got = until(lambda: mine(project), within=DEADLINE, what="an instance")  # noqa: B023
        assert got == machine
    assert cloud.record(TERMINATE) == []
    with closing(sqlite3.connect(database)) as connection:
        adopted = connection.execute(
            "SELECT project FROM events WHERE kind = 'allocation.adopted'"
        ).fetchall()
    assert {project for (project,) in adopted} == set(PROJECTS)


def test_an_editor_whose_page_is_dead_behind_a_green_health_check_is_not_offered(
    cloud: Aws, service: Service
) -> None:
    cloud.control("POST", "workers", mode="blank")
    service.allocate("takes-one-of-five")
    (dead,) = until(lambda: service.machines("booting"), within=DEADLINE, what="its successor")
    until(lambda: cloud.members()[dead]["worker"] == "blank", what="its page to be dead")
    passes = len(service.passes)
    until(lambda: len(service.passes) > passes + 3, within=DEADLINE, what="a few more passes")

    assert service.machines()[dead]["state"] == "booting"
    cloud.control("POST", f"instances/{dead}/worker", mode="up")
    assert until(lambda: service.machines("idle").get(dead), within=DEADLINE, what="it to be idle")


def test_members_that_the_group_does_not_protect_are_protected_before_they_are_idle(
    cloud: Aws, service: Service
) -> None:
    cloud.control("PATCH", "group", protect=False)
    try:
        before = set(cloud.members())
        service.allocate("needs-a-successor")
        (new,) = until(lambda: set(cloud.members()) - before, within=DEADLINE, what="its successor")
        until(lambda: new in service.machines("idle"), within=DEADLINE, what="it to be idle")

        assert cloud.members()[new]["protected"]
    finally:
        cloud.control("PATCH", "group", protect=True)


def test_an_idle_instance_that_stops_answering_is_taken_out_and_may_come_back(
    cloud: Aws, service: Service
) -> None:
    silent = next(iter(service.machines("idle")))
    cloud.control("POST", f"instances/{silent}/worker", mode="failing")
    # It is asked four times a minute, and then a few times more.
    until(lambda: silent not in service.machines("idle"), within=2 * DEADLINE, what="it to be withdrawn")

    cloud.control("POST", f"instances/{silent}/worker", mode="up")
    until(lambda: silent in service.machines("idle"), within=DEADLINE, what="it to be idle again")


def test_a_lack_of_capacity_is_told_in_aws_own_words(cloud: Aws, service: Service) -> None:
    def limited() -> dict[str, Any] | None:
        status = service.status()
        return status if status["limitedBy"] == "capacity" else None

    cloud.control("POST", "capacity", limit=len(cloud.members("InService")), kind="capacity")
    try:
        assert service.get("one-more").status_code == 200
        status = until(limited, within=DEADLINE, what="the reason") or {}
        (warning,) = [one for one in status["warnings"] if one["code"] == "launch-capacity"]

        assert "do not have sufficient" in warning["detail"]
        assert cloud.config.region in warning["detail"]
    finally:
        cloud.control("POST", "capacity", limit=None)
