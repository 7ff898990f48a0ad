"""AwsCloud over HTTP, where it may not read the group."""

import pytest

from app.aws.gateway import SWEEP_EVERY
from app.domain.errors import (
    Denied,
)
from app.domain.model import Group
from tests.integration.gateway.bench import GROUPS, MEMBERS, Bench


def test_without_the_permission_all_pages_of_the_accounts_list_are_read(bench: Bench) -> None:
    ids = bench.grown(60)
    bench.deny(GROUPS)
    assert sorted(bench.look().instances) == sorted(ids)


def test_without_the_permission_a_look_costs_one_call_for_fifty_instances(bench: Bench) -> None:
    bench.grown(60)
    bench.deny(GROUPS)
    bench.look()
    assert bench.calls(bench.look) == {MEMBERS: 2}


def test_without_the_permission_members_of_other_groups_do_not_appear(bench: Bench) -> None:
    bench.grown(2)
    bench.operator.create_another_group("other-asg")
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
    bench.clock.advance(SWEEP_EVERY)
    look = bench.look()
    assert (look.group.desired, look.notices) == (0, ())


def test_without_the_permission_members_tell_what_they_were_launched_from(bench: Bench) -> None:
    (one,) = bench.grown(1)
    template = bench.operator.template()
    bench.deny(GROUPS)
    assert bench.look().instances[one].template == f"{template}:1"


def test_without_the_permission_strays_are_told_of_all_the_same(bench: Bench) -> None:
    one, _ = bench.grown(2)
    bench.simulated.lose(one)
    bench.deny(GROUPS)
    assert not bench.look().instances[one].member


def test_without_the_permission_desired_capacity_is_written_unread(bench: Bench) -> None:
    bench.deny(GROUPS)
    bench.look()
    assert bench.calls(lambda: bench.cloud.raise_desired(1)) == {"SetDesiredCapacity": 1}


def test_a_gateway_that_has_not_looked_yet_finds_the_permission_missing_and_writes(bench: Bench) -> None:
    bench.deny(GROUPS)
    assert bench.calls(lambda: bench.cloud.raise_desired(1)) == {GROUPS: 1, "SetDesiredCapacity": 1}


def test_without_both_permissions_a_look_is_denied(bench: Bench) -> None:
    bench.deny(GROUPS)
    bench.deny(MEMBERS)
    with pytest.raises(Denied, match=f"autoscaling:{MEMBERS}: AccessDenied"):
        bench.look()
