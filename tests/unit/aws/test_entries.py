"""What is cut out of AWS's answers, what is left to botocore, and that both read the same in it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import Shape
from botocore.parsers import EC2QueryParser, QueryParser, ResponseParserError
from botocore.session import Session

from app.aws import entries, translate
from app.aws.entries import MEMBERS, RESERVATIONS, LongList
from app.aws.memory import Memory, cut_answer

GROUP = b"""<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <DescribeAutoScalingGroupsResult>
    <AutoScalingGroups>
      <member>
        <AutoScalingGroupName>vscode-asg</AutoScalingGroupName>
        <DesiredCapacity>2</DesiredCapacity>
        <AvailabilityZones>
          <member>us-east-1a</member>
        </AvailabilityZones>
        <Instances>
          <member>
            <InstanceId>i-0123456789abcdef0</InstanceId>
            <AvailabilityZone>us-east-1a</AvailabilityZone>
            <LifecycleState>InService</LifecycleState>
            <HealthStatus>Healthy</HealthStatus>
            <LaunchTemplate>
              <LaunchTemplateId>lt-0123456789abcdef0</LaunchTemplateId>
              <LaunchTemplateName>a &amp; b</LaunchTemplateName>
              <Version>3</Version>
            </LaunchTemplate>
            <ProtectedFromScaleIn>true</ProtectedFromScaleIn>
          </member>
          <member>
            <ProtectedFromScaleIn>false</ProtectedFromScaleIn>
            <LaunchConfigurationName>a &lt;b&gt;</LaunchConfigurationName>
            <InstanceId>i-0123456789abcdef1</InstanceId>
            <AvailabilityZone/>
            <LifecycleState>Terminating:Wait</LifecycleState>
            <HealthStatus>Unhealthy</HealthStatus>
          </member>
        </Instances>
      </member>
    </AutoScalingGroups>
    <NextToken>more</NextToken>
  </DescribeAutoScalingGroupsResult>
</DescribeAutoScalingGroupsResponse>"""

DETAILS = b"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <reservationSet>
    <item>
      <reservationId>r-1</reservationId>
      <groupSet/>
      <instancesSet>
        <item>
          <instanceId>i-0123456789abcdef0</instanceId>
          <instanceState><code>16</code><name>running</name></instanceState>
          <launchTime>2026-11-01T00:00:07.000Z</launchTime>
          <placement><availabilityZone>us-east-1a</availabilityZone><tenancy>default</tenancy></placement>
          <privateIpAddress>10.0.0.7</privateIpAddress>
          <ipAddress>192.0.2.7</ipAddress>
          <tagSet>
            <item><key>ec2-orchestrator:port</key><value>8443</value></item>
            <item><key>ec2-orchestrator:project</key><value>team &amp; I</value></item>
            <item><key>ec2-orchestrator:allocated-at</key><value>2026-11-01T00:01:00Z</value></item>
            <item><key>Name</key><value/></item>
          </tagSet>
          <networkInterfaceSet>
            <item><privateIpAddress>10.9.9.9</privateIpAddress><tagSet><item><key>a</key></item></tagSet></item>
          </networkInterfaceSet>
        </item>
        <item>
          <instanceId>i-0123456789abcdef1</instanceId>
          <instanceState><code>48</code><name>terminated</name></instanceState>
        </item>
      </instancesSet>
      <requesterId>940372691376</requesterId>
    </item>
    <item>
      <reservationId>r-2</reservationId>
      <instancesSet>
        <item>
          <instanceId>i-0123456789abcdef2</instanceId>
          <instanceState><name>pending</name></instanceState>
          <placement/>
          <tagSet/>
        </item>
      </instancesSet>
    </item>
  </reservationSet>
</DescribeInstancesResponse>"""


def answered(body: bytes, status: int = 200, memory: Memory[Any] | None = None) -> dict[str, Any]:
    """Let an answer pass as botocore would have it do; return what is left of it, with what was cut out."""
    answer, custom = {"status_code": status, "body": body}, dict[str, Any]()
    with Memory(MEMBERS, bytes).cutting_out() if memory is None else memory.cutting_out():
        cut_answer(response_dict=answer, customized_response_dict=custom)
    return {**custom, **answer}


def cut(body: bytes, wanted: LongList) -> Sequence[bytes]:
    """Return the entries of an answer."""
    memory = Memory(wanted, bytes)
    return memory.of(answered(body, memory=memory))


def output_of(service: str, name: str) -> Shape:
    shape = Session().get_service_model(service).operation_model(name).output_shape
    assert shape is not None
    return shape


