"""The simulated cloud keeps AWS's promises, as real boto3 sees them over HTTP."""

import random  # noqa: TID251 - parallel runs must not share a network
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from tests.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef, InstanceTypeDef
    from mypy_boto3_ec2 import EC2Client

GROUP = "vscode-asg"
TAG_FILTER = "tag:aws:autoscaling:groupName"
PROJECT = "ec2-orchestrator:project"
WEB = httpx.Client(headers={"Connection": "close"}, timeout=5)
NOBODY = "i-00000000000000000"


def a_network() -> str:
    return f"127.{random.randint(70, 250)}.0.0/16"


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
        config = Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=10)
        self.groups: AutoScalingClient = session.client("autoscaling", endpoint_url=cloud.url, config=config)
        self.ec2: EC2Client = session.client("ec2", endpoint_url=cloud.url, config=config)
        self.control = httpx.Client(base_url=f"{cloud.url}/_cloud", timeout=10)
        self.cloud = cloud

    def close(self) -> None:
        self.groups.close()
        self.ec2.close()
        self.control.close()

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
                return WEB.get(f"{url}/healthz", timeout=2).status_code == 200
            return False

        until(answers, what=f"{url} answers")
        return url


def refusal(error: ClientError) -> tuple[str, str]:
    return error.response["Error"]["Code"], error.response["Error"]["Message"]


@pytest.fixture(scope="module")
def cloud() -> Iterator[SimulatedCloud]:
    with SimulatedCloud(a_config()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def account(cloud: SimulatedCloud) -> Iterator[Aws]:
    account = Aws(cloud)
    yield account
    account.close()


@pytest.fixture
def aws(account: Aws) -> Aws:
    account.cloud.reset()
    return account


class TestGroup:
    def test_is_set_up_so_that_nothing_kills_a_busy_instance(self, aws: Aws) -> None:
        group = aws.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
        assert group["NewInstancesProtectedFromScaleIn"]
        assert [process["ProcessName"] for process in group["SuspendedProcesses"]] == ["AZRebalance"]
        assert group["HealthCheckType"] == "EC2"
        assert len(group["AvailabilityZones"]) == 2

    def test_instances_are_pending_without_public_address_and_then_in_service(self, aws: Aws) -> None:
        aws.cloud.change_group({"boot_seconds": 1})
        aws.set_desired(1)
        (new,) = until(lambda: list(aws.members("Pending")), what="a pending member")
        pending = aws.instance(new)
        assert pending["State"]["Name"] == "pending"
        assert "PublicIpAddress" not in pending

        aws.grown(1)
        running = aws.instance(new)
        assert running["State"]["Name"] == "running"
        assert running["PublicIpAddress"] == running["PrivateIpAddress"]
        assert running["PublicIpAddress"].startswith("127.")

    def test_a_raise_while_instances_boot_never_launches_too_many(self, aws: Aws) -> None:
        aws.cloud.change_group({"boot_seconds": 1})
        aws.set_desired(5)
        until(lambda: len(aws.members("Pending")) == 5, what="five pending")
        aws.set_desired(7)
        aws.grown(7)
        assert len(aws.activities()) == 7

    def test_members_are_spread_over_both_zones(self, aws: Aws) -> None:
        aws.grown(4)
        zones = [member["AvailabilityZone"] for member in aws.members().values()]
        assert sorted(zones) == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"]

    @pytest.mark.parametrize(
        ("size", "sentence"),
        [
            (21, "New SetDesiredCapacity value 21 is above max value 20 for the AutoScalingGroup."),
            (1, "New SetDesiredCapacity value 1 is below min value 2 for the AutoScalingGroup."),
        ],
    )
    def test_a_size_out_of_bounds_is_refused(self, aws: Aws, size: int, sentence: str) -> None:
        aws.cloud.change_group({"min": 2})
        with pytest.raises(ClientError) as caught:
            aws.set_desired(size)
        assert refusal(caught.value) == ("ValidationError", sentence)
        assert aws.desired() == 2

    def test_an_unknown_group_is_refused(self, aws: Aws) -> None:
        with pytest.raises(ClientError) as caught:
            aws.groups.set_desired_capacity(AutoScalingGroupName="nope", DesiredCapacity=1)
        assert refusal(caught.value) == ("ValidationError", "AutoScalingGroup name not found - null")

    def test_an_update_moves_desired_into_the_new_bounds(self, aws: Aws) -> None:
        aws.groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=2, MaxSize=3)
        assert aws.desired() == 2

    def test_a_second_group_lives_beside_the_first_and_dies_with_force(self, aws: Aws) -> None:
        aws.groups.create_auto_scaling_group(
            AutoScalingGroupName="other",
            MinSize=1,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateName": f"{GROUP}-template"},
            AvailabilityZones=["us-east-1a"],
        )

        def members() -> int:
            groups = aws.groups.describe_auto_scaling_groups(AutoScalingGroupNames=["other"])
            return len(groups["AutoScalingGroups"][0]["Instances"])

        until(lambda: members() == 1, what="a member of the other group")
        with pytest.raises(ClientError, match="ResourceInUse"):
            aws.groups.delete_auto_scaling_group(AutoScalingGroupName="other")
        aws.groups.delete_auto_scaling_group(AutoScalingGroupName="other", ForceDelete=True)
        groups = aws.groups.describe_auto_scaling_groups()["AutoScalingGroups"]
        assert [group["AutoScalingGroupName"] for group in groups] == [GROUP]

    def test_suspended_launch_launches_nothing_until_resumed(self, aws: Aws) -> None:
        aws.groups.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])
        aws.set_desired(1)
        aws.set_desired(2)
        assert aws.members() == {}
        aws.groups.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])
        aws.grown(2)


