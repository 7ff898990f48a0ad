"""The original's thirteen defects, by the numbers of their list: each test would have caught one."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from app.domain.model import DEFAULT_POOL, InstanceId, ProjectId
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.e2e.aws import SET_DESIRED, Aws
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

TOKEN = "a-token-of-sixteen-characters-or-more"
AWS_LATENCY = 3.0


@pytest.mark.parametrize("path", ["status", "favicon.ico"])
def test_status_and_favicon_allocate_nothing(path: str, service: Service) -> None:
    """1: `GET /<projectId>` was registered before `/status`: both allocated a machine."""
    before = service.holders()
    service.get(path)
    assert service.holders() == before


def test_the_same_project_asking_twice_gets_the_same_machine(service: Service) -> None:
    """2: it got a second one."""
    assert service.allocate("twice") == service.allocate("twice")


def test_an_empty_pool_answers_503_and_scales(cloud: Aws, service: Service) -> None:
    """3: it answered 400 and did not scale: it stayed empty."""
    cloud.control("PATCH", "group", suspended=["Launch"])  # nothing comes before all have asked
    try:
        answers = {project: service.get(project) for project in (f"empties-{number}" for number in range(50))}
    finally:
        cloud.control("PATCH", "group", suspended=[])
    refused = {project: answer for project, answer in answers.items() if answer.status_code != 200}
    assert refused
    for project, answer in refused.items():
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        until(lambda: service.get(project).status_code == 200, within=DEADLINE, what="its instance")  # noqa: B023


def test_status_gives_the_ids_that_destroy_takes(service: Service) -> None:
    """4: `/status` never gave the id that `/destroy` needs."""
    machine = service.allocate("to-be-ended")["machineId"]
    assert service.machines("allocated")[machine]["assignedProject"] == "to-be-ended"
    ended = service.destroy(machine)
    assert ended.json() == {"machineId": machine, "projectId": "to-be-ended", "state": "terminating"}


def test_an_address_that_is_used_again_inherits_nothing(tmp_path: Path) -> None:
    """4: identity was the public IP: a reused one inherited "used"."""
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    old, new = (_idle_at(registry, "54.123.45.67") for _ in range(2))
    held = registry.claim(DEFAULT_POOL, ProjectId("first"), actor="test", now=NOW)
    assert held.allocation.instance == old
    registry.destroy(old, actor="test", now=NOW)
    next_one = registry.claim(DEFAULT_POOL, ProjectId("second"), actor="test", now=NOW)
    assert (next_one.allocation.instance, next_one.allocation.address) == (new, "54.123.45.67")
    registry.close()


def _idle_at(registry: SqlRegistry, address: str) -> InstanceId:
    look = a_look()
    registry.discover(DEFAULT_POOL, look, now=NOW)
    registry.mark_idle(look.id, address, 8080, now=NOW + timedelta(seconds=1))
    return look.id


@pytest.fixture
def stranger(cloud: Aws) -> Iterator[str]:
    """An instance of another group of the same account."""
    session = boto3.session.Session("simulated", "simulated", region_name=cloud.config.region)
    groups: AutoScalingClient = session.client("autoscaling", endpoint_url=cloud.url)
    ours = groups.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    template = ours["LaunchTemplate"]
    groups.create_auto_scaling_group(
        AutoScalingGroupName="another-group",
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"]},
        VPCZoneIdentifier=ours["VPCZoneIdentifier"],
    )

    def in_service() -> str | None:
        found = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["another-group"])
        members = found["AutoScalingGroups"][0]["Instances"]
        return next((one["InstanceId"] for one in members if one["LifecycleState"] == "InService"), None)

    yield until(in_service, within=DEADLINE, what="the other group's instance") or ""
    groups.delete_auto_scaling_group(AutoScalingGroupName="another-group", ForceDelete=True)
    groups.close()


def test_instances_of_other_groups_are_neither_shown_nor_ended(
    cloud: Aws, service: Service, stranger: str
) -> None:
    """5, 11: it listed the whole account's instances, and ended any of them."""
    looks = len(service.passes)
    until(lambda: len(service.passes) >= looks + 2, within=DEADLINE, what="two more passes")
    assert stranger not in service.machines()
    assert service.destroy(stranger).status_code == 404
    assert cloud.members()[stranger]["lifecycle"] == "InService"


def test_an_instance_whose_worker_does_not_answer_is_not_handed_out(cloud: Aws, service: Service) -> None:
    """6: running with a public IP counted as ready, whether or not anything answered on :8080."""
    cloud.control("POST", "workers", mode="down")
    known = cloud.members("InService")
    service.allocate("takes-one")
    dark = until(lambda: set(cloud.members("InService")) - set(known), within=DEADLINE, what="the top-up")
    looks = len(service.passes)
    until(lambda: len(service.passes) >= looks + 3, within=DEADLINE, what="three more passes")
    given = [service.allocate(f"takes-the-rest-{number}")["machineId"] for number in range(4)]
    assert not dark & set(given)
    assert service.get("takes-the-dark-one").status_code == 503
    until(
        lambda: len(cloud.members("InService")) == len(known) + 6, within=DEADLINE, what="the other top-ups"
    )
    dark = set(cloud.members("InService")) - set(known)
    cloud.control("POST", "workers", mode="up")
    for machine in dark:
        cloud.control("POST", f"instances/{machine}/worker", mode="up")
    assert until(lambda: service.get("takes-the-dark-one").status_code == 200, within=DEADLINE)


