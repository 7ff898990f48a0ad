"""AwsCloud over HTTP: what a look costs, and what it shows."""

from typing import Any

import pytest

from app.aws.entries import MEMBERS, RESERVATIONS
from app.aws.gateway import SWEEP_EVERY
from app.aws.memory import Memory
from app.domain.model import Power
from tests.builders import an_instance_id
from tests.integration.gateway.bench import DETAILS, GROUPS, Bench
from tests.simulated import GROUP, NEVER
from tests.waiting import until

# What a look costs.


def test_the_first_look_costs_two_calls(bench: Bench) -> None:
    bench.grown(2)
    assert bench.calls(bench.look) == {GROUPS: 1, DETAILS: 1}


def test_at_rest_a_look_costs_one_call(bench: Bench) -> None:
    bench.grown(2)
    bench.look()
    assert bench.calls(bench.look) == {GROUPS: 1}


def test_every_five_minutes_a_look_costs_one_call_more(bench: Bench) -> None:
    bench.grown(2)
    bench.look()
    bench.clock.advance(SWEEP_EVERY)
    assert bench.calls(bench.look) == {GROUPS: 1, DETAILS: 1}


def test_a_clock_that_was_set_back_does_not_put_off_the_sweep(bench: Bench) -> None:
    bench.grown(2)
    bench.look()
    bench.clock.advance(-SWEEP_EVERY)
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
    ids = bench.grown(2)
    bench.look()
    assert bench.calls(lambda: bench.cloud.observe(ids)) == {GROUPS: 1}


def test_the_members_of_a_group_are_read_without_botocore(bench: Bench) -> None:
    bench.grown(2)
    memory = Memory(MEMBERS, bytes)
    with bench.connection.reading("autoscaling:DescribeAutoScalingGroups") as clients, memory.cutting_out():
        answer = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
    assert len(memory.of(answer)) == 2


def test_the_details_of_instances_are_read_without_botocore(bench: Bench) -> None:
    bench.grown(1)
    memory = Memory(RESERVATIONS, bytes)
    with bench.connection.reading("ec2:DescribeInstances") as clients, memory.cutting_out():
        answer = clients.ec2.describe_instances()
    assert len(memory.of(answer)) == 1


def test_what_is_as_it_was_is_the_same_object_at_the_next_look(bench: Bench) -> None:
    (one,) = bench.grown(1)
    before = bench.look().instances[one]
    assert bench.look().instances[one] is before


def test_what_is_as_it_was_is_the_same_object_after_a_sweep(bench: Bench) -> None:
    (one,) = bench.grown(1)
    before = bench.look().instances[one]
    bench.clock.advance(SWEEP_EVERY)
    assert bench.look().instances[one] is before


# What a look shows.


def test_an_unknown_id_does_not_hide_the_fate_of_the_others(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.look()
    bench.cloud.terminate(one)
    until(lambda: one not in bench.look().instances, what="the member left")
    assert bench.cloud.observe([an_instance_id(), one]).instances[one].power is Power.TERMINATED


def test_a_member_that_was_stopped_is_not_running_any_more(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.look()
    bench.simulated.change_group({"suspended": ["ReplaceUnhealthy"]})
    bench.simulated.stop_instance(one)
    until(lambda: bench.look().instances[one].power is Power.STOPPED, what="the stop was seen")


def test_the_port_tag_of_an_instance_is_read(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.operator.tag(one, port="8443")
    assert bench.look().instances[one].port == 8443


def test_a_group_as_it_should_be_gives_no_notice(bench: Bench) -> None:
    bench.grown(1)
    assert bench.look().notices == ()


def test_a_group_that_leaves_protection_to_us_is_not_noticed(bench: Bench) -> None:
    bench.simulated.change_group({"protect": False})
    assert bench.look().notices == ()


def test_members_keep_the_version_of_the_template_they_were_launched_from(bench: Bench) -> None:
    (old,) = bench.grown(1)
    template = bench.operator.template()
    bench.operator.ec2.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.large"}
    )
    bench.grown(2)
    told = {one.id: one.template for one in bench.look().instances.values()}
    assert (told.pop(old), *told.values()) == (f"{template}:1", f"{template}:2")


def test_a_group_that_may_rebalance_its_zones_is_noticed(bench: Bench) -> None:
    bench.simulated.change_group({"suspended": []})
    assert [notice.code for notice in bench.look().notices] == ["group-rebalances"]


# When EC2 does not answer.


def test_a_look_without_ec2_is_incomplete(bench: Bench) -> None:
    bench.grown(1)
    bench.fault(DETAILS, "html")
    assert not bench.look().complete


def test_a_look_without_ec2_says_why(bench: Bench) -> None:
    bench.grown(1)
    bench.deny(DETAILS)
    (notice,) = bench.look().notices
    assert (notice.code, "ec2:DescribeInstances: AccessDenied" in notice.detail) == ("details-unknown", True)


@pytest.mark.parametrize(
    ("fault", "throttled"),
    [
        ({"code": "RequestLimitExceeded", "status": 503}, True),
        ({"code": "AccessDenied", "status": 403}, False),
        ({"kind": "html"}, False),
    ],
)
def test_a_look_without_ec2_says_whether_aws_throttles(
    bench: Bench, fault: dict[str, Any], throttled: bool
) -> None:
    bench.grown(1)
    bench.fault(DETAILS, **fault)
    look = bench.look()
    assert (look.complete, look.throttled) == (False, throttled)


def test_a_look_without_ec2_lists_every_member(bench: Bench) -> None:
    ids = bench.grown(2)
    bench.fault(DETAILS, "html")
    assert sorted(bench.look().instances) == sorted(ids)


def test_what_ec2_said_of_settled_members_outlasts_a_failed_sweep(bench: Bench) -> None:
    bench.grown(2)
    before = bench.look().instances
    bench.clock.advance(SWEEP_EVERY)
    bench.fault(DETAILS, "html")
    assert bench.look().instances == before


def test_a_failed_sweep_is_made_up_for_at_the_next_look(bench: Bench) -> None:
    bench.grown(1)
    bench.fault(DETAILS, "html", times=3)
    bench.look()
    assert bench.look().complete


def test_an_unhealthy_member_that_cannot_be_looked_up_is_not_said_to_be_running(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.look()
    bench.simulated.change_group({"suspended": ["ReplaceUnhealthy"]})
    bench.simulated.mark_unhealthy(one)
    bench.fault(DETAILS, "html")
    assert bench.look().instances[one].power is Power.UNKNOWN