def by_botocore(body: bytes) -> Any:
    """Read an answer as botocore does."""
    answer = {"status_code": 200, "headers": {}, "body": body}
    if body is DETAILS:
        return EC2QueryParser().parse(answer, output_of("ec2", "DescribeInstances"))
    return QueryParser().parse(answer, output_of("autoscaling", "DescribeAutoScalingGroups"))


# What is read.


def test_members_are_read_as_from_botocore() -> None:
    (group,) = by_botocore(GROUP)["AutoScalingGroups"]
    ours = [translate.member(entries.member(one)) for one in cut(GROUP, MEMBERS)]
    assert ours == [translate.member(one) for one in group["Instances"]]


@pytest.mark.parametrize("address", ["public", "private"])
def test_instances_are_read_as_from_botocore(address: translate.AddressKind) -> None:
    theirs = [one for each in by_botocore(DETAILS)["Reservations"] for one in each["Instances"]]
    ours = [one for each in cut(DETAILS, RESERVATIONS) for one in entries.instances(each)]
    assert [translate.detail(one, address) for one in ours] == [
        translate.detail(one, address) for one in theirs
    ]


def test_instances_keep_their_ids() -> None:
    found = [one for each in cut(DETAILS, RESERVATIONS) for one in entries.instances(each)]
    assert [one["InstanceId"] for one in found] == [f"i-0123456789abcdef{number}" for number in range(3)]


def test_a_launch_time_has_its_zone() -> None:
    first, *_ = cut(DETAILS, RESERVATIONS)
    told = translate.detail(entries.instances(first)[0], "private")
    assert told.launched_at == datetime(2026, 11, 1, 0, 0, 7, tzinfo=UTC)


def test_a_launch_time_that_is_none_is_left_out() -> None:
    odd = (
        b"<instancesSet><item><instanceId>i-1</instanceId><launchTime>soon</launchTime></item></instancesSet>"
    )
    assert entries.instances(odd)[0]["LaunchTime"] is None


def test_an_entry_that_is_no_xml_is_an_answer_that_cannot_be_read() -> None:
    with pytest.raises(ResponseParserError):
        entries.member(b"<member><InstanceId>i-1</member>")


def test_an_instance_without_an_id_is_an_answer_that_cannot_be_read() -> None:
    with pytest.raises(ResponseParserError):
        entries.instances(b"<instancesSet><item/></instancesSet>")


# What is left to botocore.


def test_what_is_left_is_the_answer_without_its_members() -> None:
    left = by_botocore(answered(GROUP)["body"])
    (group,) = left["AutoScalingGroups"]
    assert (group["DesiredCapacity"], group["AvailabilityZones"], group["Instances"], left["NextToken"]) == (
        2,
        ["us-east-1a"],
        [],
        "more",
    )


@pytest.mark.parametrize(
    "unusual",
    [
        GROUP.replace(b"</Instances>", b""),  # broken off
        GROUP.replace(b"Instances>", b"a:Instances>"),
        GROUP.replace(b"</Instances>", b"</Instances><Instances></Instances>"),
        GROUP[: GROUP.index(b"</Instances>")] + GROUP,  # broken off, and begun again
        GROUP.replace(
            b"<DesiredCapacity>", b"<AutoScalingGroupName>other</AutoScalingGroupName><DesiredCapacity>"
        ),
        GROUP.replace(b"<HealthStatus>Healthy<", b"<Roles><member>a</member></Roles><HealthStatus>Healthy<"),
        GROUP.replace(
            b"<member>\n            <ProtectedFromScaleIn>", b"<member a='b'><ProtectedFromScaleIn>"
        ),
        GROUP.replace(b"</Instances>", b"<!-- <member><InstanceId>i-1</InstanceId></member> --></Instances>"),
        GROUP[: GROUP.index(b"<Instances>")] + b"<Instances/>",
        b"",
        b"<html>Bad gateway</html>",
    ],
)
def test_an_unusual_answer_is_left_to_botocore(unusual: bytes) -> None:
    assert answered(unusual) == {"status_code": 200, "body": unusual}


def test_an_error_is_left_to_botocore() -> None:
    assert answered(GROUP, status=400) == {"status_code": 400, "body": GROUP}


def uncut() -> dict[str, Any]:
    answer: dict[str, Any] = {"status_code": 200, "body": GROUP}
    cut_answer(response_dict=answer, customized_response_dict=answer)
    return answer


def test_an_answer_to_another_call_is_left_to_botocore() -> None:
    assert uncut() == {"status_code": 200, "body": GROUP}


def test_nothing_is_cut_out_after_the_call() -> None:
    answered(GROUP)
    assert uncut() == {"status_code": 200, "body": GROUP}


def test_of_an_answer_that_botocore_has_read_there_are_no_entries() -> None:
    assert list(Memory(MEMBERS, bytes).of(uncut())) == []
