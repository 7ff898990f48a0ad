"""AwsPreflight over HTTP: what it finds, and that it changes nothing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.aws.connection import Connection
from app.aws.permissions import ABSURD_SIZE, NOBODY, Permissions
from app.aws.preflight import AwsPreflight
from app.domain.finding import Finding, Verdict
from app.simulator.clock import utc_now
from tests.fakes import FakeClock
from tests.integration.gateway.bench import ACTIVITIES, DETAILS, GROUPS, MEMBERS, Bench
from tests.simulated import GROUP, KEYS, connected

BUFFER = 5
CHANGES = [
    "autoscaling:SetDesiredCapacity",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "autoscaling:SetInstanceProtection",
    "ec2:CreateTags",
]
READS = ["autoscaling:DescribeAutoScalingGroups", f"autoscaling:{ACTIVITIES}", f"ec2:{DETAILS}"]


class RunningClock:
    """One that runs on while AWS is asked, as that of a machine does."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return utc_now() + self._ahead


def preflight(connection: Connection, group: str = GROUP, *, ahead: timedelta = timedelta()) -> AwsPreflight:
    return AwsPreflight(connection, group, RunningClock(ahead), confirm=lambda: None)


def examined(bench: Bench, *, ahead: timedelta = timedelta()) -> dict[str, Finding]:
    """Examine, by a clock that goes right unless it is told otherwise; return the findings by their check."""
    found = preflight(bench.connection, ahead=ahead).examine(BUFFER)
    assert len({one.check for one in found}) == len(found)
    return {one.check: one for one in found}


def verdicts(found: dict[str, Finding]) -> dict[Verdict, list[str]]:
    return {
        verdict: [one.check for one in found.values() if one.verdict is verdict]
        for verdict in {one.verdict for one in found.values()}
    }


def permission(found: dict[str, Finding], action: str) -> Finding:
    return found[f"permission {action}"]


def test_where_all_is_well_every_line_says_so(bench: Bench) -> None:
    bench.grown(1)
    assert list(verdicts(examined(bench))) == [Verdict.OK]


def test_nothing_that_needs_no_mending_has_a_remedy(bench: Bench) -> None:
    bench.grown(1)
    assert [one.check for one in examined(bench).values() if one.remedy] == []


def test_every_permission_that_is_needed_is_looked_at(bench: Bench) -> None:
    bench.grown(1)
    found = examined(bench)
    assert {check for check in found if check.startswith("permission")} == {
        f"permission {action}" for action in (*READS, *CHANGES)
    }


def test_an_examination_costs_one_call_for_each_permission(bench: Bench) -> None:
    bench.grown(1)
    calls = bench.calls(lambda: examined(bench))
    assert calls == dict.fromkeys((action.partition(":")[2] for action in (*READS, *CHANGES)), 1)


# It changes nothing.


def test_an_examination_changes_nothing(bench: Bench) -> None:
    bench.grown(2)
    before = bench.simulated.state()
    examined(bench)
    assert bench.simulated.state() == before


def test_every_change_it_asks_for_is_refused(bench: Bench) -> None:
    bench.grown(1)
    examined(bench)
    outcomes = {
        call["action"]: call["outcome"]
        for call in bench.simulated.calls.as_json()["calls"]
        if not call["action"].startswith("Describe")
    }
    assert outcomes == {
        "SetDesiredCapacity": "ValidationError",
        "TerminateInstanceInAutoScalingGroup": "ValidationError",
        "SetInstanceProtection": "ValidationError",
        "CreateTags": "DryRunOperation",
    }


def test_every_change_it_asks_for_is_one_that_cannot_be(bench: Bench) -> None:
    (member,) = bench.grown(1)
    examined(bench)
    sent = {call["action"]: call["params"] for call in bench.simulated.calls.as_json()["calls"]}
    assert sent["SetDesiredCapacity"]["DesiredCapacity"] == str(ABSURD_SIZE)
    assert sent["TerminateInstanceInAutoScalingGroup"]["InstanceId"] == NOBODY
    assert sent["SetInstanceProtection"]["InstanceIds.member.1"] == NOBODY
    assert (sent["CreateTags"]["DryRun"], sent["CreateTags"]["ResourceId.1"]) == ("true", member)


def test_where_the_max_size_could_be_reached_no_size_is_asked_for(bench: Bench) -> None:
    bench.simulated.change_group({"max": ABSURD_SIZE})
    found = permission(examined(bench), "autoscaling:SetDesiredCapacity")
    assert found.verdict is Verdict.UNKNOWN
    assert "SetDesiredCapacity" not in bench.simulated.calls.as_json()["counts"]


