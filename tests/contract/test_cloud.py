"""The Cloud contract, on the fake and on boto3 against the simulated cloud."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import pytest

from app.aws import AwsCloud, Connection
from app.aws.gateway import SWEEP_EVERY
from app.domain.errors import Denied, OutcomeUnknown, Throttled
from app.domain.model import InstanceId, Limit
from app.ports import Cloud
from app.simulator.clock import utc_now
from app.simulator.cloud import SimulatedCloud
from app.simulator.faults import Fault
from tests.builders import an_instance_id
from tests.contract.cloud_contract import CloudContract, Create, World
from tests.fakes import FakeClock, FakeCloud
from tests.simulated import GROUP, NEVER, Operator, a_simulated_cloud, connected
from tests.waiting import until


class FakeWorld:
    """FakeCloud, and its own ways to make things happen."""

    template = "lt-fake:1"

    def __init__(self, cloud: FakeCloud, clock: FakeClock) -> None:
        self.cloud = cloud
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def restarted(self) -> Cloud:
        return self.cloud

    def kill(self, instance: InstanceId) -> None:
        self.cloud.kill(instance)

    def detach(self, instance: InstanceId) -> None:
        self.cloud.detach(instance)

    def stranger(self) -> InstanceId:
        return an_instance_id()

    def lives(self, instance: InstanceId) -> bool:
        return instance not in self.cloud.members  # a fake cloud can end nothing but its members

    def tags(self, instance: InstanceId) -> Mapping[str, str]:
        return self.cloud.tags(instance)

    def write_tags(self, instance: InstanceId, project: str, at: str) -> None:
        self.cloud.write_tags(instance, project, at)

    def stray(self) -> InstanceId:
        return self.cloud.stray()

    def run_out(self, limit: int, reason: Limit) -> None:
        self.cloud.run_out(limit, reason)

    def set_desired(self, desired: int) -> None:
        self.cloud.set_desired(desired)

    def hide_figures(self) -> None:
        self.cloud.figures_readable = False

    def suspend_launches(self) -> None:
        self.cloud.launches = False

    def deny(self, method: str) -> None:
        self.cloud.fail(method, Denied("not authorized"), times=10)

    def throttle(self, method: str) -> None:
        self.cloud.fail(method, Throttled("Rate exceeded"), times=10)

    def throttle_details(self) -> None:
        self.cloud.throttle_details()

    def lose_request(self, method: str) -> None:
        self.cloud.fail(method, OutcomeUnknown("no answer"))

    def lose_answer(self, method: str) -> None:
        self.cloud.fail(method, OutcomeUnknown("no answer"), after_effect=True)


class TestFakeCloud(CloudContract):
    """The fake, held to the same promises as the real one."""

    @pytest.fixture
    def create(self) -> Create:
        def build(
            *,
            desired: int = 0,
            min_size: int = 0,
            max_size: int = 10,
            boots: bool = True,
            ends: bool = True,
            protects: bool = True,
            missing: bool = False,
        ) -> World:
            clock = FakeClock()
            cloud = FakeCloud(
                desired=desired,
                min_size=min_size,
                max_size=max_size,
                boot_looks=1 if boots else None,
                end_looks=1 if ends else 1000,
                protect_new=protects,
                clock=clock,
            )
            cloud.group_exists = not missing
            return FakeWorld(cloud, clock)

        return build

    def test_a_look_that_lags_does_not_lower_desired_capacity(self) -> None:
        cloud = FakeCloud(desired=1)
        cloud.observe(())
        cloud.set_desired(3)
        cloud.lag()
        assert (cloud.observe(()).group.desired, cloud.raise_desired(2), cloud.desired) == (1, False, 3)

    def test_a_look_without_ec2_keeps_what_was_known_of_settled_members(self) -> None:
        cloud = FakeCloud(desired=1)
        settled = [cloud.observe(()) for _ in range(2)][-1]
        cloud.throttle_details(looks=2)
        assert [cloud.observe(()).instances for _ in range(2)] == [settled.instances] * 2

    def test_each_look_at_another_group_can_tell_another_arn(self) -> None:
        cloud = FakeCloud()
        before = cloud.observe(()).group.arn
        cloud.arn = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:other"
        assert cloud.observe(()).group.arn != before


class SimulatedWorld:
    """AwsCloud over HTTP, and the simulated cloud behind it."""

    def __init__(self, connection: Connection, group: str, simulated: SimulatedCloud) -> None:
        self._connection = connection
        self._group = group
        self._simulated = simulated
        self._operator = Operator(simulated)
        self._clock = FakeClock()
        self.cloud = self.restarted()

    @property
    def template(self) -> str:
        return f"{self._operator.template()}:1"

    def now(self) -> datetime:
        return utc_now()

    def restarted(self) -> AwsCloud:
        return AwsCloud(
            self._connection, group=self._group, address="private", clock=self._clock, confirm=lambda: None
        )

    def kill(self, instance: InstanceId) -> None:
        self._simulated.terminate(instance)

    def detach(self, instance: InstanceId) -> None:
        self._operator.groups.detach_instances(
            AutoScalingGroupName=GROUP, InstanceIds=[instance], ShouldDecrementDesiredCapacity=True
        )

    def stranger(self) -> InstanceId:
        self._operator.create_another_group("other-asg")
        return until(lambda: self._running_in("other-asg"), what="a running member of the other group")[0]

    def _running_in(self, group: str) -> list[InstanceId]:
        return [
            instance
            for instance in self._instances()
            if self.lives(instance) and self.tags(instance)["aws:autoscaling:groupName"] == group
        ]

    def _instances(self) -> dict[InstanceId, Any]:
        return {InstanceId(one["id"]): one for one in self._simulated.state()["instances"]}

    def lives(self, instance: InstanceId) -> bool:
        return bool(self._instances()[instance]["state"] == "running")

    def tags(self, instance: InstanceId) -> Mapping[str, str]:
        return cast("Mapping[str, str]", self._instances()[instance]["tags"])

    def write_tags(self, instance: InstanceId, project: str, at: str) -> None:
        self._operator.tag(instance, project=project, allocated_at=at)

    def stray(self) -> InstanceId:
        lost = self._running_in(GROUP)[0]
        self._simulated.lose(lost)
        self._clock.advance(SWEEP_EVERY)  # no look finds a stray before the next sweep
        return lost

    def run_out(self, limit: int, reason: Limit) -> None:
        self._simulated.limit_capacity(limit, reason.value)

    def set_desired(self, desired: int) -> None:
        self._simulated.change_group({"desired": desired})

    def hide_figures(self) -> None:
        self.deny("observe")

    def suspend_launches(self) -> None:
        self._simulated.change_group({"suspended": ["AZRebalance", "Launch"]})

    def deny(self, method: str) -> None:
        self._strike(method, Fault("error", code="AccessDenied", status=403, message="not authorized"))

    def throttle(self, method: str) -> None:
        self._strike(method, Fault("error", code="Throttling", status=400, message="Rate exceeded"))

    def throttle_details(self) -> None:
        attempts = 3
        self._simulated.faults.add(
            Fault("error", "DescribeInstances", code="RequestLimitExceeded", status=503, times=attempts)
        )

    def lose_request(self, method: str) -> None:
        self._strike(method, Fault("drop", times=1))

    def lose_answer(self, method: str) -> None:
        self._strike(method, Fault("drop-after", times=1))

    def _strike(self, method: str, fault: Fault) -> None:
        fault.action = {
            "observe": "DescribeAutoScalingGroups",
            "raise_desired": "SetDesiredCapacity",
            "terminate": "TerminateInstanceInAutoScalingGroup",
            "protect": "SetInstanceProtection",
            "launch_failures": "DescribeScalingActivities",
            "tag_allocation": "CreateTags",
        }[method]
        self._simulated.faults.add(fault)


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedCloud]:
    with a_simulated_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def connection(simulated: SimulatedCloud) -> Connection:
    return connected(simulated)


class TestAwsCloud(CloudContract):
    """boto3 against the simulated cloud, over HTTP."""

    @pytest.fixture
    def create(self, simulated: SimulatedCloud, connection: Connection) -> Create:
        def build(
            *,
            desired: int = 0,
            min_size: int = 0,
            max_size: int = 10,
            boots: bool = True,
            ends: bool = True,
            protects: bool = True,
            missing: bool = False,
        ) -> World:
            simulated.reset()
            simulated.change_group({"protect": protects})
            if not boots:
                simulated.change_group({"boot_seconds": NEVER})
            if not ends:
                simulated.change_group({"terminate_seconds": NEVER})
            simulated.change_group({"desired": desired, "min": min_size, "max": max_size})
            until(lambda: simulated.state()["group"]["members"] >= desired, what="the group launched")
            return SimulatedWorld(connection, "no-such-asg" if missing else GROUP, simulated)

        return build
