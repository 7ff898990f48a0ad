"""What an operator is told."""

from typing import Any

import pytest

from app.aws import notices
from app.domain.model import Lifecycle, Power
from tests.builders import a_look

SAFE: dict[str, Any] = {
    "SuspendedProcesses": [{"ProcessName": "AZRebalance"}],
    "AvailabilityZones": ["eu-west-1a", "eu-west-1b"],
    "HealthCheckType": "EC2",
}


def test_a_safe_group_gives_no_notice() -> None:
    assert list(notices.hazards(SAFE)) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SuspendedProcesses": []}, "group-rebalances"),
        ({"MaxInstanceLifetime": 604_800}, "group-limits-lifetime"),
        ({"HealthCheckType": "EC2,ELB"}, "group-checks-elb"),
        ({"CapacityRebalance": True}, "group-rebalances-spot"),
        (
            {"WarmPoolConfiguration": {"InstanceReusePolicy": {"ReuseOnScaleIn": True}}},
            "group-reuses-instances",
        ),
        (
            {"SuspendedProcesses": [{"ProcessName": "AZRebalance"}, {"ProcessName": "Launch"}]},
            "group-process-suspended",
        ),
    ],
)
def test_each_danger_gives_its_notice(change: dict[str, Any], code: str) -> None:
    assert [notice.code for notice in notices.hazards({**SAFE, **change})] == [code]


@pytest.mark.parametrize(
    "harmless",
    [
        {"NewInstancesProtectedFromScaleIn": False},  # we protect each member ourselves
        {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Latest"}},
        {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Default"}},
        {"CapacityRebalance": False},
        {"WarmPoolConfiguration": {"PoolState": "Stopped"}},
        {"WarmPoolConfiguration": {"InstanceReusePolicy": {"ReuseOnScaleIn": False}}},
        {"SuspendedProcesses": [{"ProcessName": "AZRebalance"}, {"ProcessName": "AlarmNotification"}]},
    ],
)
def test_what_is_harmless_gives_no_notice(harmless: dict[str, Any]) -> None:
    assert list(notices.hazards({**SAFE, **harmless})) == []


def test_a_group_in_one_zone_has_nothing_to_rebalance() -> None:
    alone = {**SAFE, "SuspendedProcesses": [], "AvailabilityZones": ["eu-west-1a"]}
    assert list(notices.hazards(alone)) == []


def test_a_running_member_without_an_address_is_noticed() -> None:
    bare = a_look(address=None)
    (notice,) = notices.without_address([a_look(), bare], "public")
    assert (notice.code, bare.id in notice.detail) == ("no-address", True)


@pytest.mark.parametrize(
    "look",
    [
        a_look(),
        a_look(address=None, power=Power.UNKNOWN),
        a_look(address=None, lifecycle=Lifecycle.PENDING),
    ],
)
def test_a_member_that_may_still_get_its_address_is_not_noticed(look: Any) -> None:
    assert list(notices.without_address([look], "public")) == []
