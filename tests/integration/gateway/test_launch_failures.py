"""AwsCloud over HTTP: what a group failed to launch, in AWS's own words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.domain.errors import Denied, Throttled
from app.domain.model import Limit
from app.simulator.clock import utc_now
from tests.integration.gateway.bench import ACTIVITIES, Bench
from tests.simulated import GROUP, NEVER
from tests.waiting import until

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def cancelled(bench: Bench) -> int:
    """Count the activities that AWS has cancelled."""
    found = bench.operator.groups.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
    return sum(one["StatusCode"] == "Cancelled" for one in found)


def short_of(bench: Bench, kind: str) -> None:
    """Let the group fail to launch one instance."""
    bench.simulated.limit_capacity(0, kind)
    bench.simulated.change_group({"desired": 1})
    until(lambda: bench.cloud.launch_failures(LONG_AGO), what="a failed launch")


@pytest.mark.parametrize(
    ("kind", "limit", "part"),
    [
        ("capacity", Limit.CAPACITY, "do not have sufficient t3.medium capacity"),
        ("quota", Limit.QUOTA, "more vCPU capacity than your current vCPU limit"),
        ("configuration", Limit.CONFIGURATION, "The key pair 'vscode' does not exist."),
    ],
)
def test_each_reason_is_told_in_awss_own_words(bench: Bench, kind: str, limit: Limit, part: str) -> None:
    short_of(bench, kind)
    failure = bench.cloud.launch_failures(LONG_AGO)[0]
    assert (failure.limit, part in failure.message, failure.zone) == (limit, True, "us-east-1a")


def test_failures_come_newest_first(bench: Bench) -> None:
    bench.simulated.limit_capacity(0, "quota")
    bench.simulated.change_group({"desired": 3})
    failures = until(lambda: bench.cloud.launch_failures(LONG_AGO), what="failed launches")
    assert [one.at for one in failures] == sorted((one.at for one in failures), reverse=True)
    assert len(failures) == 3


def test_at_most_a_hundred_are_read_with_one_call(bench: Bench) -> None:
    bench.simulated.limit_capacity(0, "capacity")
    bench.simulated.change_group({"max": 200, "desired": 20})
    for _ in range(6):
        before = len(bench.cloud.launch_failures(LONG_AGO))
        bench.simulated.limit_capacity(0, "capacity")
        until(lambda b=before: len(bench.cloud.launch_failures(LONG_AGO)) >= min(b + 20, 100))  # type: ignore[misc]
    assert len(bench.cloud.launch_failures(LONG_AGO)) == 100
    assert bench.calls(lambda: bench.cloud.launch_failures(LONG_AGO)) == {ACTIVITIES: 1}


def test_the_time_is_sent_in_utc(bench: Bench) -> None:
    bench.cloud.launch_failures(datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1))))
    (sent,) = bench.sent()
    assert sent["Filters.member.1.Name"] == "StartTimeLowerBound"
    assert sent["Filters.member.1.Values.member.1"] == "2026-11-22T12:00:00+00:00"


def test_what_failed_before_is_not_told(bench: Bench) -> None:
    short_of(bench, "quota")
    assert bench.cloud.launch_failures(utc_now() + timedelta(hours=1)) == []


def test_a_scale_in_that_found_every_member_protected_is_no_failed_launch(bench: Bench) -> None:
    bench.grown(2)
    bench.simulated.change_group({"desired": 1})
    until(lambda: cancelled(bench), what="the group gives up")
    assert bench.cloud.launch_failures(LONG_AGO) == []


def test_a_member_that_was_killed_while_it_booted_is_no_failed_launch(bench: Bench) -> None:
    bench.simulated.change_group({"boot_seconds": NEVER})
    bench.simulated.change_group({"desired": 1})
    (one,) = until(lambda: bench.look().instances, what="a pending member")
    bench.simulated.terminate(one)
    until(lambda: cancelled(bench), what="the launch is cancelled")
    assert bench.cloud.launch_failures(LONG_AGO) == []


def test_failures_that_may_not_be_read_are_denied(bench: Bench) -> None:
    bench.deny(ACTIVITIES)
    with pytest.raises(Denied, match=f"autoscaling:{ACTIVITIES}: AccessDenied"):
        bench.cloud.launch_failures(LONG_AGO)


def test_failures_that_aws_throttles_raise(bench: Bench) -> None:
    bench.throttle(ACTIVITIES)
    with pytest.raises(Throttled):
        bench.cloud.launch_failures(LONG_AGO)