def test_desired_capacity_is_never_lowered_while_launches_are_pending(cloud: Aws, service: Service) -> None:
    """7: it came from the running ones alone: with launches pending it could be lowered."""
    cloud.control("PATCH", "group", boot_seconds=5.0)
    for number in range(3):
        size = cloud.sizes()[-1]
        service.allocate(f"in-a-row-{number}")
        until(lambda: cloud.sizes()[-1] > size, within=DEADLINE, what="the top-up")  # noqa: B023
    assert any(member["lifecycle"] == "Pending" for member in cloud.members().values())
    service.settled(idle=5)
    assert cloud.lowered() == []


def test_every_instance_is_protected_from_scale_in(cloud: Aws, service: Service) -> None:
    """7: nothing was protected, so the group could choose a machine in use."""
    assert service.machines()
    assert all(member["protected"] for member in cloud.members().values())


def test_the_buffer_is_refilled_after_an_idle_instance_is_destroyed(service: Service) -> None:
    """8: no refill after a destroy."""
    idle = next(iter(service.machines("idle")))
    service.destroy(idle)
    service.settled(idle=5)
    assert idle not in service.machines()


def test_the_buffer_is_refilled_after_an_idle_instance_died_behind_our_back(
    cloud: Aws, service: Service
) -> None:
    """8: no refill after a crash."""
    victim = next(iter(service.machines("idle")))
    cloud.control("POST", f"instances/{victim}/terminate")
    until(lambda: victim not in service.machines("idle"), within=DEADLINE, what="its end to be noticed")
    service.settled(idle=5)


def test_an_instance_in_use_that_died_behind_our_back_is_replaced(cloud: Aws, service: Service) -> None:
    """8: no refill after a crash. The group's own replacement stays idle: desired is never lowered."""
    victim = service.allocate("unlucky")["machineId"]
    service.settled(idle=5)
    cloud.control("POST", f"instances/{victim}/terminate")
    service.settled(idle=6)
    assert service.allocate("unlucky")["machineId"] != victim


def test_a_failing_scaling_call_fails_no_claim(cloud: Aws, service: Service) -> None:
    """9: when the scaling call failed, the answer was 500 and the machine stayed marked as used: leaked."""
    before = service.status()["usedMachines"]
    cloud.fault(kind="error", action=SET_DESIRED, code="ServiceUnavailable", status=503)
    machine = service.allocate("while-aws-fails")["machineId"]
    until(
        lambda: service.status()["limitedBy"] == "aws-errors", within=DEADLINE, what="the failure in /status"
    )
    assert service.holders()["while-aws-fails"] == machine
    cloud.lift_faults()
    service.settled(idle=5, used=before + 1)
    assert service.destroy(machine).status_code == 200
    service.settled(idle=5, used=before)


def test_a_restart_forgets_nothing(service: Service) -> None:
    """10: it forgot everything and handed used machines out again."""
    held = service.allocate("before-the-restart")
    holders = service.holders()
    assert service.terminate() == 0
    service.start()
    assert service.holders() == holders
    assert service.allocate("after-the-restart")["machineId"] not in holders.values()
    assert service.allocate("before-the-restart") == held


def test_destroy_needs_the_token_where_there_is_one(tmp_path: Path) -> None:
    """11: it was open to anyone. Without any token, a bind that others can reach refuses to start."""
    settings = {"ORCHESTRATOR_ADMIN_TOKEN": TOKEN, "ORCHESTRATOR_POLLER": "off"}
    with Service(tmp_path / "registry.db", settings) as service:
        service.start()
        assert service.destroy("i-0123456789abcdef0").status_code == 401
        service.http.headers["Authorization"] = f"Bearer {TOKEN}"
        assert service.destroy("i-0123456789abcdef0").status_code == 404


def test_a_claim_does_not_wait_for_aws(cloud: Aws, service: Service) -> None:
    """12: each claim waited for AWS: it would take as long as one call at least."""
    cloud.fault(kind="delay", seconds=AWS_LATENCY)
    for number in range(3):
        answer = service.get(f"in-a-hurry-{number}")
        assert answer.status_code == 200
        assert answer.elapsed < timedelta(seconds=AWS_LATENCY)


def test_there_is_a_health_check(service: Service) -> None:
    """13: there was none."""
    assert service.http.get("/healthz").status_code == 200
    until(lambda: service.http.get("/readyz").status_code == 200, what="a pass not long ago")
