"""AwsCloud through real boto3, over HTTP, against the simulated cloud: what it costs, and what goes wrong."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from boto3.session import Session

from app.aws import AwsCloud, Connection, StaticKeys
from app.domain.errors import (
    BadCredentials,
    CloudUnavailable,
    Denied,
    OutcomeUnknown,
    Throttled,
    Unexpected,
)
from app.domain.model import Group, InstanceId, Observation, Power, ProjectId
from app.ports import TerminateOutcome
from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from app.simulator.faults import Fault
from tests.builders import NOW, an_instance_id
from tests.fakes import FakeClock
from tests.waiting import until

GROUP = "vscode-asg"
KEYS = StaticKeys("AKIDEXAMPLE", "not-a-secret")
NEVER = 3600.0
SWEEP = timedelta(minutes=5)

GROUPS = "DescribeAutoScalingGroups"
MEMBERS = "DescribeAutoScalingInstances"
DETAILS = "DescribeInstances"

CHANGES: dict[str, Callable[[AwsCloud, InstanceId], object]] = {
    "SetDesiredCapacity": lambda cloud, _: cloud.raise_desired(2),
    "TerminateInstanceInAutoScalingGroup": lambda cloud, one: cloud.terminate(one),
    "CreateTags": lambda cloud, one: cloud.tag_allocation(one, ProjectId("atlas"), NOW),
}


class Bench:
    """A gateway that has not looked yet, the cloud behind it, and the calls that arrived there."""

    def __init__(self, simulated: SimulatedCloud, connection: Connection) -> None:
        self.simulated = simulated
        self.clock = FakeClock()
        self.cloud = AwsCloud(connection, group=GROUP, address="private", clock=self.clock)

    def settle(self, count: int) -> list[InstanceId]:
        """Wait until the group has this many members in service; return their ids, and forget the calls."""

        def settled() -> list[InstanceId]:
            instances = self.simulated.state()["instances"]
            ids = [InstanceId(one["id"]) for one in instances if one["lifecycle"] == "InService"]
            return ids if len(ids) == count else []

        ids = until(settled, within=20, what=f"{count} members in service")
        self.simulated.calls.clear()
        return ids

    def calls(self, during: Callable[[], object]) -> dict[str, int]:
        """Do something, and count the calls that this makes, by action."""
        self.simulated.calls.clear()
        during()
        counts: dict[str, int] = self.simulated.calls.as_json()["counts"]
        return counts

    def look(self) -> Observation:
        return self.cloud.observe(())

    def fault(self, action: str, kind: str = "error", **fields: object) -> None:
        """Let calls of this action fail from now on."""
        self.simulated.faults.add(Fault(kind, action, **fields))  # type: ignore[arg-type]

    def deny(self, action: str) -> None:
        self.fault(action, code="AccessDenied", status=403, message="User: x is not authorized to perform")


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedCloud]:
    config = CloudConfig(
        bind="127.0.0.1:0",
        group=GROUP,
        max_size=200,
        worker="none",
        network="127.82.0.0/16",
        boot_seconds=0.02,
        terminate_seconds=0.05,
        replace_seconds=0.02,
    )
    with SimulatedCloud(config) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def connection(simulated: SimulatedCloud) -> Connection:
    return Connection(region=simulated.config.region, keys=KEYS, endpoint_url=simulated.url)


@pytest.fixture
def impatient(simulated: SimulatedCloud) -> AwsCloud:
    """A gateway that waits 0.2 seconds for an answer."""
    connection = Connection(
        region=simulated.config.region, keys=KEYS, endpoint_url=simulated.url, read_timeout=0.2
    )
    return AwsCloud(connection, group=GROUP, address="private", clock=FakeClock())


@pytest.fixture
def bench(simulated: SimulatedCloud, connection: Connection) -> Bench:
    simulated.reset()
    return Bench(simulated, connection)


def grown(bench: Bench, count: int) -> list[InstanceId]:
    """Give the group so many members, in service."""
    bench.simulated.change_group({"desired": count})
    return bench.settle(count)


# What a look costs.


def test_the_first_look_costs_two_calls(bench: Bench) -> None:
    grown(bench, 2)
    assert bench.calls(bench.look) == {GROUPS: 1, DETAILS: 1}


def test_at_rest_a_look_costs_one_call(bench: Bench) -> None:
    grown(bench, 2)
    bench.look()
    assert bench.calls(bench.look) == {GROUPS: 1}


def test_every_five_minutes_a_look_costs_one_call_more(bench: Bench) -> None:
    grown(bench, 2)
    bench.look()
    bench.clock.advance(SWEEP)
    assert bench.calls(bench.look) == {GROUPS: 1, DETAILS: 1}


def test_a_clock_that_was_set_back_does_not_put_off_the_sweep(bench: Bench) -> None:
    grown(bench, 2)
    bench.look()
    bench.clock.advance(-SWEEP)
    assert bench.calls(bench.look) == {GROUPS: 1, DETAILS: 1}


def test_a_member_that_boots_is_looked_up_at_each_look(bench: Bench) -> None:
    bench.simulated.change_group({"boot_seconds": NEVER})
    bench.simulated.change_group({"desired": 1})
    until(lambda: bool(bench.look().instances), what="a pending member")
    assert bench.calls(bench.look) == {GROUPS: 1, DETAILS: 1}


def test_a_look_at_an_empty_group_costs_one_call(bench: Bench) -> None:
    bench.look()
    assert bench.calls(bench.look) == {GROUPS: 1}


def test_instances_to_account_for_are_looked_up_two_hundred_at_a_time(bench: Bench) -> None:
    bench.look()
    others = [an_instance_id() for _ in range(450)]
    assert bench.calls(lambda: bench.cloud.observe(others))[DETAILS] == 3


def test_members_are_not_looked_up_because_somebody_accounts_for_them(bench: Bench) -> None:
    ids = grown(bench, 2)
    bench.look()
    assert bench.calls(lambda: bench.cloud.observe(ids)) == {GROUPS: 1}


# What a look shows.


def test_an_unknown_id_does_not_hide_the_fate_of_the_others(bench: Bench) -> None:
    (one,) = grown(bench, 1)
    bench.look()
    bench.cloud.terminate(one)
    until(lambda: one not in bench.look().instances, what="the member left")
    assert bench.cloud.observe([an_instance_id(), one]).instances[one].power is Power.TERMINATED


def test_a_member_that_was_stopped_is_not_running_any_more(bench: Bench) -> None:
    (one,) = grown(bench, 1)
    bench.look()
    bench.simulated.change_group({"suspended": ["ReplaceUnhealthy"]})
    bench.simulated.stop_instance(one)
    until(lambda: bench.look().instances[one].power is Power.STOPPED, what="the stop was seen")


def test_the_port_tag_of_an_instance_is_read(bench: Bench, simulated: SimulatedCloud) -> None:
    (one,) = grown(bench, 1)
    session = Session(KEYS.access_key_id, KEYS.secret_access_key, region_name=simulated.config.region)
    session.client("ec2", endpoint_url=simulated.url).create_tags(
        Resources=[one], Tags=[{"Key": "ec2-orchestrator:port", "Value": "8443"}]
    )
    assert bench.look().instances[one].port == 8443


def test_a_group_as_it_should_be_gives_no_notice(bench: Bench) -> None:
    grown(bench, 1)
    assert bench.look().notices == ()


def test_a_group_that_does_not_protect_its_instances_is_noticed(bench: Bench) -> None:
    bench.simulated.change_group({"protect": False})
    assert [notice.code for notice in bench.look().notices] == ["group-unprotected"]


def test_a_group_that_may_rebalance_its_zones_is_noticed(bench: Bench) -> None:
    bench.simulated.change_group({"suspended": []})
    assert [notice.code for notice in bench.look().notices] == ["group-rebalances"]


# When EC2 does not answer.


def test_a_look_without_ec2_is_incomplete(bench: Bench) -> None:
    grown(bench, 1)
    bench.fault(DETAILS, "html")
    assert not bench.look().complete


def test_a_look_without_ec2_says_why(bench: Bench) -> None:
    grown(bench, 1)
    bench.deny(DETAILS)
    (notice,) = bench.look().notices
    assert (notice.code, "ec2:DescribeInstances: AccessDenied" in notice.detail) == ("details-unknown", True)


def test_a_look_without_ec2_lists_every_member(bench: Bench) -> None:
    ids = grown(bench, 2)
    bench.fault(DETAILS, "html")
    assert sorted(bench.look().instances) == sorted(ids)


def test_what_ec2_said_of_settled_members_outlasts_a_failed_sweep(bench: Bench) -> None:
    grown(bench, 2)
    before = bench.look().instances
    bench.clock.advance(SWEEP)
    bench.fault(DETAILS, "html")
    assert bench.look().instances == before


def test_a_failed_sweep_is_made_up_for_at_the_next_look(bench: Bench) -> None:
    grown(bench, 1)
    bench.fault(DETAILS, "html", times=3)
    bench.look()
    assert bench.look().complete


def test_an_unhealthy_member_that_cannot_be_looked_up_is_not_said_to_be_running(bench: Bench) -> None:
    (one,) = grown(bench, 1)
    bench.look()
    bench.simulated.change_group({"suspended": ["ReplaceUnhealthy"]})
    bench.simulated.mark_unhealthy(one)
    bench.fault(DETAILS, "html")
    assert bench.look().instances[one].power is Power.UNKNOWN


# When the group may not be read.


def test_without_the_permission_all_pages_of_the_accounts_list_are_read(bench: Bench) -> None:
    ids = grown(bench, 60)
    bench.deny(GROUPS)
    assert sorted(bench.look().instances) == sorted(ids)


def test_without_the_permission_a_look_costs_one_call_for_fifty_instances(bench: Bench) -> None:
    grown(bench, 60)
    bench.deny(GROUPS)
    bench.look()
    assert bench.calls(bench.look) == {MEMBERS: 2}


def test_without_the_permission_members_of_other_groups_do_not_appear(
    bench: Bench, simulated: SimulatedCloud
) -> None:
    grown(bench, 2)
    session = Session(KEYS.access_key_id, KEYS.secret_access_key, region_name=simulated.config.region)
    session.client("autoscaling", endpoint_url=simulated.url).create_auto_scaling_group(
        AutoScalingGroupName="other-asg",
        LaunchTemplate={"LaunchTemplateName": f"{GROUP}-template"},
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    bench.settle(3)
    bench.deny(GROUPS)
    assert len(bench.look().instances) == 2


def test_without_the_permission_the_figures_are_unknown(bench: Bench) -> None:
    bench.deny(GROUPS)
    assert bench.look().group == Group(desired=None, min_size=None, max_size=None)


def test_without_the_permission_a_look_is_complete_all_the_same(bench: Bench) -> None:
    bench.deny(GROUPS)
    assert bench.look().complete


def test_the_missing_permission_is_named(bench: Bench) -> None:
    bench.deny(GROUPS)
    (notice,) = bench.look().notices
    assert (notice.code, f"autoscaling:{GROUPS} is missing" in notice.detail) == ("desired-unknown", True)


def test_a_permission_that_was_given_is_used_from_the_next_sweep_on(bench: Bench) -> None:
    bench.deny(GROUPS)
    bench.look()
    bench.simulated.faults.clear()
    bench.clock.advance(SWEEP)
    look = bench.look()
    assert (look.group.desired, look.notices) == (0, ())


def test_without_both_permissions_a_look_is_denied(bench: Bench) -> None:
    bench.deny(GROUPS)
    bench.deny(MEMBERS)
    with pytest.raises(Denied, match=f"autoscaling:{MEMBERS}: AccessDenied"):
        bench.look()


# When answers are lost or late.


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("kind", ["drop", "drop-after", "html"])
def test_a_change_without_an_answer_has_an_unknown_outcome(bench: Bench, action: str, kind: str) -> None:
    (one,) = grown(bench, 1)
    bench.look()
    bench.fault(action, kind)
    with pytest.raises(OutcomeUnknown):
        CHANGES[action](bench.cloud, one)


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("kind", ["drop", "drop-after", "html", "error"])
def test_a_change_is_never_attempted_twice(bench: Bench, action: str, kind: str) -> None:
    (one,) = grown(bench, 1)
    bench.look()
    bench.fault(action, kind)

    def change() -> None:
        with pytest.raises(OutcomeUnknown):
            CHANGES[action](bench.cloud, one)

    assert bench.calls(change) == {action: 1}


def test_a_throttled_change_is_not_attempted_again(bench: Bench) -> None:
    bench.fault("SetDesiredCapacity", code="Throttling", status=400, message="Rate exceeded")

    def change() -> None:
        with pytest.raises(Throttled):
            bench.cloud.raise_desired(1)

    assert bench.calls(change) == {"SetDesiredCapacity": 1}


def test_a_change_that_takes_too_long_has_an_unknown_outcome(bench: Bench, impatient: AwsCloud) -> None:
    bench.fault("SetDesiredCapacity", "delay", seconds=0.5)
    with pytest.raises(OutcomeUnknown, match="ReadTimeoutError"):
        impatient.raise_desired(1)


def test_a_look_that_takes_too_long_finds_aws_unavailable(bench: Bench, impatient: AwsCloud) -> None:
    bench.fault(GROUPS, "delay", seconds=0.5)
    with pytest.raises(CloudUnavailable, match="ReadTimeoutError"):
        impatient.observe(())


def test_a_look_that_a_proxy_answers_finds_aws_unavailable(bench: Bench) -> None:
    bench.fault(GROUPS, "html")
    with pytest.raises(CloudUnavailable):
        bench.look()


@pytest.mark.parametrize("kind", ["drop", "html", "error"])
def test_a_read_that_fails_twice_is_tried_a_third_time(bench: Bench, kind: str) -> None:
    bench.fault(GROUPS, kind, times=2)
    assert bench.calls(bench.look)[GROUPS] == 3


def test_where_nobody_listens_nothing_was_changed(simulated: SimulatedCloud) -> None:
    nowhere = Connection(region="us-east-1", keys=KEYS, endpoint_url="http://127.0.0.1:9")
    cloud = AwsCloud(nowhere, group=GROUP, address="private", clock=FakeClock())
    with pytest.raises(CloudUnavailable):
        cloud.raise_desired(1)


# What is sent.


def test_at_the_min_size_a_termination_takes_a_second_call_without_the_decrement(bench: Bench) -> None:
    (one,) = grown(bench, 1)
    bench.simulated.change_group({"min": 1})
    bench.look()
    calls = bench.calls(lambda: bench.cloud.terminate(one))
    assert calls == {"TerminateInstanceInAutoScalingGroup": 2}


def test_an_instance_that_is_no_member_costs_no_call_to_terminate(bench: Bench) -> None:
    bench.look()
    assert bench.calls(lambda: bench.cloud.terminate(an_instance_id())) == {}


def test_a_gateway_that_has_not_looked_yet_looks_before_it_terminates(bench: Bench) -> None:
    (one,) = grown(bench, 1)
    assert bench.cloud.terminate(one) is TerminateOutcome.ACCEPTED


def test_no_cooldown_is_waited_for(bench: Bench) -> None:
    bench.cloud.raise_desired(1)
    (call,) = bench.simulated.calls.as_json()["calls"]
    assert call["params"]["HonorCooldown"] == "false"


# Connecting.


def test_a_connection_does_nothing_until_it_is_used() -> None:
    Connection(region="no such region")


def test_a_connection_that_cannot_be_made_raises_our_error() -> None:
    connection = Connection(region="no such region", keys=KEYS)
    with pytest.raises(Unexpected, match="InvalidRegionError"):
        AwsCloud(connection, group=GROUP, address="private", clock=FakeClock()).observe(())


def test_credentials_that_were_exchanged_are_found_after_aws_refused_the_old_ones(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "credentials"
    keys.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = Connection(region=bench.simulated.config.region, endpoint_url=bench.simulated.url)
    cloud = AwsCloud(found, group=GROUP, address="private", clock=FakeClock())
    bench.fault(GROUPS, code="ExpiredToken", status=403, times=1)
    with pytest.raises(BadCredentials):
        cloud.observe(())
    keys.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    cloud.observe(())
    assert [call["caller"] for call in bench.simulated.calls.as_json()["calls"]] == ["OLD", "NEW", "NEW"]
