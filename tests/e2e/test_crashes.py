"""kill -9 at any moment: what was answered is kept, and what was decided is done after the restart."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import httpx
import pytest

from tests.e2e.aws import DECREMENT, TERMINATE, Aws
from tests.e2e.conftest import MakeCloud, MakeService
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

CALLERS = 4
KILL_AFTER = (0, 1, 7, 13, 4)
"""Kill when so many claims of the round have been answered: one round each."""


@dataclass
class Callers:
    """Threads that claim for new projects, one after the other, until the service is gone."""

    service: Service
    given: dict[str, str] = field(default_factory=dict)
    """The instance that each answered project was told, over all rounds."""
    answered: int = 0
    over: Event = field(default_factory=Event)

    def round(self, number: int, *, kill_after: int) -> None:
        """Claim, and kill the service in the middle of it."""
        self.answered = 0
        self.over.clear()
        with ThreadPoolExecutor(CALLERS) as threads:
            calls = [threads.submit(self._claim, f"round{number}-caller{one}") for one in range(CALLERS)]
            try:
                until(lambda: self.answered >= kill_after, within=DEADLINE, what=f"{kill_after} answers")
                self.service.kill9()
            finally:
                self.over.set()
        for call in calls:
            call.result()

    def _claim(self, name: str) -> None:
        for turn in range(1_000):
            if self.over.is_set():
                return
            project = f"{name}-{turn}"
            try:
                answer = self.service.get(project)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                self.given[project] = answer.json()["machineId"]
            self.answered += 1


def test_no_answered_claim_is_lost_however_often_the_service_is_killed(
    a_cloud: MakeCloud, a_service: MakeService
) -> None:
    cloud = a_cloud(worker="none", max_size=150, desired=20, boot_seconds=0.1)
    service = a_service(cloud, ORCHESTRATOR_BUFFER="20", ORCHESTRATOR_POLL_INTERVAL="1")
    callers = Callers(service)
    for number, kill_after in enumerate(KILL_AFTER):
        service.settled(idle=20)
        callers.round(number, kill_after=kill_after)
        service.start()
        holders = service.holders()
        assert callers.given.items() <= holders.items()
        assert len(set(holders.values())) == len(holders)
    assert len(callers.given) >= sum(KILL_AFTER)
    service.settled(idle=20, used=len(service.holders()))
    for project, machine in callers.given.items():
        assert service.allocate(project)["machineId"] == machine
    assert cloud.lowered() == []


def endings(cloud: Aws, machine: str) -> list[dict[str, str]]:
    """The terminate calls for one instance that AWS carried out."""
    return [call["params"] for call in cloud.record(TERMINATE) if call["params"]["InstanceId"] == machine]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            {"kind": "error", "code": "ServiceUnavailable", "status": 503}, id="aws-refuses-the-call"
        ),
        pytest.param({"kind": "delay", "seconds": 1.0}, id="the-call-is-under-way"),
    ],
)
def test_a_destroy_that_was_answered_is_done_once_after_a_kill(
    fault: dict[str, object], a_cloud: MakeCloud, a_service: MakeService
) -> None:
    cloud = a_cloud(worker="none")
    service = a_service(cloud, ORCHESTRATOR_POLL_INTERVAL="1")
    service.settled(idle=5)
    machine = service.allocate("short-lived")["machineId"]
    service.settled(idle=5, used=1)
    cloud.fault(action=TERMINATE, **fault)
    assert service.destroy(machine).status_code == 200
    until(lambda: TERMINATE in cloud.calls.as_json()["counts"], what="a call to AWS")
    service.kill9()
    cloud.lift_faults()
    service.start()
    until(lambda: machine not in cloud.members(), within=DEADLINE, what="the instance to leave the group")
    service.settled(idle=5, used=0)
    assert [call[DECREMENT] for call in endings(cloud, machine)] == ["true"]
    assert cloud.group()["desired"] == 5


def test_a_destroy_that_was_answered_just_before_a_kill_is_done_after_it(
    a_cloud: MakeCloud, a_service: MakeService
) -> None:
    cloud = a_cloud(worker="none", desired=5)
    service = a_service(cloud, ORCHESTRATOR_POLL_INTERVAL="3600")
    machine = min(service.settled(idle=5)["machines"], key=lambda one: one["machineId"])["machineId"]
    cloud.fault(kind="delay", seconds=2.0)  # whatever the woken pass does first, it does not get to the call
    assert service.destroy(machine).status_code == 200
    service.kill9()
    cloud.lift_faults()
    assert endings(cloud, machine) == []
    service.start()
    until(lambda: machine not in cloud.members(), within=DEADLINE, what="the instance to leave the group")
    assert [call[DECREMENT] for call in endings(cloud, machine)] == ["true"]
