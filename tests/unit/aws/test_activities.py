"""Scaling activities as failed launches, each with its reason."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from app.aws import activities
from app.domain.model import Limit
from app.domain.setbacks import LaunchFailure

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

SENTENCES = {
    "We currently do not have sufficient t3.medium capacity in the Availability Zone you requested "
    "(eu-west-1a). Our system will be working on provisioning additional capacity.": Limit.CAPACITY,
    "Insufficient capacity. Launching EC2 instance failed.": Limit.CAPACITY,
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - There is no On-Demand capacity "
    "available that matches your request. Launching EC2 instance failed.": Limit.CAPACITY,
    "There is no Spot capacity available that matches your request.": Limit.CAPACITY,
    "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity.": Limit.CAPACITY,
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
    "Server.SpotInstanceTermination: Spot instance termination": Limit.CAPACITY,
    "Server.InternalError: Internal error on launch": Limit.CAPACITY,
    "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket "
    "that the specified instance type belongs to.": Limit.QUOTA,
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more.": Limit.QUOTA,
    "You have requested more instances (7) than your current instance limit of 6 allows for the specified "
    "instance type. Launching EC2 instance failed.": Limit.QUOTA,
    "20 instance(s) are already running. Launching EC2 instance failed.": Limit.QUOTA,
    "Max spot instance count exceeded. Launching EC2 instance failed.": Limit.QUOTA,
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
    "Client.VolumeLimitExceeded: Volume limit exceeded": Limit.QUOTA,
    "The key pair 'vscode' does not exist. Launching EC2 instance failed.": Limit.CONFIGURATION,
    "The security group 'sg-1' does not exist. Launching EC2 instance failed.": Limit.CONFIGURATION,
    "Your requested instance type (t3.medium) is not supported in your requested Availability Zone "
    "(eu-west-1a).": Limit.CONFIGURATION,
    "Invalid device name upload. Launching EC2 instance failed.": Limit.CONFIGURATION,
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
    "Client.InternalError: Client error on launch": Limit.CONFIGURATION,
    "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token e85eb647 was "
    "abandoned: Lifecycle Action Completed with ABANDON Result": Limit.CONFIGURATION,
    "AWS says something nobody has ever heard.": Limit.CONFIGURATION,
}
"""From the user guide's chapter on launch failures, and as people have met them."""


def an_activity(**fields: Any) -> dict[str, Any]:
    return {
        "ActivityId": "d25597f4-007b-e8ad-2474-fb39d1b0e21b",
        "Description": "Launching a new EC2 instance.  Status Reason: Insufficient capacity.",
        "Cause": "At 2026-11-22T12:00:00Z an instance was started in response to a difference",
        "StartTime": AT,
        "StatusCode": "Failed",
        "StatusMessage": "Insufficient capacity.",
        "Details": '{"Subnet ID":"subnet-1","Availability Zone":"eu-west-1a"}',
        **fields,
    }


@pytest.mark.parametrize(("sentence", "limit"), SENTENCES.items())
def test_each_sentence_of_aws_has_its_class(sentence: str, limit: Limit) -> None:
    assert activities.reason(sentence) is limit


@pytest.mark.parametrize("sentence", SENTENCES)
def test_upper_and_lower_case_do_not_matter(sentence: str) -> None:
    assert activities.reason(sentence.upper()) is activities.reason(sentence)


def test_a_failed_launch_is_read() -> None:
    assert activities.launch_failures([an_activity()]) == [
        LaunchFailure(limit=Limit.CAPACITY, message="Insufficient capacity.", at=AT, zone="eu-west-1a")
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"StatusCode": "Successful"},
        {"StatusCode": "InProgress"},
        {"StatusCode": "WaitingForSpotInstanceId"},
        {"Description": "Terminating EC2 instance: i-1"},
        {
            "Description": "Could not scale to desired capacity because all remaining instances are protected"
            " from scale-in.",
            "StatusCode": "Cancelled",
        },
        {
            "StatusCode": "Cancelled",
            "StatusMessage": "Instance became unhealthy while waiting for instance to be in InService state. "
            "Termination Reason: Client.UserInitiatedShutdown: User initiated shutdown",
        },
        {"StartTime": None},
        {"Description": None},
    ],
)
def test_whatever_else_happens_is_no_failed_launch(other: dict[str, Any]) -> None:
    assert activities.launch_failures([an_activity(**other)]) == []


@pytest.mark.parametrize(
    "description",
    ["Launching a new EC2 instance: i-1", "Launching EC2 instance into warm pool: i-1", "LAUNCHING it"],
)
def test_a_cancelled_launch_has_failed_as_well(description: str) -> None:
    told = activities.launch_failures([an_activity(Description=description, StatusCode="Cancelled")])
    assert len(told) == 1


def test_without_a_message_the_description_says_why() -> None:
    (failure,) = activities.launch_failures([an_activity(StatusMessage=None)])
    assert failure.message == "Launching a new EC2 instance. Status Reason: Insufficient capacity."


@pytest.mark.parametrize(
    "details", [None, "", "{", "[]", "{}", '{"Availability Zone": ""}', '{"Availability Zone": 7}']
)
def test_details_that_do_not_tell_the_zone_are_passed_over(details: str | None) -> None:
    (failure,) = activities.launch_failures([an_activity(Details=details)])
    assert failure.zone is None


def test_the_newest_failure_comes_first() -> None:
    older, newer = an_activity(StartTime=AT), an_activity(StartTime=AT + timedelta(seconds=1))
    assert [one.at for one in activities.launch_failures([older, newer])] == [newer["StartTime"], AT]


def test_times_are_brought_to_utc() -> None:
    local = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    (failure,) = activities.launch_failures([an_activity(StartTime=local)])
    assert (failure.at, failure.at.tzinfo) == (AT, UTC)
