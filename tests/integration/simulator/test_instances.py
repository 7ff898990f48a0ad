"""Simulated instances end and are replaced as at AWS."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from app.simulator.cloud import SimulatedCloud
from tests.integration.simulator.account import GROUP, LONG, NOBODY, TAG_FILTER, Aws, a_config, refusal
from tests.waiting import until


class TestTerminate:
    def test_with_decrement_is_asynchronous_and_final(self, aws: Aws) -> None:
        aws.cloud.change_group({"terminate_seconds": LONG})
        victim, _ = aws.grown(2)
        activity = aws.terminate(victim)
        assert activity["StatusCode"] == "InProgress"
        assert "shrinking the capacity from 2 to 1" in activity["Cause"]
        assert list(aws.members("Terminating")) == [victim]
        assert aws.instance(victim)["State"]["Name"] == "shutting-down"
        assert aws.desired() == 1

        aws.let_it_be_over()
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
        aws.cloud.change_group({"terminate_seconds": LONG})
        victim, _ = aws.grown(2)
        activity = aws.terminate(victim)
        with pytest.raises(aws.groups.exceptions.ScalingActivityInProgressFault) as caught:
            aws.terminate(victim)
        assert activity["ActivityId"] in refusal(caught.value)[1]
        aws.let_it_be_over()
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
        aws.cloud.change_group({"boot_seconds": LONG})
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