class TestScaleIn:
    def test_protected_members_stay_and_an_activity_says_so(self, aws: Aws) -> None:
        aws.grown(3)
        aws.set_desired(1)
        (told,) = until(lambda: aws.activities("Cancelled"), what="the group gives up")
        assert told["Description"] == (
            "Could not scale to desired capacity because all remaining instances are protected from scale-in."
        )
        assert len(aws.members("InService")) == 3
        assert aws.desired() == 1

    def test_takes_an_unprotected_member(self, aws: Aws) -> None:
        first, second, third = aws.grown(3)
        aws.groups.set_instance_protection(
            AutoScalingGroupName=GROUP, InstanceIds=[second], ProtectedFromScaleIn=False
        )
        aws.set_desired(2)
        aws.gone(second)
        assert sorted(aws.members("InService")) == [first, third]

    def test_spares_everything_while_terminate_is_suspended(self, aws: Aws) -> None:
        aws.cloud.change_group({"protect": False})
        aws.grown(2)
        aws.groups.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Terminate"])
        aws.set_desired(1)
        aws.set_desired(0)
        assert len(aws.members("InService")) == 2
        aws.groups.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Terminate"])
        until(lambda: not aws.members(), what="both are gone")

    def test_protection_of_an_unknown_member_is_refused(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match="No managed instance found"):
            aws.groups.set_instance_protection(
                AutoScalingGroupName=GROUP, InstanceIds=[NOBODY], ProtectedFromScaleIn=True
            )

    def test_protection_takes_fifty_ids_at_most(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match="limited to 50"):
            aws.groups.set_instance_protection(
                AutoScalingGroupName=GROUP, InstanceIds=[NOBODY] * 51, ProtectedFromScaleIn=True
            )


