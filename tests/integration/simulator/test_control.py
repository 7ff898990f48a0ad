"""The control API: faults, the record of calls, and changes from outside."""

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from app.simulator.cloud import SimulatedCloud
from tests.integration.simulator.account import GROUP, NOBODY, WEB, Aws, a_config, refusal
from tests.waiting import until


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

    def test_a_member_that_the_group_lost_runs_on_with_its_tag_and_is_replaced(self, aws: Aws) -> None:
        (lost,) = aws.grown(1)
        assert aws.control.post(f"/instances/{lost}/lose").status_code == 200
        (other,) = aws.grown(1)
        assert other != lost
        assert aws.instance(lost)["State"]["Name"] == "running"
        assert {"Key": "aws:autoscaling:groupName", "Value": GROUP} in aws.instance(lost)["Tags"]

    def test_the_group_cannot_lose_what_is_no_member(self, aws: Aws) -> None:
        (lost,) = aws.grown(1)
        aws.control.post(f"/instances/{lost}/lose")
        assert aws.control.post(f"/instances/{lost}/lose").status_code == 400

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


class TestGroups:
    def test_can_be_several_each_with_members_of_its_own(self, aws: Aws) -> None:
        assert aws.control.post("/groups", json={"name": "gpu-asg", "desired": 2}).status_code == 201

        ours = aws.grown(1)

        until(lambda: len(self.members(aws, "gpu-asg")) == 2)
        assert not set(ours) & self.members(aws, "gpu-asg")

    def test_of_one_name_are_refused(self, aws: Aws) -> None:
        answer = aws.control.post("/groups", json={"name": GROUP})

        assert answer.status_code == 400
        assert "already exists" in answer.json()["error"]

    def test_can_be_deleted_with_their_members(self, aws: Aws) -> None:
        aws.control.post("/groups", json={"name": "gpu-asg", "desired": 1})
        until(lambda: len(self.members(aws, "gpu-asg")) == 1)

        assert aws.control.delete("/groups/gpu-asg").status_code == 200

        assert (
            aws.groups.describe_auto_scaling_groups(AutoScalingGroupNames=["gpu-asg"])["AutoScalingGroups"]
            == []
        )
        assert aws.control.delete("/groups/gpu-asg").status_code == 400

    def test_can_have_faults_of_their_own(self, aws: Aws) -> None:
        aws.control.post("/groups", json={"name": "gpu-asg"})
        aws.fault(kind="error", code="Throttling", status=400, group="gpu-asg")

        assert aws.desired() == 0
        with pytest.raises(ClientError):
            self.members(aws, "gpu-asg")
        with pytest.raises(ClientError):
            aws.ec2.describe_instances(
                Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": ["gpu-asg"]}]
            )
        assert aws.ec2.describe_instances()["Reservations"] == []

    def members(self, aws: Aws, group: str) -> set[str]:
        found = aws.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        return {member["InstanceId"] for member in found[0]["Instances"]}
