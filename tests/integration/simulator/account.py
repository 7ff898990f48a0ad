"""A simulated cloud for tests, and what its users have: boto3 clients and the control API."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import ClientError

from app.simulator.clock import steady
from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from tests.networks import a_network
from tests.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef, InstanceTypeDef
    from mypy_boto3_ec2 import EC2Client

GROUP = "vscode-asg"
TAG_FILTER = "tag:aws:autoscaling:groupName"
PROJECT = "ec2-orchestrator:project"
WEB = httpx.Client(headers={"Connection": "close"}, timeout=30)
NOBODY = "i-00000000000000000"
LONG = 3600.0
"""Seconds that something takes which a test must not miss: it lets them pass itself."""


def a_config(**changes: Any) -> CloudConfig:
    fast: dict[str, Any] = {
        "bind": "127.0.0.1:0",
        "network": a_network(),
        "boot_seconds": 0.1,
        "terminate_seconds": 0.05,
        "replace_seconds": 0.05,
        "retry_seconds": 0.1,
    }
    return CloudConfig(**{**fast, **changes})


class Aws:
    """What a user of the cloud has: two boto3 clients, and the control API."""

    def __init__(self, cloud: SimulatedCloud, key: str = "AKIAORCHESTRATOR") -> None:
        session = boto3.session.Session(key, "secret", region_name="us-east-1")
        config = Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=60)
        self.groups: AutoScalingClient = session.client("autoscaling", endpoint_url=cloud.url, config=config)
        self.ec2: EC2Client = session.client("ec2", endpoint_url=cloud.url, config=config)
        self.control = httpx.Client(base_url=f"{cloud.url}/_cloud", timeout=60)
        self.cloud = cloud

    def close(self) -> None:
        self.groups.close()
        self.ec2.close()
        self.control.close()

    def let_it_be_over(self) -> None:
        """Let what takes LONG be done."""
        self.cloud._step(steady() + LONG)

    def set_desired(self, size: int) -> None:
        self.groups.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=size)

    def desired(self) -> int:
        groups = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        return groups["AutoScalingGroups"][0]["DesiredCapacity"]

    def members(self, *lifecycles: str) -> "dict[str, InstanceTypeDef]":
        group = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][
            0
        ]
        return {
            member["InstanceId"]: member
            for member in group["Instances"]
            if not lifecycles or member["LifecycleState"] in lifecycles
        }

    def grown(self, size: int) -> list[str]:
        """The ids of the group's members, once it has `size` in service and nothing else."""
        if self.desired() != size:
            self.set_desired(size)
        until(
            lambda: len(self.members("InService")) == size == len(self.members()),
            what=f"{size} in service",
        )
        return sorted(self.members())

    def instance(self, instance_id: str) -> Any:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])
        return found["Reservations"][0]["Instances"][0]

    def terminate(self, instance_id: str, *, decrement: bool = True) -> "ActivityTypeDef":
        return self.groups.terminate_instance_in_auto_scaling_group(
            InstanceId=instance_id, ShouldDecrementDesiredCapacity=decrement
        )["Activity"]

    def activities(self, status: str | None = None) -> "list[ActivityTypeDef]":
        found = self.groups.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
        return [activity for activity in found if status in {None, activity["StatusCode"]}]

    def gone(self, instance_id: str) -> None:
        until(lambda: instance_id not in self.members(), what=f"{instance_id} has left the group")

    def fault(self, **rule: Any) -> str:
        answer = self.control.post("/faults", json=rule)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def worker(self, instance_id: str) -> str:
        instance = self.instance(instance_id)
        return f"http://{instance['PublicIpAddress']}:{self.cloud.config.worker_port}"

    def answering(self, instance_id: str) -> str:
        """The URL of an instance's worker, once it answers."""
        url = self.worker(instance_id)

        def answers() -> bool:
            with suppress(httpx.TransportError):
                return WEB.get(f"{url}/healthz", timeout=10).status_code == 200
            return False

        until(answers, what=f"{url} answers")
        return url


def refusal(error: ClientError) -> tuple[str, str]:
    return error.response["Error"]["Code"], error.response["Error"]["Message"]