class TestTerminate:
    def test_with_decrement_is_asynchronous_and_final(self, aws: Aws) -> None:
        aws.cloud.change_group({"terminate_seconds": 0.5})
        victim, _ = aws.grown(2)
        activity = aws.terminate(victim)
        assert activity["StatusCode"] == "InProgress"
        assert "shrinking the capacity from 2 to 1" in activity["Cause"]
        assert list(aws.members("Terminating")) == [victim]
        assert aws.instance(victim)["State"]["Name"] == "shutting-down"
        assert aws.desired() == 1

        aws.gone(victim)
        assert len(aws.members("InService")) == 1

    def test_a_terminated_instance_is_listed_with_its_tags_but_no_address(self, aws: Aws) -> None:
        (victim,) = aws.grown(1)
        aws.terminate(victim)
        aws.gone(victim)
        found = aws.ec2.describe_instances(Filters=[{"Name": TAG_FILTER, "Values": [GROUP]}])
        (instance,) = found["Reservations"][0]["Instances"]
        assert instance["InstanceId"] == victim
        assert instance["State"]["Name"] == "terminated"
        assert "PrivateIpAddress" not in instance
        assert "PublicIpAddress" not in instance

    def test_without_decrement_brings_a_replacement(self, aws: Aws) -> None:
        (victim,) = aws.grown(1)
        aws.terminate(victim, decrement=False)
        (replacement,) = aws.grown(1)
        assert replacement != victim

    def test_at_min_with_decrement_is_refused(self, aws: Aws) -> None:
        aws.cloud.change_group({"min": 1})
        (member,) = aws.grown(1)
        with pytest.raises(ClientError) as caught:
            aws.terminate(member)
        code, sentence = refusal(caught.value)
        assert code == "ValidationError"
        assert sentence.startswith("Currently, desiredSize equals minSize (1). Terminating instance without")

    def test_of_an_unknown_instance_is_refused(self, aws: Aws) -> None:
        with pytest.raises(ClientError) as caught:
            aws.terminate(NOBODY)
        sentence = f"Instance Id not found - No managed instance found for instance ID {NOBODY}"
        assert refusal(caught.value) == ("ValidationError", sentence)

    def test_twice_is_busy_first_and_unknown_later_and_decrements_once(self, aws: Aws) -> None:
        aws.cloud.change_group({"terminate_seconds": 0.5})
        victim, _ = aws.grown(2)
        activity = aws.terminate(victim)
        with pytest.raises(aws.groups.exceptions.ScalingActivityInProgressFault) as caught:
            aws.terminate(victim)
        assert activity["ActivityId"] in refusal(caught.value)[1]
        aws.gone(victim)
        with pytest.raises(ClientError, match="No managed instance found"):
            aws.terminate(victim)
        assert aws.desired() == 1

    def test_racing_calls_never_miscount(self) -> None:
        with SimulatedCloud(a_config(worker="none", boot_seconds=0, desired=20)) as cloud:
            aws = Aws(cloud)
            members = aws.grown(20)
            with ThreadPoolExecutor(10) as crowd:
                list(crowd.map(aws.terminate, members[:15]))
            assert aws.desired() == 5
            until(lambda: sorted(aws.members()) == members[15:], what="the other five are left")
            aws.close()

    def test_of_a_booting_instance_is_busy(self, aws: Aws) -> None:
        aws.cloud.change_group({"boot_seconds": 60})
        aws.set_desired(1)
        (booting,) = until(lambda: list(aws.members("Pending")), what="a pending member")
        with pytest.raises(aws.groups.exceptions.ScalingActivityInProgressFault):
            aws.terminate(booting)


class TestHealth:
    @pytest.mark.parametrize("how", ["terminate", "stop", "unhealthy"])
    def test_what_happens_behind_the_groups_back_ends_in_a_replacement(self, aws: Aws, how: str) -> None:
        (victim,) = aws.grown(1)
        aws.cloud.change_group({"suspended": ["ReplaceUnhealthy"]})
        assert aws.control.post(f"/instances/{victim}/{how}").status_code == 200
        until(lambda: aws.members()[victim]["HealthStatus"] == "Unhealthy", what="the member is unhealthy")
        aws.cloud.change_group({"suspended": []})
        aws.gone(victim)
        aws.grown(1)
        until(lambda: aws.instance(victim)["State"]["Name"] == "terminated", what="the old one is terminated")

    def test_a_reclaimed_instance_is_terminated_in_ec2_before_the_group_notices(self, aws: Aws) -> None:
        aws.groups.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["HealthCheck"])
        (victim,) = aws.grown(1)
        aws.ec2.terminate_instances(InstanceIds=[victim])
        until(lambda: aws.instance(victim)["State"]["Name"] == "terminated", what="EC2 terminated it")
        assert aws.members()[victim]["LifecycleState"] == "InService"
        assert aws.members()[victim]["HealthStatus"] == "Healthy"

    def test_replace_unhealthy_suspended_keeps_the_member(self, aws: Aws) -> None:
        (victim,) = aws.grown(1)
        aws.groups.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["ReplaceUnhealthy"])
        aws.groups.set_instance_health(InstanceId=victim, HealthStatus="Unhealthy")
        aws.set_desired(2)
        until(lambda: len(aws.members("InService")) == 2, what="the second member")
        assert aws.members()[victim]["HealthStatus"] == "Unhealthy"
        aws.groups.resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["ReplaceUnhealthy"])
        aws.gone(victim)


