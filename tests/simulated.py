"""The simulated cloud for tests of the gateway: quick, without workers; and the ways to it."""

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, Any

from boto3.session import Session

from app.aws import Account, Connection, StaticKeys
from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from tests.networks import a_network

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client

GROUP = "vscode-asg"
KEYS = StaticKeys("AKIDEXAMPLE", "not-a-secret")
NEVER = 3600.0


def a_simulated_cloud(**changes: Any) -> SimulatedCloud:
    """Make a cloud, not yet started, where everything takes a twentieth of a second at most."""
    quick: dict[str, Any] = {
        "bind": "127.0.0.1:0",
        "network": a_network(),
        "group": GROUP,
        "worker": "none",
        "boot_seconds": 0.02,
        "terminate_seconds": 0.05,
        "replace_seconds": 0.02,
    }
    return SimulatedCloud(CloudConfig(**{**quick, **changes}))


def connected(simulated: SimulatedCloud, **options: Any) -> Connection:
    """Connect to a cloud. Unless it is told a clock, so much time passes that no budget is ever used up."""
    hours = itertools.count(0.0, 3600.0)
    account = Account(
        region=options.pop("region", simulated.config.region),
        keys=options.pop("keys", KEYS),
        clock=options.pop("clock", lambda: next(hours)),
    )
    return Connection(account, **{"endpoint_url": simulated.url, **options})


class Operator:
    """Somebody else with an account at the cloud. Clients take long to make, so none is before its use."""

    def __init__(self, simulated: SimulatedCloud) -> None:
        self._simulated = simulated

    @cached_property
    def groups(self) -> "AutoScalingClient":
        return self._session.client("autoscaling", endpoint_url=self._simulated.url)

    @cached_property
    def ec2(self) -> "EC2Client":
        return self._session.client("ec2", endpoint_url=self._simulated.url)

    @cached_property
    def _session(self) -> Session:
        return Session("AKIDOPERATOR", "not-a-secret", region_name=self._simulated.config.region)

    def create_another_group(self, name: str) -> None:
        """Create a group with one member, beside ours."""
        self.groups.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": f"{GROUP}-template"},
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=["us-east-1a"],
        )

    def tag(self, instance: str, **tags: str) -> None:
        """Write tags of ours on an instance: `port` is `ec2-orchestrator:port`."""
        self.ec2.create_tags(
            Resources=[instance],
            Tags=[
                {"Key": f"ec2-orchestrator:{name.replace('_', '-')}", "Value": value}
                for name, value in tags.items()
            ],
        )

    def template(self) -> str:
        """Name the launch template of our group."""
        (group,) = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])[
            "AutoScalingGroups"
        ]
        return group["LaunchTemplate"]["LaunchTemplateId"]
