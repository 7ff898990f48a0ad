"""AWS's answers as our values."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.session import Session

from app.aws import translate
from app.aws.translate import Detail, Member
from app.domain.model import Group, InstanceId, Lifecycle, Power

ID = InstanceId("i-0123456789abcdef0")

LIFECYCLES = {
    "Pending": Lifecycle.PENDING,
    "Pending:Wait": Lifecycle.PENDING,
    "Pending:Proceed": Lifecycle.PENDING,
    "InService": Lifecycle.IN_SERVICE,
    "Terminating": Lifecycle.LEAVING,
    "Terminating:Wait": Lifecycle.LEAVING,
    "Terminating:Proceed": Lifecycle.LEAVING,
    "Terminating:Retained": Lifecycle.LEAVING,
    "Terminated": Lifecycle.LEAVING,
    "Detaching": Lifecycle.OTHER,
    "Detached": Lifecycle.ABSENT,
    "EnteringStandby": Lifecycle.OTHER,
    "Standby": Lifecycle.OTHER,
    "Quarantined": Lifecycle.OTHER,
    "ReplacingRootVolume": Lifecycle.OTHER,
    "ReplacingRootVolume:Wait": Lifecycle.OTHER,
    "ReplacingRootVolume:Proceed": Lifecycle.OTHER,
    "RootVolumeReplaced": Lifecycle.OTHER,
    "Warmed:Pending": Lifecycle.OTHER,
    "Warmed:Pending:Wait": Lifecycle.OTHER,
    "Warmed:Pending:Proceed": Lifecycle.OTHER,
    "Warmed:Pending:Retained": Lifecycle.OTHER,
    "Warmed:Terminating": Lifecycle.OTHER,
    "Warmed:Terminating:Wait": Lifecycle.OTHER,
    "Warmed:Terminating:Proceed": Lifecycle.OTHER,
    "Warmed:Terminating:Retained": Lifecycle.OTHER,
    "Warmed:Terminated": Lifecycle.OTHER,
    "Warmed:Stopped": Lifecycle.OTHER,
    "Warmed:Running": Lifecycle.OTHER,
    "Warmed:Hibernated": Lifecycle.OTHER,
}

POWERS = {
    "pending": Power.PENDING,
    "running": Power.RUNNING,
    "stopping": Power.STOPPED,
    "stopped": Power.STOPPED,
    "shutting-down": Power.ENDING,
    "terminated": Power.TERMINATED,
}


@pytest.mark.parametrize(("word", "expected"), LIFECYCLES.items())
def test_each_lifecycle_state_is_reduced_to_what_we_decide_by(word: str, expected: Lifecycle) -> None:
    assert translate.lifecycle(word) is expected


@pytest.mark.parametrize("word", ["", "Dreaming", "inservice", "PendingReview"])
def test_a_lifecycle_state_we_do_not_know_is_other(word: str) -> None:
    assert translate.lifecycle(word) is Lifecycle.OTHER


@pytest.mark.parametrize(("word", "expected"), POWERS.items())
def test_each_instance_state_is_reduced_to_what_we_decide_by(word: str, expected: Power) -> None:
    assert translate.power(word) is expected


def test_an_instance_state_we_do_not_know_is_unknown() -> None:
    assert translate.power("levitating") is Power.UNKNOWN


@pytest.mark.parametrize(
    ("service", "shape", "table"),
    [("autoscaling", "LifecycleState", LIFECYCLES), ("ec2", "InstanceStateName", POWERS)],
)
def test_every_state_that_this_boto3_knows_has_been_thought_about(
    service: str, shape: str, table: dict[str, object]
) -> None:
    assert set(Session().get_service_model(service).shape_for(shape).metadata["enum"]) <= set(table)


def test_a_groups_figures_are_read() -> None:
    answer = {"DesiredCapacity": 7, "MinSize": 0, "MaxSize": 20}
    assert translate.group(answer) == Group(desired=7, min_size=0, max_size=20)


@pytest.mark.parametrize(("answer", "arn"), [({"AutoScalingGroupARN": "arn:x"}, "arn:x"), ({}, None)])
def test_a_groups_arn_is_read(answer: dict[str, Any], arn: str | None) -> None:
    assert translate.group(answer).arn == arn


@pytest.mark.parametrize(
    ("processes", "launches"),
    [([], True), (["Terminate", "AZRebalance"], True), (["Launch"], False), (["Launch", "Terminate"], False)],
)
def test_a_group_launches_unless_that_is_suspended(processes: list[str], launches: bool) -> None:
    answer = {"SuspendedProcesses": [{"ProcessName": name, "SuspensionReason": ""} for name in processes]}
    assert translate.group(answer).launches is launches


def test_a_member_is_read() -> None:
    answer = {
        "InstanceId": ID,
        "LifecycleState": "Pending:Wait",
        "HealthStatus": "Healthy",
        "ProtectedFromScaleIn": True,
        "AvailabilityZone": "eu-west-1b",
    }
    assert translate.member(answer) == Member(
        id=ID,
        lifecycle=Lifecycle.PENDING,
        raw_lifecycle="Pending:Wait",
        healthy=True,
        protected=True,
        zone="eu-west-1b",
        template=None,
    )


LAUNCH_TEMPLATE = {"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "vscode"}


@pytest.mark.parametrize(
    ("answer", "template"),
    [
        ({"LaunchTemplate": {**LAUNCH_TEMPLATE, "Version": "3"}}, "lt-0123456789abcdef0:3"),
        ({"LaunchTemplate": LAUNCH_TEMPLATE}, "lt-0123456789abcdef0"),
        ({"LaunchTemplate": {}, "LaunchConfigurationName": "vscode-7"}, "vscode-7"),
        ({"LaunchConfigurationName": "vscode-7"}, "vscode-7"),
        ({"LaunchConfigurationName": ""}, None),
        ({}, None),
    ],
)
def test_a_member_tells_what_it_was_launched_from(answer: dict[str, Any], template: str | None) -> None:
    assert translate.member({"InstanceId": ID, **answer}).template == template


@pytest.mark.parametrize(
    ("answer", "protects"), [({}, False), ({"NewInstancesProtectedFromScaleIn": True}, True)]
)
def test_a_group_tells_whether_it_protects_new_instances(answer: dict[str, Any], protects: bool) -> None:
    assert translate.protects_new(answer) is protects


@pytest.mark.parametrize(
    ("word", "healthy"),
    [("Healthy", True), ("HEALTHY", True), ("Unhealthy", False), ("UNHEALTHY", False), ("", False)],
)
def test_both_lists_ways_to_write_health_are_understood(word: str, healthy: bool) -> None:
    assert translate.member({"InstanceId": ID, "HealthStatus": word}).healthy is healthy


def described(**fields: Any) -> dict[str, Any]:
    return {
        "InstanceId": ID,
        "State": {"Name": "running", "Code": 16},
        "PublicIpAddress": "203.0.113.7",
        "PrivateIpAddress": "10.0.0.7",
        "Placement": {"AvailabilityZone": "eu-west-1a"},
        **fields,
    }


def test_the_public_address_is_handed_out_where_the_pool_is_public() -> None:
    assert translate.detail(described(), "public").address == "203.0.113.7"


def test_the_private_address_is_handed_out_where_the_pool_is_private() -> None:
    assert translate.detail(described(), "private").address == "10.0.0.7"


def test_a_private_address_never_stands_in_for_a_public_one() -> None:
    answer = described()
    del answer["PublicIpAddress"]
    assert translate.detail(answer, "public").address is None


def test_an_empty_address_is_none() -> None:
    assert translate.detail(described(PublicIpAddress=""), "public").address is None


def test_the_launch_time_is_brought_to_utc() -> None:
    launched = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    told = translate.detail(described(LaunchTime=launched), "public").launched_at
    assert (told, told and told.tzinfo) == (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), UTC)


def test_a_description_without_anything_is_of_unknown_power() -> None:
    assert translate.detail({}, "public") == Detail(power=Power.UNKNOWN)


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("8443", 8443),
        ("1", 1),
        ("65535", 65535),
        ("0", None),
        ("65536", None),
        ("-1", None),
        ("", None),
        (" 80", None),
        ("8080/tcp", None),
        ("٣", None),
    ],
)
def test_the_port_tag_counts_only_where_it_is_a_port(value: str, port: int | None) -> None:
    tags = [{"Key": "Name", "Value": "80"}, {"Key": "ec2-orchestrator:port", "Value": value}]
    assert translate.detail(described(Tags=tags), "public").port == port


def tagged(**tags: str) -> dict[str, Any]:
    return described(
        Tags=[
            {"Key": f"ec2-orchestrator:{key.replace('_', '-')}", "Value": value}
            for key, value in tags.items()
        ]
    )


@pytest.mark.parametrize("text", ["atlas", " atlas", "no project: §", "status"])
def test_who_holds_an_instance_is_told_as_it_is_written(text: str) -> None:
    assert translate.detail(tagged(project=text), "public").holder == text


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_a_name_that_is_empty_is_nobodys(text: str) -> None:
    assert translate.detail(tagged(project=text), "public").holder is None


def test_without_the_tag_nobody_holds_an_instance() -> None:
    answer = described(Tags=[{"Key": "project", "Value": "atlas"}])
    assert translate.detail(answer, "public").holder is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T12:00:00+00:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T13:00:00+01:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00", None),
        ("2026-11-22", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("22.11.2026", None),
        ("", None),
    ],
)
def test_since_when_counts_only_where_it_is_a_time(text: str, moment: datetime | None) -> None:
    told = translate.detail(tagged(allocated_at=text), "public").held_since
    assert (told, told and told.tzinfo) == (moment, moment and UTC)


def test_a_member_tells_what_is_written_on_it() -> None:
    listed = translate.member({"InstanceId": ID, "LaunchConfigurationName": "vscode-7"})
    written = tagged(project="atlas", allocated_at="2026-11-22T12:00:00Z")
    look = translate.seen_member(listed, translate.detail(written, "public"))
    assert (look.holder, look.held_since, look.template) == (
        "atlas",
        datetime(2026, 11, 22, 12, tzinfo=UTC),
        "vscode-7",
    )


def test_an_instance_outside_the_group_tells_what_is_written_on_it() -> None:
    look = translate.seen_outside(ID, translate.detail(tagged(project="atlas"), "public"))
    assert look.holder == "atlas"


def test_a_member_that_ec2_does_not_list_has_no_address_and_unknown_power() -> None:
    look = translate.seen_member(translate.member({"InstanceId": ID, "LifecycleState": "InService"}), None)
    assert (look.address, look.power, look.lifecycle) == (None, Power.UNKNOWN, Lifecycle.IN_SERVICE)


def test_an_instance_outside_the_group_is_no_member() -> None:
    assert not translate.seen_outside(ID, translate.detail(described(), "public")).member