class TestListing:
    def test_members_are_paged_by_fifty(self) -> None:
        config = a_config(worker="none", boot_seconds=0, max_size=120, desired=120)
        with SimulatedCloud(config) as cloud:
            aws = Aws(cloud)
            aws.grown(120)
            pages = list(aws.groups.get_paginator("describe_auto_scaling_instances").paginate())
            assert [len(page["AutoScalingInstances"]) for page in pages] == [50, 50, 20]

            one = aws.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 50})
            sizes = [sum(len(r["Instances"]) for r in page["Reservations"]) for page in one]
            assert sizes == [50, 50, 20]

            activities = aws.groups.get_paginator("describe_scaling_activities").paginate()
            assert [len(page["Activities"]) for page in activities] == [100, 20]
            aws.close()

    def test_members_by_id_take_fifty_ids_and_pass_over_unknown_ones(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        found = aws.groups.describe_auto_scaling_instances(InstanceIds=[member, NOBODY])
        assert [one["InstanceId"] for one in found["AutoScalingInstances"]] == [member]
        with pytest.raises(ClientError, match="limited to 50"):
            aws.groups.describe_auto_scaling_instances(InstanceIds=[NOBODY] * 51)

    @pytest.mark.parametrize("size", [4, 1001])
    def test_a_page_of_instances_is_five_to_a_thousand(self, aws: Aws, size: int) -> None:
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            aws.ec2.describe_instances(MaxResults=size)

    @pytest.mark.parametrize(
        ("instance_id", "code"),
        [(NOBODY, "InvalidInstanceID.NotFound"), ("i-foo", "InvalidInstanceID.Malformed")],
    )
    def test_one_wrong_id_fails_the_whole_call(self, aws: Aws, instance_id: str, code: str) -> None:
        (member,) = aws.grown(1)
        with pytest.raises(ClientError) as caught:
            aws.ec2.describe_instances(InstanceIds=[member, instance_id])
        assert refusal(caught.value)[0] == code

    def test_a_filter_by_instance_id_never_fails(self, aws: Aws) -> None:
        found = aws.ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [NOBODY, "i-foo"]}])
        assert found["Reservations"] == []

    def test_filters_hold_two_hundred_values_at_most(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match="FilterLimitExceeded"):
            aws.ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [NOBODY] * 201}])

    def test_terminated_instances_are_forgotten_in_the_end(self) -> None:
        config = a_config(worker="none", boot_seconds=0, retention_seconds=0.1)
        with SimulatedCloud(config) as cloud:
            aws = Aws(cloud)
            (victim,) = aws.grown(1)
            aws.terminate(victim)
            until(lambda: not aws.ec2.describe_instances()["Reservations"], what="nothing is listed")
            aws.close()


