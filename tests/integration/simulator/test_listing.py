"""What the simulated cloud lists: pages, filters, tags and scaling activities."""

from datetime import UTC, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from app.simulator.clock import utc_now
from app.simulator.cloud import SimulatedCloud
from tests.integration.simulator.account import GROUP, LONG, NOBODY, PROJECT, Aws, a_config, refusal
from tests.waiting import until


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

    def test_are_not_set_by_a_dry_run(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        with pytest.raises(ClientError, match="DryRunOperation"):
            aws.ec2.create_tags(Resources=[member], Tags=[{"Key": PROJECT, "Value": "x"}], DryRun=True)
        assert PROJECT not in {tag["Key"] for tag in aws.instance(member)["Tags"]}

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

    @pytest.mark.parametrize(
        ("bound", "name", "found"),
        [
            (timedelta(minutes=-1), "StartTimeLowerBound", True),
            (timedelta(minutes=1), "StartTimeLowerBound", False),
            (timedelta(minutes=-1), "StartTimeUpperBound", False),
            (timedelta(minutes=1), "StartTimeUpperBound", True),
        ],
    )
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-9)), None])
    def test_are_found_by_when_they_started(
        self, aws: Aws, bound: timedelta, name: str, found: bool, zone: timezone | None
    ) -> None:
        aws.grown(1)
        moment = (utc_now() + bound).astimezone(zone or UTC)
        text = (moment if zone else moment.replace(tzinfo=None)).isoformat(timespec="seconds")
        activities = aws.groups.describe_scaling_activities(
            AutoScalingGroupName=GROUP, Filters=[{"Name": name, "Values": [text]}]
        )["Activities"]
        assert bool(activities) is found

    def test_cannot_be_found_by_a_time_that_is_none(self, aws: Aws) -> None:
        aws.grown(1)
        with pytest.raises(ClientError, match="StartTimeLowerBound"):
            aws.groups.describe_scaling_activities(
                AutoScalingGroupName=GROUP, Filters=[{"Name": "StartTimeLowerBound", "Values": ["today"]}]
            )

    def test_tell_what_was_ended_while_it_booted(self, aws: Aws) -> None:
        aws.cloud.change_group({"boot_seconds": LONG})
        aws.set_desired(1)
        (booting,) = until(lambda: list(aws.members("Pending")), what="a pending member")
        aws.cloud.terminate(booting)
        (told,) = until(lambda: aws.activities("Cancelled"), what="the launch is cancelled")
        assert told["Description"] == f"Launching a new EC2 instance: {booting}"
        assert "User initiated shutdown" in told["StatusMessage"]

    def test_take_a_hundred_records_at_most(self, aws: Aws) -> None:
        with pytest.raises(ClientError, match="ValidationError"):
            aws.groups.describe_scaling_activities(MaxRecords=101)
