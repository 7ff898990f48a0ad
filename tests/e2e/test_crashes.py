"""kill -9 at any moment: what was answered is kept, and what was decided is done after the restart.

The story is told once, in rounds; each test looks at one side of it. In every round an instance is destroyed,
then threads claim for new projects, and in the middle of that every process of the service is killed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import httpx
import pytest

from tests.e2e.aws import DECREMENT, TERMINATE, Aws
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

BUFFER = 20
CALLERS = 4
CLAIMS = 4  # of each caller in a round: nobody asks in vain, which would count as demand
PATIENCE = 120.0
"""A kill between the note of a terminate call and the call leaves it in doubt, for half a minute."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One way to be killed."""

    after: int
    """So many claims of the round have been answered."""
    fault: dict[str, Any]
    """What befalls AWS's calls from before the destroy on."""
    reached: Callable[[Aws, Service, str], bool] = lambda _cloud, _service, _machine: True
    """How far the destroy has got before the claims begin."""


def called(cloud: Aws, service: Service, machine: str) -> bool:
    """AWS has a call to terminate it, and takes its time."""
    del service
    return cloud.asked(TERMINATE, InstanceId=machine) > 0


def refused(cloud: Aws, service: Service, machine: str) -> bool:
    """AWS has refused to terminate it, and the service knows that."""
    del cloud
    lines = (line for line in service.program.logs if line["event"] == "action.failed")
    return any(line["instance"] == machine for line in lines)


SLOW_LOOK = {"kind": "delay", "action": "DescribeAutoScalingGroups", "seconds": 2.0}
"""A pass that begins now does not get to its calls before the kill."""
SLOW_END = {"kind": "delay", "action": TERMINATE, "seconds": 3.0}
"""The kill comes while AWS is at it."""
REFUSAL = {"kind": "error", "action": TERMINATE, "code": "Throttling", "status": 400}
"""A refusal for certain: the service need not wait in doubt before it asks again."""

ROUNDS = (
    Round(after=0, fault=SLOW_LOOK),
    Round(after=1, fault=REFUSAL, reached=refused),
    Round(after=9, fault=SLOW_END, reached=called),
)


@dataclass
class Story:
    """What was answered, and what the service knew after each restart."""

    cloud: Aws
    service: Service
    given: dict[str, str] = field(default_factory=dict)
    """The instance that each project was told."""
    destroyed: dict[str, str] = field(default_factory=dict)
    """The instance of each project whose destroy was answered."""
    before: list[dict[str, str]] = field(default_factory=list)
    """`given`, at each kill."""
    after: list[dict[str, str]] = field(default_factory=list)
    """Who held what, after each restart."""
    answered: int = 0
    enough: Event = field(default_factory=Event)

    def play(self, number: int, how: Round) -> None:
        """Live through one round, to the restart."""
        until(lambda: self.service.status()["idleMachines"] == BUFFER, within=PATIENCE, what="a full buffer")
        self._destroy_one(f"round{number}-destroyed", how)
        self._claim_and_kill(f"round{number}-caller", how)
        self.before.append(dict(self.given))
        self.cloud.lift_faults()
        self.service.start()
        self.after.append(self.service.holders())

    def _destroy_one(self, project: str, how: Round) -> None:
        machine = self.service.allocate(project)["machineId"]
        self.cloud.fault(**how.fault)
        assert self.service.destroy(machine).status_code == 200
        self.destroyed[project] = machine
        until(lambda: how.reached(self.cloud, self.service, machine), what="the destroy to get on")
        self.cloud.fault(**SLOW_LOOK)

    def _claim_and_kill(self, name: str, how: Round) -> None:
        self.answered = 0
        self.enough.clear()
        with ThreadPoolExecutor(CALLERS) as threads:
            calls = [threads.submit(self._claim, f"{name}{one}", how.after) for one in range(CALLERS)]
            self.enough.wait(timeout=DEADLINE if how.after else 0)
            self.service.kill9()
        for call in calls:
            call.result()

    def _claim(self, name: str, enough: int) -> None:
        for turn in range(CLAIMS):
            project = f"{name}-{turn}"
            try:
                self.given[project] = self.service.allocate(project)["machineId"]
            except httpx.TransportError:
                return
            self.answered += 1
            if self.answered >= enough:
                self.enough.set()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Aws(worker="none", max_size=200, desired=BUFFER, boot_seconds=0.1) as cloud:
        settings = {**cloud.settings, "ORCHESTRATOR_BUFFER": str(BUFFER)}
        with Service(tmp_path_factory.mktemp("crashes") / "registry.db", settings) as service:
            service.start()
            story = Story(cloud, service)
            for number, how in enumerate(ROUNDS):
                story.play(number, how)
            service.settled(idle=BUFFER, within=PATIENCE)
            yield story


def test_no_answered_claim_is_lost(story: Story) -> None:
    assert len(story.given) >= sum(how.after for how in ROUNDS)
    for before, after in zip(story.before, story.after, strict=True):
        assert before.items() <= after.items()


def test_the_same_project_still_gets_the_same_instance(story: Story) -> None:
    for project, machine in story.given.items():
        assert story.service.allocate(project)["machineId"] == machine


def test_no_instance_is_ever_handed_out_twice(story: Story) -> None:
    handed_out = [*story.after[-1].values(), *story.destroyed.values()]
    assert len(handed_out) == len(set(handed_out))


def test_every_destroyed_instance_is_terminated(story: Story) -> None:
    assert not set(story.destroyed.values()) & set(story.cloud.members())


def test_every_destroyed_instance_lowers_desired_capacity_exactly_once(story: Story) -> None:
    ends = [call["params"] for call in story.cloud.record(TERMINATE)]
    lowered = [end["InstanceId"] for end in ends if end[DECREMENT] == "true"]
    assert sorted(lowered) == sorted(story.destroyed.values())


def test_the_buffer_is_full_again_and_nothing_is_left_over(story: Story) -> None:
    used = len(story.service.holders())
    assert story.service.status()["idleMachines"] == BUFFER
    assert story.cloud.group()["desired"] == len(story.cloud.members()) == used + BUFFER


def test_desired_capacity_is_never_set_to_less(story: Story) -> None:
    assert story.cloud.lowered() == []