class TestTags:
    def test_are_set_filtered_by_and_removed(self, aws: Aws) -> None:
        first, _ = aws.grown(2)
        aws.ec2.create_tags(Resources=[first], Tags=[{"Key": PROJECT, "Value": "my-project"}])
        held = aws.ec2.describe_instances(Filters=[{"Name": f"tag:{PROJECT}", "Values": ["my-project"]}])
        assert [r["Instances"][0]["InstanceId"] for r in held["Reservations"]] == [first]
        aws.ec2.delete_tags(Resources=[first], Tags=[{"Key": PROJECT}])
        assert PROJECT not in {tag["Key"] for tag in aws.instance(first)["Tags"]}

    def test_on_an_unknown_instance_are_refused(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
            aws.ec2.create_tags(Resources=[NOBODY], Tags=[{"Key": PROJECT, "Value": "x"}])

    def test_of_awss_own_are_refused(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        with pytest.raises(ClientError, match="reserved for internal use"):
            aws.ec2.create_tags(Resources=[member], Tags=[{"Key": "aws:autoscaling:groupName", "Value": "x"}])


class TestActivities:
    def test_tell_launch_and_termination_newest_first(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        aws.terminate(member)
        aws.gone(member)
        terminated, launched = aws.activities()
        assert launched["Description"] == f"Launching a new EC2 instance: {member}"
        assert terminated["Description"] == f"Terminating EC2 instance: {member}"
        assert {launched["StatusCode"], terminated["StatusCode"]} == {"Successful"}
        assert "from 0 to 1" in launched["Cause"]

    @pytest.mark.parametrize(
        ("kind", "part"),
        [
            ("capacity", "We currently do not have sufficient t3.medium capacity in the Availability Zone"),
            ("quota", "You have requested more vCPU capacity than your current vCPU limit of 4 allows"),
            ("configuration", "does not exist. Launching EC2 instance failed."),
        ],
    )
    def test_tell_why_launches_fail(self, aws: Aws, kind: str, part: str) -> None:
        aws.control.post("/capacity", json={"limit": 4, "kind": kind})
        aws.set_desired(8)
        until(lambda: len(aws.members("InService")) == 4, what="four members")
        failed = until(lambda: aws.activities("Failed"), what="a failed launch")
        assert part in failed[0]["StatusMessage"]
        assert len(aws.members()) == 4
        assert aws.desired() == 8

        aws.control.post("/capacity", json={"limit": None})
        aws.grown(8)

    def test_take_a_hundred_records_at_most(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match="ValidationError"):
            aws.groups.describe_scaling_activities(MaxRecords=101)


class TestFaults:
    @pytest.mark.parametrize("call", ["DescribeAutoScalingGroups", "DescribeInstances"])
    def test_an_error_reaches_boto3_with_its_code_as_often_as_asked(self, aws: Aws, call: str) -> None:
        aws.fault(action=call, kind="error", code="Throttling", status=400, message="Rate exceeded", times=2)
        for _ in range(2):
            with pytest.raises(ClientError) as caught:
                aws.desired() if call.startswith("DescribeAuto") else aws.ec2.describe_instances()
            assert refusal(caught.value) == ("Throttling", "Rate exceeded")
        assert aws.desired() == 0
        assert aws.ec2.describe_instances()["Reservations"] == []

    def test_html_is_a_proxy_that_fails(self, aws: Aws) -> None:
        aws.fault(kind="html", times=1)
        with pytest.raises(ClientError) as caught:
            aws.desired()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502

    def test_drop_does_nothing_and_closes(self, aws: Aws) -> None:
        aws.fault(action="SetDesiredCapacity", kind="drop", times=1)
        with pytest.raises(ConnectionClosedError):
            aws.set_desired(1)
        assert aws.desired() == 0

    def test_drop_after_does_it_and_loses_the_answer(self, aws: Aws) -> None:
        aws.fault(action="SetDesiredCapacity", kind="drop-after", times=1)
        with pytest.raises(ConnectionClosedError):
            aws.set_desired(1)
        assert aws.desired() == 1

    def test_delay_takes_its_time_and_then_answers(self, aws: Aws) -> None:
        aws.fault(action="SetDesiredCapacity", kind="delay", seconds=0.3, times=1)
        answer = aws.groups.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=1)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert aws.desired() == 1

    def test_never_with_probability_zero(self, aws: Aws) -> None:
        aws.fault(kind="error", probability=0)
        assert aws.desired() == 0

    def test_can_be_lifted(self, aws: Aws) -> None:
        rule = aws.fault(kind="error")
        assert [one["id"] for one in aws.control.get("/faults").json()["faults"]] == [rule]
        assert aws.control.delete(f"/faults/{rule}").status_code == 200
        assert aws.control.delete(f"/faults/{rule}").status_code == 404
        assert aws.desired() == 0

    @pytest.mark.parametrize(
        "rule",
        [
            {},
            {"kind": "flood"},
            {"kind": "error", "status": 200},
            {"kind": "error", "times": 1.5},
            {"kind": "delay", "seconds": "long"},
            {"kind": "error", "colour": "red"},
        ],
    )
    def test_that_cannot_be_are_refused_with_a_sentence(self, aws: Aws, rule: dict[str, Any]) -> None:
        answer = aws.control.post("/faults", json=rule)
        assert answer.status_code == 400
        assert answer.json()["error"]


class TestCalls:
    def test_prove_who_wrote_which_desired_capacity(self, aws: Aws) -> None:
        other = Aws(aws.cloud, key="AKIATERRAFORM")
        aws.set_desired(2)
        other.set_desired(3)
        with pytest.raises(ClientError):
            aws.set_desired(99)
        other.close()
        record = aws.control.get("/calls").json()
        assert record["counts"] == {"SetDesiredCapacity": 3}
        told = [
            (call["caller"], call["params"]["DesiredCapacity"], call["outcome"]) for call in record["calls"]
        ]
        assert told == [
            ("AKIAORCHESTRATOR", "2", "ok"),
            ("AKIATERRAFORM", "3", "ok"),
            ("AKIAORCHESTRATOR", "99", "ValidationError"),
        ]

    def test_that_were_lost_are_told_apart(self, aws: Aws) -> None:
        aws.fault(kind="drop", times=1)
        aws.fault(kind="drop-after", times=1)
        for _ in range(2):
            with pytest.raises(ConnectionClosedError):
                aws.desired()
        assert [call["outcome"] for call in aws.control.get("/calls").json()["calls"]] == [
            "dropped",
            "ok, answer lost",
        ]

    def test_can_be_forgotten_and_do_not_count_the_control_api(self, aws: Aws) -> None:
        aws.desired()
        aws.control.delete("/calls")
        aws.control.get("/state")
        assert aws.control.get("/calls").json() == {"counts": {}, "calls": []}

    def test_an_action_that_is_not_simulated_says_so(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match="InvalidAction"):
            aws.groups.describe_account_limits()


class TestControl:
    def test_state_tells_group_and_instances(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = httpx.URL(aws.answering(member))
        until(
            lambda: aws.control.get("/state").json()["instances"][0]["worker"] == "up",
            what="the worker is up",
        )
        state = aws.control.get("/state").json()
        assert state["group"] == {
            "name": GROUP,
            "min": 0,
            "max": 20,
            "desired": 1,
            "members": 1,
            "protect": True,
            "suspended": ["AZRebalance"],
            "boot_seconds": 0.1,
            "terminate_seconds": 0.05,
        }
        (instance,) = state["instances"]
        assert instance["id"] == member
        assert (instance["lifecycle"], instance["state"]) == ("InService", "running")
        assert (instance["address"], instance["port"]) == (url.host, url.port)
        assert instance["protected"]

    def test_group_is_changed_within_its_bounds(self, aws: Aws) -> None:
        answer = aws.control.patch("/group", json={"max": 3, "desired": 2, "suspended": ["Launch"]})
        assert answer.json()["max"] == 3
        assert aws.control.patch("/group", json={"desired": 4}).status_code == 400
        assert aws.control.patch("/group", json={"desired": "many"}).status_code == 400
        assert aws.desired() == 2

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/capacity", {"limit": -1}),
            ("/capacity", {"limit": 1, "kind": "love"}),
            ("/workers", {"mode": "asleep"}),
            ("/workers", ["up"]),
        ],
    )
    def test_bad_input_gets_a_sentence(self, aws: Aws, path: str, body: object) -> None:
        answer = aws.control.post(path, json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]

    def test_an_unknown_instance_is_not_found(self, aws: Aws) -> None:
        assert aws.control.post(f"/instances/{NOBODY}/terminate").status_code == 404

    def test_reset_returns_to_the_start(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        aws.fault(kind="error")
        aws.control.post("/workers", json={"mode": "down"})
        assert aws.control.post("/reset").status_code == 200
        assert aws.desired() == 0
        assert aws.ec2.describe_instances()["Reservations"] == []
        with pytest.raises(httpx.ConnectError):
            WEB.get(url)


class TestWorkers:
    def test_a_page_shows_instance_and_project_live(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        assert member in WEB.get(url).text
        assert WEB.get(f"{url}/project").json() == {"project": None}
        aws.ec2.create_tags(Resources=[member], Tags=[{"Key": PROJECT, "Value": "<my-project>"}])
        assert WEB.get(f"{url}/project").json() == {"project": "<my-project>"}
        assert "&lt;my-project&gt;" in WEB.get(url).text

    def test_the_health_check_alone_never_beats(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        assert WEB.get(f"{url}/healthz").text == '{"status":"expired","lastHeartbeat":0}'

    @pytest.mark.parametrize("path", ["/", "/healthz?x=1", "/anything"])
    def test_any_other_request_beats(self, aws: Aws, path: str) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        WEB.get(f"{url}{path}")
        health = WEB.get(f"{url}/healthz").json()
        assert health["status"] == "alive"
        assert health["lastHeartbeat"] > 1_600_000_000_000

    def test_a_terminated_instance_does_not_listen(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        aws.terminate(member)

        def refused() -> bool:
            try:
                WEB.get(url, timeout=2)
            except httpx.ConnectError:
                return True
            except httpx.TransportError:
                return False
            return False

        until(refused, what="nothing listens")

    def test_can_fail_hang_and_be_away(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)

        def behaves(mode: str) -> None:
            aws.control.post(f"/instances/{member}/worker", json={"mode": mode})
            until(lambda: aws.control.get("/state").json()["instances"][0]["worker"] == mode, what=mode)

        behaves("failing")
        assert WEB.get(f"{url}/healthz").status_code == 500
        behaves("hanging")
        with pytest.raises(httpx.ReadTimeout):
            WEB.get(f"{url}/healthz", timeout=0.2)
        behaves("down")
        with pytest.raises(httpx.ConnectError):
            WEB.get(f"{url}/healthz")
        behaves("up")
        assert WEB.get(f"{url}/healthz").status_code == 200

    def test_a_mode_can_await_those_that_boot(self, aws: Aws) -> None:
        aws.control.post("/workers", json={"mode": "failing"})
        (member,) = aws.grown(1)
        until(lambda: aws.control.get("/state").json()["instances"][0]["worker"] == "failing", what="failing")
        assert WEB.get(aws.worker(member)).status_code == 500

    def test_on_one_address_each_instance_announces_its_port(self) -> None:
        with SimulatedCloud(a_config(one_address=True)) as cloud:
            aws = Aws(cloud)
            members = aws.grown(2)
            instances = [aws.instance(member) for member in members]
            assert {instance["PublicIpAddress"] for instance in instances} == {"127.0.0.1"}
            ports = [
                next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "ec2-orchestrator:port")
                for instance in instances
            ]
            assert len(set(ports)) == 2
            until(
                lambda: {one["worker"] for one in cloud.state()["instances"]} == {"up"},
                what="both workers are up",
            )
            for member, port in zip(members, ports, strict=True):
                assert member in WEB.get(f"http://127.0.0.1:{port}/").text
            aws.close()


def test_a_request_that_is_no_aws_call_is_told_where_it_is(cloud: SimulatedCloud) -> None:
    answer = WEB.get(cloud.url)
    assert answer.status_code == 404
    assert "/_cloud/state" in answer.text


def test_two_clouds_do_not_know_each_other(aws: Aws) -> None:
    with SimulatedCloud(a_config(desired=1)) as second:
        other = Aws(second)
        other.grown(1)
        assert aws.members() == {}
        other.close()