def test_what_only_looks_like_aws_is_not_asked_for_an_absurd_size(bench: Bench) -> None:
    """A mock that checks no sizes would launch two thousand million instances."""
    permissions = Permissions(bench.connection, GROUP, lambda: None)

    found = list(permissions.examine({"MaxSize": 10}, listable=True, genuine=False))

    (resize,) = [one for one in found if "SetDesiredCapacity" in one.check]
    assert resize.verdict is Verdict.UNKNOWN
    assert "SetDesiredCapacity" not in bench.simulated.calls.as_json()["counts"]


# Permissions.


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("autoscaling:DescribeAutoScalingGroups", Verdict.WARNING),
        ("autoscaling:DescribeScalingActivities", Verdict.WARNING),
        ("ec2:DescribeInstances", Verdict.FAILURE),
        ("autoscaling:SetDesiredCapacity", Verdict.FAILURE),
        ("autoscaling:TerminateInstanceInAutoScalingGroup", Verdict.UNKNOWN),
        ("autoscaling:SetInstanceProtection", Verdict.WARNING),
        ("ec2:CreateTags", Verdict.WARNING),
    ],
)
def test_a_missing_permission_is_found_with_its_remedy(bench: Bench, action: str, verdict: Verdict) -> None:
    bench.grown(1)
    bench.deny(action.partition(":")[2])
    found = permission(examined(bench), action)
    assert (found.verdict, "AccessDenied" in found.detail) == (verdict, True)
    assert f'"Action": "{action}"' in found.remedy


@pytest.mark.parametrize("action", CHANGES)
def test_a_missing_permission_leaves_all_other_findings_as_they_are(bench: Bench, action: str) -> None:
    bench.grown(1)
    before = examined(bench)
    bench.deny(action.partition(":")[2])
    after = examined(bench)
    assert {check for check in before if before[check] != after[check]} == {f"permission {action}"}


def test_a_denied_termination_may_be_allowed_for_a_member(bench: Bench) -> None:
    bench.deny("TerminateInstanceInAutoScalingGroup")
    found = permission(examined(bench), "autoscaling:TerminateInstanceInAutoScalingGroup")
    assert "yet allow to end a member" in found.detail


def test_the_remedy_names_the_group_it_is_about(bench: Bench) -> None:
    bench.deny("SetDesiredCapacity")
    remedy = permission(examined(bench), "autoscaling:SetDesiredCapacity").remedy
    assert f":autoScalingGroupName/{GROUP}" in remedy


@pytest.mark.parametrize("action", [*READS[1:], *CHANGES])
@pytest.mark.parametrize("kind", ["throttled", "html"])
def test_what_aws_does_not_answer_is_unknown(bench: Bench, action: str, kind: str) -> None:
    bench.grown(1)
    name = action.partition(":")[2]
    if kind == "throttled":
        bench.throttle(name)
    else:
        bench.fault(name, kind)
    found = permission(examined(bench), action)
    assert (found.verdict, action in found.detail) == (Verdict.UNKNOWN, True)


def test_without_a_member_nobody_can_tell_whether_tags_may_be_written(bench: Bench) -> None:
    found = permission(examined(bench), "ec2:CreateTags")
    assert found.verdict is Verdict.UNKNOWN
    assert "CreateTags" not in bench.simulated.calls.as_json()["counts"]


def test_without_the_groups_list_the_accounts_list_is_needed(bench: Bench) -> None:
    bench.deny(GROUPS)
    bench.deny(MEMBERS)
    assert permission(examined(bench), f"autoscaling:{MEMBERS}").verdict is Verdict.FAILURE


def test_without_the_groups_list_the_max_size_is_unknown_and_no_size_is_asked_for(bench: Bench) -> None:
    bench.deny(GROUPS)
    found = examined(bench)
    assert permission(found, "autoscaling:SetDesiredCapacity").verdict is Verdict.UNKNOWN
    assert found["Auto Scaling group"].verdict is Verdict.UNKNOWN
    assert "SetDesiredCapacity" not in bench.simulated.calls.as_json()["counts"]


# The group.


def test_a_group_that_is_missing_is_a_failure(bench: Bench) -> None:
    found = preflight(bench.connection, "no-such-asg").examine(BUFFER)
    (group,) = [one for one in found if one.check == "Auto Scaling group"]
    assert (group.verdict, "no-such-asg" in group.detail) == (Verdict.FAILURE, True)
    assert "describe-auto-scaling-groups" in group.remedy


@pytest.mark.parametrize(("least", "most", "verdict"), [(0, 5, Verdict.OK), (1, 5, Verdict.WARNING)])
def test_the_max_size_must_leave_room_for_the_buffer(
    bench: Bench, least: int, most: int, verdict: Verdict
) -> None:
    bench.simulated.change_group({"min": least, "max": most})
    found = examined(bench)["max size of the group"]
    assert (found.verdict, "--max-size 6" in found.remedy) == (verdict, verdict is Verdict.WARNING)


