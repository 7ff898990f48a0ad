"""The Cloud contract, on the fake and on boto3 against the simulated cloud."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest
from boto3.session import Session

from app.aws import AwsCloud, Connection, StaticKeys
from app.domain.errors import OutcomeUnknown, Throttled
from app.domain.model import InstanceId
from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from app.simulator.faults import Fault
from tests.builders import an_instance_id
from tests.contract.cloud_contract import CloudContract, Create, World
from tests.fakes import FakeClock, FakeCloud
from tests.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

GROUP = "vscode-asg"
NEVER = 3600.0
KEYS = StaticKeys("AKIDEXAMPLE", "not-a-secret")


class FakeWorld:
    """FakeCloud, and its own ways to make things happen."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud

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

    def throttle(self, method: str) -> None:
        self.cloud.fail(method, Throttled("Rate exceeded"), times=10)

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
            missing: bool = False,
        ) -> World:
            cloud = FakeCloud(
                desired=desired, min_size=min_size, max_size=max_size, boot_looks=1 if boots else None
            )
            cloud.group_exists = not missing
            return FakeWorld(cloud)

        return build


class SimulatedWorld:
    """AwsCloud over HTTP, and the simulated cloud behind it."""

    def __init__(self, cloud: AwsCloud, simulated: SimulatedCloud, admin: "AutoScalingClient") -> None:
        self.cloud = cloud
        self._simulated = simulated
        self._admin = admin

    def kill(self, instance: InstanceId) -> None:
        self._simulated.terminate(instance)

    def detach(self, instance: InstanceId) -> None:
        self._admin.detach_instances(
            AutoScalingGroupName=GROUP, InstanceIds=[instance], ShouldDecrementDesiredCapacity=True
        )

    def stranger(self) -> InstanceId:
        self._admin.create_auto_scaling_group(
            AutoScalingGroupName="other-asg",
            LaunchTemplate={"LaunchTemplateName": f"{GROUP}-template"},
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=["us-east-1a"],
        )
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

    def throttle(self, method: str) -> None:
        self._strike(method, Fault("error", code="Throttling", status=400, message="Rate exceeded"))

    def lose_request(self, method: str) -> None:
        self._strike(method, Fault("drop", times=1))

    def lose_answer(self, method: str) -> None:
        self._strike(method, Fault("drop-after", times=1))

    def _strike(self, method: str, fault: Fault) -> None:
        fault.action = {
            "observe": "DescribeAutoScalingGroups",
            "raise_desired": "SetDesiredCapacity",
            "terminate": "TerminateInstanceInAutoScalingGroup",
            "tag_allocation": "CreateTags",
        }[method]
        self._simulated.faults.add(fault)


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedCloud]:
    config = CloudConfig(
        bind="127.0.0.1:0",
        group=GROUP,
        worker="none",
        network="127.81.0.0/16",
        boot_seconds=0.02,
        terminate_seconds=0.05,
        replace_seconds=0.02,
    )
    with SimulatedCloud(config) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def connection(simulated: SimulatedCloud) -> Connection:
    return Connection(region=simulated.config.region, keys=KEYS, endpoint_url=simulated.url)


@pytest.fixture(scope="module")
def admin(simulated: SimulatedCloud) -> "AutoScalingClient":
    session = Session(KEYS.access_key_id, KEYS.secret_access_key, region_name=simulated.config.region)
    return session.client("autoscaling", endpoint_url=simulated.url)


class TestAwsCloud(CloudContract):
    """boto3 against the simulated cloud, over HTTP."""

    @pytest.fixture
    def create(self, simulated: SimulatedCloud, connection: Connection, admin: "AutoScalingClient") -> Create:
        def build(
            *,
            desired: int = 0,
            min_size: int = 0,
            max_size: int = 10,
            boots: bool = True,
            missing: bool = False,
        ) -> World:
            simulated.reset()
            if not boots:
                simulated.change_group({"boot_seconds": NEVER})
            simulated.change_group({"desired": desired, "min": min_size, "max": max_size})
            group = "no-such-asg" if missing else GROUP
            cloud = AwsCloud(connection, group=group, address="private", clock=FakeClock())
            return SimulatedWorld(cloud, simulated, admin)

        return build
