"""Protection, tags, leaks, and others who write desired capacity: a pass that loses nothing."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.errors import AboveMax, BudgetSpent, CloudUnavailable, Denied, PoolExhausted, Throttled
from app.domain.events import Event, EventKind
from app.domain.finding import Finding, Verdict
from app.domain.model import DEFAULT_POOL, InstanceState, Limit
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.unit.service.pools import Pool

IDLE, ALLOCATED = InstanceState.IDLE, InstanceState.ALLOCATED


# Protection from scale-in


def test_members_are_protected_before_they_become_idle(pool: Pool) -> None:
    pool.cloud.protect_new = False
    pool.cloud.fail("protect", Throttled("Rate exceeded"), times=2)
    for _ in range(8):
        pool.tick()
        offered = pool.registry.instances(DEFAULT_POOL, {IDLE})
        assert all(pool.look(one).protected for one in offered)

    assert pool.count(IDLE) == 5
    assert pool.called("protect") == 3


def test_where_protecting_is_denied_the_pool_works_without_and_says_so(pool: Pool) -> None:
    pool.cloud.protect_new = False
    pool.cloud.fail("protect", Denied("autoscaling:SetInstanceProtection"), times=100)

    pool.tick(8)

    assert pool.count(IDLE) == 5
    assert pool.called("protect") == 1
    assert pool.notices == ["aws-denied"]


def test_one_that_cannot_be_protected_is_not_offered_and_the_others_are(pool: Pool) -> None:
    pool.cloud.protect_new = False
    pool.tick(2)
    stubborn = pool.cloud.members[0]
    pool.cloud.change(stubborn, raw_lifecycle="a state that AWS protects nothing in")

    pool.tick(10)

    offered = pool.registry.instances(DEFAULT_POOL, {IDLE})
    assert (len(offered), stubborn in offered) == (4, False)
    assert "members-unprotected" in pool.notices


def test_protection_that_somebody_took_away_is_restored(pool: Pool) -> None:
    pool.tick(6)
    bare = pool.cloud.members[0]
    pool.cloud.change(bare, protected=False)

    pool.tick()

    assert pool.look(bare).protected


# The second copy


def with_an_empty_database(pool: Pool, folder: Path) -> Pool:
    """The same AWS, and a service that knows nothing."""
    return Pool(
        SqlRegistry(Transactions(open_database(f"sqlite:///{folder}/another.db"))), pool.cloud, pool.clock
    )


def test_with_the_database_gone_the_tags_say_who_holds_what(pool: Pool, tmp_path: Path) -> None:
    pool.tick(6)
    held = {name: pool.claim(name).allocation.instance for name in ("alice", "bob", "carol")}
    pool.tick(6)

    fresh = with_an_empty_database(pool, tmp_path)
    with pytest.raises(PoolExhausted):
        fresh.claim("dave")  # before the first look nothing is handed out
    fresh.tick()

    for name, instance in held.items():
        again = fresh.claim(name)
        assert (again.allocation.instance, again.created) == (instance, False)
    fresh.clock.advance(60)
    fresh.tick(4)
    assert fresh.cloud.desired == 8
    fresh.registry.close()


def test_a_project_whose_tag_was_not_written_yet_is_not_invented(pool: Pool, tmp_path: Path) -> None:
    pool.tick(6)
    pool.cloud.fail("tag_allocation", Throttled("Rate exceeded"), times=100)
    pool.claim("alice")
    pool.tick(2)

    fresh = with_an_empty_database(pool, tmp_path)
    fresh.tick(4)

    assert fresh.count(ALLOCATED) == 0
    fresh.registry.close()


def test_a_tag_on_an_idle_instance_takes_it_out_of_the_pool(pool: Pool) -> None:
    pool.tick(6)
    used = pool.cloud.members[0]
    pool.cloud.write_tags(used, "somebody-else", pool.clock.now())

    pool.tick(8)

    assert pool.registry.instances(DEFAULT_POOL)[used].project == "somebody-else"
    assert pool.count(IDLE) == 5
    assert [line.instance for line in told(pool, EventKind.ALLOCATION_ADOPTED)] == [used]


def test_an_adopted_instance_can_be_destroyed(pool: Pool) -> None:
    pool.tick(6)
    used = pool.cloud.members[0]
    pool.cloud.write_tags(used, "somebody-else", pool.clock.now())
    pool.tick(2)
    pool.destroy(used)

    pool.tick(4)

    assert used not in pool.cloud.members


# Wrong looks


def test_a_look_into_another_group_changes_nothing_and_is_not_remembered(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation
    pool.tick(4)
    before, view = pool.registry.instances(DEFAULT_POOL), pool.registry.view(DEFAULT_POOL)
    right, pool.cloud.arn = pool.cloud.arn, "arn:of:another:account"
    calls = len(pool.cloud.calls)

    for _ in range(3):
        pool.tick()
        pool.clock.advance(600)
    assert pool.notices == ["aws-group-changed"]
    assert {name for name, *_ in pool.cloud.calls[calls:]} == {"observe"}

    pool.cloud.arn = right
    pool.tick(2)
    assert pool.registry.instances(DEFAULT_POOL).keys() == before.keys()
    assert pool.claim("alice").allocation == held
    assert pool.registry.view(DEFAULT_POOL).group == view.group


def test_after_a_restart_nothing_idle_is_vouched_for_before_a_look(pool: Pool) -> None:
    pool.tick(6)
    pool.clock.advance(3600)
    pool.restarted()
    pool.cloud.fail("observe", CloudUnavailable("no answer"))

    pool.tick()

    assert all(
        one.ready_at is not None and one.ready_at < pool.clock.now() - timedelta(minutes=5)
        for one in pool.registry.instances(DEFAULT_POOL, {IDLE}).values()
    )


# Leaks


def test_a_stray_is_reported_by_the_second_look_and_never_ended(pool: Pool) -> None:
    pool.tick(6)
    stray = pool.cloud.stray()
    pool.tick()
    assert pool.notices == []

    pool.tick(6)

    assert pool.notices == ["leak"]
    assert [line.instance for line in told(pool, EventKind.INSTANCE_LEAKED)] == [stray]
    assert pool.called("terminate") == 0


def test_a_leak_that_is_gone_is_no_longer_reported(pool: Pool) -> None:
    pool.tick(6)
    stray = pool.cloud.stray()
    pool.tick(7)
    pool.cloud.forget(stray)

    pool.tick()

    assert pool.notices == []


# Desired capacity


def test_desired_capacity_that_somebody_else_lowers_is_reported_and_raised_again(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.set_desired(2)

    pool.tick(2)

    assert pool.cloud.desired == 5
    assert "desired-moved" in pool.notices
    assert [line.reason for line in told(pool, EventKind.CAPACITY_MOVED)] == ["from 5 to 2"]


def test_our_own_raises_and_terminations_are_not_taken_for_somebody_elses(pool: Pool) -> None:
    pool.tick(6)
    for number in range(4):
        held = pool.claim(f"project-{number}").allocation.instance
        pool.tick(3)
        pool.destroy(held)
        pool.clock.advance(number * 100)
        pool.tick(3)

    assert told(pool, EventKind.CAPACITY_MOVED) == []


def test_a_move_is_reported_for_a_while(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.set_desired(7)
    pool.tick()
    assert pool.notices == ["desired-moved"]

    pool.clock.advance(timedelta(minutes=10))
    pool.tick()

    assert pool.notices == []


def test_a_max_size_that_shrank_meanwhile_is_named_as_the_limit(pool: Pool) -> None:
    pool.cloud.fail("raise_desired", AboveMax("New SetDesiredCapacity value 5 is above max value 2"))

    pool.tick()

    assert pool.limited_by is Limit.MAX_SIZE


# Launches that fail


def test_a_lack_of_capacity_is_named_with_aws_own_sentence_and_ends_by_itself(pool: Pool) -> None:
    pool.cloud.run_out(2)
    pool.tick(8)
    assert pool.limits() == (Limit.CAPACITY, ["launch-capacity"])

    pool.cloud.run_out(None)
    pool.tick(10)

    assert pool.limits() == (None, [])
    assert pool.count(IDLE) == 5


def test_activities_are_asked_for_once_a_minute_and_only_while_members_are_missing(pool: Pool) -> None:
    pool.tick(10)
    assert pool.called("launch_failures") == 0

    pool.cloud.run_out(5)
    pool.claim("alice")
    pool.tick(40)  # eighty seconds

    assert pool.called("launch_failures") == 2


def test_missing_members_that_nobody_explains_are_reported(pool: Pool) -> None:
    pool.cloud.fail("launch_failures", Denied("autoscaling:DescribeScalingActivities"), times=100)
    pool.cloud.run_out(2)

    pool.tick(70)

    assert pool.limited_by is Limit.AWS_ERRORS
    assert set(pool.notices) == {"launch-unexplained", "aws-denied"}


def test_claims_go_on_whatever_keeps_the_pool_from_growing(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.run_out(5, Limit.QUOTA)
    for number in range(5):
        assert pool.claim(f"project-{number}").created
        pool.tick(4)

    assert pool.limited_by is Limit.QUOTA


# Throttling and the set-up


def test_a_throttled_look_or_action_is_reported_to_the_poller(pool: Pool) -> None:
    pool.cloud.fail("observe", Throttled("Rate exceeded"))
    assert pool.tick().throttled
    pool.cloud.fail("raise_desired", Throttled("Rate exceeded"))
    assert pool.tick().throttled
    assert not pool.tick().throttled


def test_our_own_budget_slows_nothing_down_and_the_next_pass_goes_on(pool: Pool) -> None:
    pool.tick(6)
    held = [pool.claim(name).allocation.instance for name in ("alice", "bob")]
    pool.tick(3)
    for instance in held:
        pool.destroy(instance)
    pool.cloud.fail("terminate", BudgetSpent("not called"))

    report = pool.tick()
    assert not report.throttled
    assert pool.called("terminate") == 1  # the second one is put off as well

    pool.tick()
    assert pool.called("terminate") == 3


def test_what_is_wrong_with_the_set_up_stands_in_the_warnings_until_it_is_mended(pool: Pool) -> None:
    pool.preflight.findings = (
        Finding(check="a check", verdict=Verdict.WARNING, detail="It is off.", remedy="Turn it on."),
        Finding(check="another", verdict=Verdict.OK, detail="Fine."),
    )
    pool.tick(3)
    assert pool.notices == ["setup"]
    assert pool.preflight.asked == 1

    pool.preflight.findings = ()
    pool.clock.advance(timedelta(hours=1))
    pool.tick(2)  # the second one tells what was found after the first

    assert pool.notices == []


def told(pool: Pool, kind: EventKind) -> list[Event]:
    return [line for line in pool.registry.events(limit=1000) if line.kind is kind]
