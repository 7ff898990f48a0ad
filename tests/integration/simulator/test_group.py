"""The simulated group: sizes, launches and scale-in, as AWS has them."""

import pytest
from botocore.exceptions import ClientError

from tests.integration.simulator.account import GROUP, LONG, NOBODY, Aws, refusal
from tests.waiting import until


class TestGroup:
    def test_is_set_up_so_that_nothing_kills_a_busy_instance(self, aws: Aws) -> None:
        group = aws.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
        assert group["NewInstancesProtectedFromScaleIn"]
        assert [process["ProcessName"] for process in group["SuspendedProcesses"]] == ["AZRebalance"]
        assert group["HealthCheckType"] == "EC2"
        assert len(group["AvailabilityZones"]) == 2

    def test_instances_are_pending_without_public_address_and_then_in_service(self, aws: Aws) -> None:
        aws.cloud.change_group({"boot_seconds": LONG})
        aws.set_desired(1)
        (new,) = until(lambda: list(aws.members("Pending")), what="a pending member")
        pending = aws.instance(new)
        assert pending["State"]["Name"] == "pending"
        assert "PublicIpAddress" not in pending

        aws.let_it_be_over()
        aws.grown(1)
        running = aws.instance(new)
        assert running["State"]["Name"] == "running"
        assert running["PublicIpAddress"] == running["PrivateIpAddress"]
        assert running["PublicIpAddress"].startswith("127.")

    def test_a_raise_while_instances_boot_never_launches_too_many(self, aws: Aws) -> None:
        aws.cloud.change_group({"boot_seconds": LONG})
        aws.set_desired(5)
        until(lambda: len(aws.members("Pending")) == 5, what="five pending")
        aws.set_desired(7)
        until(lambda: len(aws.members("Pending")) >= 7, what="seven pending")
        aws.let_it_be_over()
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

    def test_members_keep_the_version_of_the_launch_template_they_came_from(self, aws: Aws) -> None:
        (old,) = aws.grown(1)
        template = aws.members()[old]["LaunchTemplate"]
        aws.ec2.create_launch_template_version(
            LaunchTemplateId=template["LaunchTemplateId"], LaunchTemplateData={"InstanceType": "t3.large"}
        )
        aws.grown(2)
        versions = {one: member["LaunchTemplate"]["Version"] for one, member in aws.members().items()}
        assert (versions.pop(old), *versions.values()) == ("1", "2")
        listed = aws.groups.describe_auto_scaling_instances(InstanceIds=[old])["AutoScalingInstances"]
        assert listed[0]["LaunchTemplate"] == template

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

    def test_protection_of_a_booting_member_is_refused_and_of_all_others_with_it(self, aws: Aws) -> None:
        aws.cloud.change_group({"protect": False})
        (member,) = aws.grown(1)
        aws.cloud.change_group({"boot_seconds": LONG})
        aws.set_desired(2)
        (booting,) = until(lambda: list(aws.members("Pending")), what="a pending member")
        with pytest.raises(ClientError, match="is not in InService or EnteringStandby or Standby"):
            aws.groups.set_instance_protection(
                AutoScalingGroupName=GROUP, InstanceIds=[member, booting], ProtectedFromScaleIn=True
            )
        assert not aws.members()[member]["ProtectedFromScaleIn"]

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