def test_a_group_that_does_not_protect_is_well_but_could_be_better(bench: Bench) -> None:
    bench.simulated.change_group({"protect": False})
    found = examined(bench)["protection of new instances"]
    assert found.verdict is Verdict.OK
    assert found.remedy == (
        f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {GROUP} "
        "--new-instances-protected-from-scale-in --region us-east-1"
    )


@pytest.mark.parametrize(
    ("suspended", "check", "command"),
    [
        ([], "zone rebalancing", "suspend-processes"),
        (["AZRebalance", "Launch"], "suspended processes", "resume-processes"),
        (["AZRebalance", "Terminate"], "suspended processes", "resume-processes"),
    ],
)
def test_a_danger_in_the_groups_settings_is_a_warning(
    bench: Bench, suspended: list[str], check: str, command: str
) -> None:
    bench.grown(1)
    bench.simulated.change_group({"suspended": suspended})
    found = examined(bench)
    assert verdicts(found)[Verdict.WARNING] == [check]
    assert command in found[check].remedy


def test_a_warm_pool_that_reuses_instances_is_a_warning(bench: Bench) -> None:
    bench.grown(1)
    bench.operator.groups.put_warm_pool(
        AutoScalingGroupName=GROUP, InstanceReusePolicy={"ReuseOnScaleIn": True}
    )
    assert verdicts(examined(bench))[Verdict.WARNING] == ["reuse by a warm pool"]


# Access, and the clock.


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        (0, Verdict.OK, "agrees"),
        (55, Verdict.OK, "agrees"),
        (-55, Verdict.OK, "agrees"),
        (90, Verdict.WARNING, "ahead of"),
        (-90, Verdict.WARNING, "behind"),
        (400, Verdict.FAILURE, "ahead of"),
        (-400, Verdict.FAILURE, "behind"),
    ],
)
def test_a_clock_that_goes_wrong_is_found(bench: Bench, ahead: int, verdict: Verdict, words: str) -> None:
    found = examined(bench, ahead=timedelta(seconds=ahead))["clock of this machine"]
    assert (found.verdict, words in found.detail) == (verdict, True)


def test_a_clock_that_is_so_wrong_that_aws_refuses_us_is_found_all_the_same(bench: Bench) -> None:
    bench.fault(GROUPS, code="RequestExpired", status=400)
    found = examined(bench, ahead=timedelta(hours=1))
    assert found["clock of this machine"].verdict is Verdict.FAILURE
    assert found["AWS credentials and region"].verdict is Verdict.FAILURE


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ({"code": "ExpiredToken", "status": 403}, Verdict.FAILURE),
        ({"code": "InvalidClientTokenId", "status": 403}, Verdict.FAILURE),
        ({"code": "Odd", "status": 400}, Verdict.FAILURE),
        ({"code": "Throttling", "status": 400}, Verdict.UNKNOWN),
        ({"kind": "html"}, Verdict.FAILURE),
        ({"kind": "drop"}, Verdict.FAILURE),
    ],
)
def test_where_aws_cannot_be_asked_nothing_else_is_tried(
    bench: Bench, fault: dict[str, Any], verdict: Verdict
) -> None:
    bench.fault(GROUPS, **fault)
    bench.simulated.calls.clear()
    access, clock = examined(bench).values()
    assert (access.verdict, bool(access.remedy), clock.check) == (verdict, True, "clock of this machine")
    assert set(bench.simulated.calls.as_json()["counts"]) == {GROUPS}


def test_where_nobody_listens_nothing_raises(bench: Bench) -> None:
    nowhere = connected(bench.simulated, keys=KEYS, endpoint_url="http://127.0.0.1:9")
    access, clock = AwsPreflight(nowhere, GROUP, FakeClock(), confirm=lambda: None).examine(BUFFER)
    assert (access.verdict, clock.verdict) == (Verdict.FAILURE, Verdict.UNKNOWN)


def test_a_region_that_is_none_is_a_failure(bench: Bench) -> None:
    nonsense = connected(bench.simulated, region="no such region", endpoint_url=None)
    access, _ = AwsPreflight(nonsense, GROUP, FakeClock(), confirm=lambda: None).examine(BUFFER)
    assert (access.verdict, "no such region" in access.remedy) == (Verdict.FAILURE, True)


def test_where_our_own_budget_is_used_up_the_rest_is_unknown(bench: Bench) -> None:
    spent = preflight(connected(bench.simulated, clock=lambda: 0.0))
    found = [spent.examine(BUFFER) for _ in range(20)][-1]
    denied = {one.check for one in found if "our own budget" in one.detail}
    assert {f"permission {action}" for action in CHANGES[:3]} <= denied
    assert {one.verdict for one in found if one.check in denied} == {Verdict.UNKNOWN}
