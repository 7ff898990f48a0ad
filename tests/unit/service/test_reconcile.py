"""A pass over the fake cloud and a real registry: what is seen is brought to what is wanted."""

from collections.abc import Callable

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from app.domain.errors import CloudUnavailable, Denied, OutcomeUnknown, PoolExhausted, Throttled
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, InstanceState, Limit
from app.service.reconcile import PassReport
from tests.unit.service.pools import Pool


def reads_of_instances(pool: Pool, during: Callable[[], object]) -> list[str]:
    """Do something, and return the statements that read all instances of the pool meanwhile."""
    said: list[str] = []
    engine = pool.registry._transactions.engine
    event.listen(engine, "before_cursor_execute", lambda *heard: said.append(heard[2]))
    during()
    return [one for one in said if "WHERE instances.pool = ? AND instances.state IN" in one]


def test_an_empty_group_becomes_a_full_buffer(pool: Pool) -> None:
    pool.tick(6)

    assert pool.count(InstanceState.IDLE) == 5
    assert pool.cloud.desired == 5


def test_a_claim_is_topped_up_by_the_next_pass(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")

    pool.tick()

    assert pool.cloud.desired == 6


def test_two_passes_never_add_twice(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")
    pool.cloud.boot_looks = None

    pool.tick(5)

    assert pool.cloud.desired == 6
    assert pool.called("raise_desired") == 2


def test_a_pool_at_rest_is_only_looked_at(pool: Pool) -> None:
    pool.tick(20)
    before = len(pool.cloud.calls)

    report = pool.tick(3)

    assert pool.called("observe") == 23
    assert len(pool.cloud.calls) == before + 3
    assert report == PassReport(changed=False, unsettled=False)


def test_a_pass_at_rest_reads_the_instances_once(pool: Pool) -> None:
    pool.tick(20)

    assert len(reads_of_instances(pool, pool.reconciler.tick)) == 1


def test_a_pass_that_changed_the_registry_does_not_read_all_of_it_again(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")
    pool.tick()  # asks for another one, which the next pass discovers

    assert len(reads_of_instances(pool, pool.reconciler.tick)) == 1


def test_a_pass_knows_afterwards_what_it_has_changed(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")
    pool.tick()

    with capture_logs() as told:
        report = pool.tick()

    assert report.unsettled
    assert [one["booting"] for one in told if one["event"] == "pass.finished"] == [1]


def test_what_is_in_use_is_counted_as_it_is_while_nothing_follows_from_it(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")
    pool.tick(6)
    with capture_logs() as told:
        pool.tick()

    (line,) = (one for one in told if one["event"] == "pass.finished")
    assert (line["found"], line["used"], line["idle"], line["actions"]) == (6, 1, 5, 0)


def test_an_instance_that_is_as_it_was_is_the_same_object(pool: Pool) -> None:
    pool.tick(20)
    before = pool.registry.instances(DEFAULT_POOL)
    after = pool.registry.instances(DEFAULT_POOL)

    assert all(after[one] is before[one] for one in before)


def test_an_instance_that_changed_is_read_anew(pool: Pool) -> None:
    pool.tick(20)
    before = pool.registry.instances(DEFAULT_POOL)
    held = pool.claim("alice").allocation.instance
    after = pool.registry.instances(DEFAULT_POOL)

    assert (before[held].state, after[held].state) == (InstanceState.IDLE, InstanceState.ALLOCATED)
    assert (before.keys(), after[held].project) == (after.keys(), "alice")


def test_reading_some_states_does_not_make_others_forgotten(pool: Pool) -> None:
    pool.tick(20)
    pool.claim("alice")
    before = pool.registry.instances(DEFAULT_POOL)
    pool.registry.instances(DEFAULT_POOL, {InstanceState.BOOTING})

    assert len(pool.registry.instances(DEFAULT_POOL)) == len(before) == 5


def test_a_destroyed_instance_is_terminated_and_the_group_shrinks_with_it(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation.instance
    pool.tick(4)
    pool.destroy(held)

    pool.tick(4)

    assert pool.cloud.desired == 5
    assert held not in pool.registry.instances(DEFAULT_POOL)
    assert pool.called("terminate") == 1


def test_an_instance_is_not_idle_before_its_probe_passed(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(6)
    assert pool.count(InstanceState.IDLE) == 0

    pool.prober.ready = None
    pool.tick()

    assert pool.count(InstanceState.IDLE) == 5


def test_an_instance_that_never_becomes_ready_is_replaced(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")
    pool.prober.ready = {one.id for one in pool.registry.instances(DEFAULT_POOL).values()}
    pool.tick(3)
    (late,) = [one for one in pool.registry.instances(DEFAULT_POOL) if one not in pool.prober.ready]
    pool.clock.advance(300)

    pool.tick(6)

    assert late not in pool.registry.instances(DEFAULT_POOL)
    assert pool.cloud.desired == 6


def test_after_three_that_do_not_become_ready_in_a_row_replacing_slows_down_and_says_so(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(3)
    first = set(pool.registry.instances(DEFAULT_POOL))
    pool.clock.advance(300)
    pool.tick(6)
    assert len(first & pool.registry.instances(DEFAULT_POOL).keys()) == 2
    assert pool.called("terminate") == 3
    assert (pool.limited_by, pool.notices) == (Limit.BOOT_FAILURES, ["boot-failures"])

    pool.clock.advance(300)
    pool.tick(6)
    assert pool.called("terminate") == 4


def test_a_new_launch_template_version_that_boots_ends_the_boot_failures(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(3)
    pool.clock.advance(300)
    pool.cloud.template = "lt-fake:2"
    pool.tick(2)
    for _ in range(30):
        new = (one for one in pool.cloud.members if pool.look(one).template == "lt-fake:2")
        pool.prober.ready = set(new)
        pool.tick()

    assert pool.count(InstanceState.IDLE) == 5
    assert pool.limited_by is None
    assert {pool.look(one).template for one in pool.cloud.members} == {"lt-fake:2"}


def test_after_a_long_stop_what_is_ready_is_offered_not_replaced(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(3)
    booted = set(pool.registry.instances(DEFAULT_POOL))
    pool.clock.advance(3600)
    pool.prober.ready = None
    pool.restarted()

    pool.tick()

    assert {one.id for one in pool.registry.instances(DEFAULT_POOL).values()} == booted
    assert pool.count(InstanceState.IDLE) == 5


def test_an_allocation_is_written_on_its_instance(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation

    pool.tick(3)

    assert pool.cloud.tags(held.instance)["ec2-orchestrator:project"] == "alice"
    assert pool.called("tag_allocation") == 1


def test_a_restart_forgets_nothing_and_repeats_nothing(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation
    pool.tick(6)
    writes = [call for call in pool.cloud.calls if call[0] != "observe"]

    pool.restarted()
    pool.tick(2)

    assert pool.claim("alice").allocation == held
    assert [call for call in pool.cloud.calls if call[0] != "observe"] == writes


def test_unmet_demand_raises_desired_capacity(pool: Pool) -> None:
    for name in ("alice", "bob"):
        with pytest.raises(PoolExhausted):
            pool.claim(name)

    pool.tick()

    assert pool.cloud.desired == 7


# When AWS fails


def test_a_failed_look_keeps_the_last_view_and_says_what_is_wrong(pool: Pool) -> None:
    pool.tick(6)
    before = pool.registry.view(DEFAULT_POOL)
    pool.cloud.fail("observe", Throttled("Rate exceeded"))

    pool.tick()

    after = pool.registry.view(DEFAULT_POOL)
    assert (after.group, after.last_pass_at) == (before.group, before.last_pass_at)
    assert (pool.notices, pool.limited_by) == (["aws-throttled"], Limit.AWS_ERRORS)


def test_the_next_good_pass_clears_the_fault(pool: Pool) -> None:
    pool.cloud.fail("observe", CloudUnavailable("no answer"))
    pool.tick(2)

    assert (pool.notices, pool.limited_by) == ([], None)


def test_claims_go_on_while_aws_is_away(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.fail("observe", CloudUnavailable("no answer"), times=3)
    pool.tick()

    assert pool.claim("alice").created


def test_a_failed_raise_is_told_and_repeated(pool: Pool) -> None:
    pool.cloud.fail("raise_desired", Throttled("Rate exceeded"))
    pool.tick()
    assert (pool.notices, pool.limited_by) == (["aws-throttled"], Limit.AWS_ERRORS)
    assert pool.cloud.desired == 0

    pool.tick()

    assert pool.cloud.desired == 5
    assert pool.limited_by is None


def test_one_failing_action_does_not_stop_the_others(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation.instance
    pool.destroy(held)
    pool.claim("bob")
    pool.cloud.fail("terminate", Throttled("Rate exceeded"))

    pool.tick()

    assert pool.called("tag_allocation") == 1


def test_a_refused_termination_is_repeated_at_once(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation.instance
    pool.destroy(held)
    pool.cloud.fail("terminate", Throttled("Rate exceeded"))

    pool.tick(2)

    assert pool.called("terminate") == 2


def test_a_lost_answer_to_a_termination_is_not_followed_by_a_second_one(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation.instance
    pool.tick(4)
    pool.destroy(held)
    pool.cloud.fail("terminate", OutcomeUnknown("read timeout"), after_effect=True)

    pool.tick(4)

    assert pool.called("terminate") == 1
    assert pool.cloud.desired == 5
    assert held not in pool.registry.instances(DEFAULT_POOL)


def test_a_termination_that_never_reached_aws_is_repeated_after_a_while(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation.instance
    pool.destroy(held)
    pool.cloud.fail("terminate", OutcomeUnknown("connection closed"))
    pool.tick(2)
    assert pool.called("terminate") == 1

    pool.clock.advance(30)
    pool.tick()

    assert pool.called("terminate") == 2


def test_a_missing_permission_to_tag_is_told_and_does_not_stop_the_work(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.fail("tag_allocation", Denied("ec2:CreateTags"), times=5)
    pool.claim("alice")

    report = pool.tick(8)

    assert pool.called("tag_allocation") == 1
    assert pool.notices == ["aws-denied"]
    assert pool.count(InstanceState.IDLE) == 5
    assert not report.changed


# When somebody else acts


def test_an_instance_killed_behind_our_back_is_lost_and_its_project_gets_another(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation.instance
    pool.tick(4)
    pool.cloud.kill(held)

    pool.tick(6)

    assert pool.claim("alice").allocation.instance != held
    assert pool.called("terminate") == 0


def test_an_idle_instance_that_leaves_is_not_handed_out(pool: Pool) -> None:
    pool.tick(6)
    victims = [one.id for one in pool.registry.instances(DEFAULT_POOL).values()][:4]
    for victim in victims:
        pool.cloud.kill(victim)
    pool.tick()

    assert pool.claim("alice").allocation.instance not in victims


# What it costs


def test_a_busy_instance_is_not_asked_for_at_every_pass(pool: Pool) -> None:
    pool.cloud.boot_looks = None
    pool.tick(3)
    booting = next(iter(pool.registry.instances(DEFAULT_POOL)))
    pool.destroy(booting)

    pool.tick(10)  # twenty seconds, in which AWS answers that the instance is still being launched

    assert pool.called("terminate") == 1


def test_a_failing_action_does_not_make_passes_follow_each_other(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.fail("raise_desired", Throttled("Rate exceeded"), times=10)
    pool.claim("alice")
    pool.tick()

    assert not pool.tick().changed


def test_a_figure_that_is_written_again_is_no_news(pool: Pool) -> None:
    pool.cloud.figures_readable = False
    pool.cloud.capacity = 0

    pool.tick(5)

    events = [event.kind for event in pool.registry.events(limit=100)]
    assert events.count(EventKind.CAPACITY_RAISED) == 1


def test_one_tag_that_cannot_be_written_does_not_hold_up_the_pass(pool: Pool) -> None:
    pool.tick(6)
    for name in ("alice", "bob", "carol"):
        pool.claim(name)
    pool.cloud.fail("tag_allocation", CloudUnavailable("no answer"), times=10)

    pool.tick()

    assert pool.called("tag_allocation") == 1
    assert pool.cloud.desired == 8


def test_a_permission_to_tag_that_was_granted_later_is_used(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.fail("tag_allocation", Denied("ec2:CreateTags"))
    held = pool.claim("alice").allocation.instance
    pool.tick()

    pool.clock.advance(300)
    pool.tick()

    assert pool.cloud.tags(held)["ec2-orchestrator:project"] == "alice"
    assert pool.notices == []


def test_a_wrong_look_for_a_while_costs_nothing(pool: Pool) -> None:
    pool.tick(6)
    held = pool.claim("alice").allocation
    pool.tick(6)
    before = pool.registry.instances(DEFAULT_POOL)
    pool.cloud.overlook(*before, looks=20)

    pool.tick(20)  # as with a wrong region, where a group of the same name is empty
    assert pool.notices == ["absurd-look"]
    pool.tick(2)

    assert set(pool.registry.instances(DEFAULT_POOL)) >= set(before)
    assert pool.claim("alice").allocation == held
