"""Allocate, release, renew, destroy, hold: what is passed on, and when a pass is asked for."""

from datetime import timedelta

import pytest

from app.domain.controls import Change
from app.domain.errors import (
    AllocatedElsewhere,
    AllocationNotFound,
    HoldTooLate,
    InstanceNotFound,
    PoolExhausted,
    PoolNotFound,
    TtlTooLong,
)
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolName, PoolView, ProjectId
from app.registry.controls import SqlControls
from app.registry.lifetimes import SqlLifetimes
from tests.unit.service.allocating import GPU, World

ALICE = ProjectId("alice")
MINUTE = timedelta(minutes=1)


def test_an_allocation_hands_out_an_idle_instance(world: World) -> None:
    instance = world.idle()

    assert world.allocator.allocate(ALICE, actor="tester").allocation.instance == instance


def test_an_allocation_asks_for_a_pass(world: World) -> None:
    world.idle()
    world.allocator.allocate(ALICE, actor="tester")

    assert world.waker.wakes == 1


def test_the_same_allocation_again_asks_for_no_pass(world: World) -> None:
    world.idle()
    world.allocator.allocate(ALICE, actor="tester")

    world.allocator.allocate(ALICE, actor="tester")

    assert world.waker.wakes == 1


def test_where_nothing_is_idle_the_caller_learns_when_to_ask_again(world: World) -> None:
    with pytest.raises(PoolExhausted) as caught:
        world.allocator.allocate(ALICE, actor="tester")

    assert caught.value.retry_after.total_seconds() > 0


def test_where_nothing_is_idle_a_pass_is_asked_for(world: World) -> None:
    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester")

    assert world.waker.wakes == 1


def test_destroy_decides_at_once(world: World) -> None:
    instance = world.idle()

    assert world.allocator.destroy(instance, actor="tester").state is InstanceState.TERMINATING


def test_destroy_asks_for_a_pass(world: World) -> None:
    world.allocator.destroy(world.idle(), actor="tester")

    assert world.waker.wakes == 1


def test_destroy_of_a_stranger_asks_for_no_pass(world: World) -> None:
    with pytest.raises(InstanceNotFound):
        world.allocator.destroy(InstanceId("i-00000000"), actor="tester")

    assert world.waker.wakes == 0


def test_the_audit_trail_names_who_allocated(world: World) -> None:
    world.idle()
    world.allocator.allocate(ALICE, actor="somebody")

    assert world.newest(EventKind.ALLOCATION_CREATED).actor == "somebody"


def test_the_audit_trail_names_who_destroyed(world: World) -> None:
    world.allocator.destroy(world.idle(), actor="somebody")

    assert world.newest(EventKind.INSTANCE_TERMINATING).actor == "somebody"


def test_an_allocation_bears_the_time_of_the_clock(world: World) -> None:
    world.idle()
    world.clock.advance(60)

    claimed = world.allocator.allocate(ALICE, actor="tester")

    assert claimed.allocation.allocated_at == world.clock.now()


# Where nothing was probed for a while


def test_an_instance_that_was_probed_lately_is_not_probed_again(world: World) -> None:
    world.idle()
    world.allocator.allocate(ALICE, actor="tester")

    assert world.prober.probed == []


def test_instances_of_which_nothing_was_heard_lately_are_asked_first(world: World) -> None:
    instance = world.idle()
    world.clock.advance(60)

    assert world.allocator.allocate(ALICE, actor="tester").allocation.instance == instance
    assert world.prober.probed == [{instance: ("10.0.0.1", 8080)}]


def test_one_that_does_not_answer_is_passed_over_for_the_next(world: World) -> None:
    world.idle()
    alive = world.idle()
    world.prober.ready = {alive}
    world.clock.advance(60)

    assert world.allocator.allocate(ALICE, actor="tester").allocation.instance == alive


def test_where_none_answers_the_pool_is_exhausted_and_the_project_waits(world: World) -> None:
    world.idle()
    world.prober.ready = set()
    world.clock.advance(60)

    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester")

    assert world.registry.waiting(DEFAULT_POOL, now=world.clock.now()) == 1


def test_after_a_long_stop_nothing_is_given_before_a_pass_has_looked(world: World) -> None:
    """The address may be another instance's by now, and the database an old copy."""
    world.idle()
    world.clock.advance(301)
    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester")
    assert world.prober.probed == []

    world.registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=world.clock.now()))

    assert world.allocator.allocate(ALICE, actor="tester").created


def test_where_many_do_not_answer_the_next_ones_are_asked(world: World) -> None:
    for _ in range(40):
        world.idle()
    alive = world.idle()
    world.prober.ready = {alive}
    world.clock.advance(60)

    assert world.allocator.allocate(ALICE, actor="tester").allocation.instance == alive
    assert len(world.prober.probed) == 3


def test_what_answered_counts_for_the_next_claim_too(world: World) -> None:
    world.idle()
    world.idle()
    world.clock.advance(60)
    world.allocator.allocate(ALICE, actor="tester")

    world.allocator.allocate(ProjectId("bob"), actor="tester")

    assert len(world.prober.probed) == 1


# Pools


def test_without_a_name_the_default_pool_serves(world: World) -> None:
    world.idle(GPU)
    instance = world.idle()

    claimed = world.allocator.allocate(ALICE, actor="tester")

    assert (claimed.allocation.instance, claimed.allocation.pool) == (instance, DEFAULT_POOL)


def test_the_pool_that_is_named_serves_and_is_looked_after(world: World) -> None:
    world.idle()
    instance = world.idle(GPU)

    claimed = world.allocator.allocate(ALICE, actor="tester", pool=GPU)

    assert (claimed.allocation.instance, claimed.allocation.pool) == (instance, GPU)
    assert world.waker.pools == [GPU]


def test_an_unknown_pool_is_not_found_and_the_known_ones_are_named(world: World) -> None:
    with pytest.raises(PoolNotFound, match="default, gpu"):
        world.allocator.allocate(ALICE, actor="tester", pool=PoolName("typo"))

    assert world.waker.wakes == 0


def test_who_holds_one_of_another_pool_gets_it_where_none_is_named(world: World) -> None:
    world.idle()
    held = world.allocate_from(GPU)

    again = world.allocator.allocate(ALICE, actor="tester")

    assert (again.created, again.allocation) == (False, held)


def test_who_holds_one_of_another_pool_than_he_names_is_told_so(world: World) -> None:
    world.idle()
    held = world.allocate_from(GPU)

    with pytest.raises(AllocatedElsewhere, match=f"{held.instance} of pool 'gpu'"):
        world.allocator.allocate(ALICE, actor="tester", pool=DEFAULT_POOL)


def test_the_pool_that_it_holds_one_of_may_be_named(world: World) -> None:
    held = world.allocate_from(GPU)

    assert world.allocator.allocate(ALICE, actor="tester", pool=GPU).allocation == held


def test_the_instances_of_a_pool_are_asked_by_its_own_prober(world: World) -> None:
    instance = world.idle(GPU)
    world.clock.advance(60)

    world.allocator.allocate(ALICE, actor="tester", pool=GPU)

    assert world.prober.probed == []
    assert world.gpu_prober.probed == [{instance: ("10.0.0.1", 8080)}]


# Time limits, release, holds


def test_a_time_limit_begins_with_the_allocation(world: World) -> None:
    world.idle()

    claimed = world.allocator.allocate(ALICE, actor="tester", ttl=MINUTE)

    assert claimed.allocation.expires_at == world.clock.now() + MINUTE


def test_an_allocation_whose_time_is_over_is_given_to_nobody_any_more(world: World) -> None:
    world.idle()
    old = world.allocator.allocate(ALICE, actor="tester", ttl=MINUTE).allocation.instance
    another = world.idle()
    world.clock.advance(MINUTE / 2)
    assert SqlLifetimes(world.registry._transactions).announce(old)
    world.clock.advance(MINUTE / 2)
    world.registry.note_probes({another}, (), now=world.clock.now())

    claimed = world.allocator.allocate(ALICE, actor="tester", ttl=MINUTE)

    assert claimed.created
    assert claimed.allocation.instance == another
    assert world.registry.instances(DEFAULT_POOL)[old].end_reason is EndReason.EXPIRED


def test_an_allocation_whose_time_is_over_while_its_pool_is_paused_is_still_the_projects(
    world: World,
) -> None:
    world.idle()
    held = world.allocator.allocate(ALICE, actor="tester", ttl=MINUTE).allocation.instance
    SqlControls(world.registry._transactions).change(
        DEFAULT_POOL, Change(paused=True), configured=5, expect=None, actor="ann", now=world.clock.now()
    )
    world.clock.advance(timedelta(seconds=61))

    claimed = world.allocator.allocate(ALICE, actor="tester")

    assert (claimed.created, claimed.allocation.instance) == (False, held)


def test_a_renewal_counts_from_now_and_asks_for_no_pass(world: World) -> None:
    world.idle()
    world.allocator.allocate(ALICE, actor="tester", ttl=MINUTE)
    world.clock.advance(30)
    wakes = world.waker.wakes

    assert world.allocator.renew(ALICE, MINUTE, actor="tester").expires_at == world.clock.now() + MINUTE
    assert world.allocator.renew(ALICE, None, actor="tester").expires_at is None
    assert world.waker.wakes == wakes


def test_who_asks_for_no_terms_gets_those_of_the_pool(world: World) -> None:
    made = world.allocate_from(GPU)

    assert made.expires_at == world.clock.now() + 10 * MINUTE
    assert made.confirm_by == world.clock.now() + MINUTE


def test_who_asks_for_terms_gets_them_as_far_as_the_pool_allows(world: World) -> None:
    world.idle(GPU)
    most = 20 * MINUTE

    made = world.allocator.allocate(
        ALICE, actor="tester", pool=GPU, ttl=most, confirm_within=2 * MINUTE
    ).allocation

    assert made.expires_at == world.clock.now() + most
    assert made.confirm_by == world.clock.now() + 2 * MINUTE


def test_a_time_limit_beyond_what_the_pool_allows_is_refused_and_nobody_waits(world: World) -> None:
    world.idle(GPU)

    with pytest.raises(TtlTooLong, match="1200 seconds at most"):
        world.allocator.allocate(ALICE, actor="tester", pool=GPU, ttl=21 * MINUTE)

    assert world.registry.waiting(GPU, now=world.clock.now()) == 0
    assert world.waker.wakes == 0


@pytest.mark.parametrize("ttl", [21 * MINUTE, None])
def test_a_renewal_keeps_to_what_the_pool_of_the_allocation_allows(
    world: World, ttl: timedelta | None
) -> None:
    world.allocate_from(GPU)

    with pytest.raises(TtlTooLong):
        world.allocator.renew(ALICE, ttl, actor="tester")


def test_a_confirmation_is_passed_on_and_asks_for_no_pass(world: World) -> None:
    world.allocate_from(GPU)
    wakes = world.waker.wakes

    assert world.allocator.confirm(ALICE, actor="tester").confirm_by is None
    assert world.newest(EventKind.ALLOCATION_CONFIRMED).actor == "tester"
    assert world.waker.wakes == wakes


def test_a_release_decides_at_once_and_asks_for_a_pass_of_its_pool(world: World) -> None:
    held = world.allocate_from(GPU)
    world.waker.pools.clear()

    ended = world.allocator.release(ALICE, actor="tester")

    assert (ended.instance, ended.state) == (held.instance, InstanceState.TERMINATING)
    assert world.known(held.instance, GPU).end_reason is EndReason.RELEASED
    assert world.waker.pools == [GPU]


def test_nothing_can_be_released_or_renewed_that_nobody_holds(world: World) -> None:
    with pytest.raises(AllocationNotFound):
        world.allocator.release(ALICE, actor="tester")
    with pytest.raises(AllocationNotFound):
        world.allocator.renew(ALICE, MINUTE, actor="tester")

    assert world.waker.wakes == 0


def test_a_hold_is_kept_for_its_time_and_its_place_is_made_up_for(world: World) -> None:
    instance = world.idle()

    held = world.allocator.hold(instance, actor="somebody", ttl=MINUTE, reason="a reason")

    assert held.hold is not None
    assert (held.hold.by, held.hold.until, held.hold.reason) == (
        "somebody",
        world.clock.now() + MINUTE,
        "a reason",
    )
    assert world.waker.pools == [DEFAULT_POOL]


def test_what_is_let_go_is_looked_after_at_once(world: World) -> None:
    instance = world.idle()
    world.allocator.hold(instance, actor="tester")
    world.waker.pools.clear()

    assert world.allocator.unhold(instance, actor="tester").hold is None
    assert world.waker.pools == [DEFAULT_POOL]


def test_a_hold_that_comes_too_late_asks_for_no_pass(world: World) -> None:
    instance = world.idle()
    world.registry.destroy(instance, actor="tester", now=world.clock.now())
    world.registry.note_terminate_call(instance, world.clock.now())

    with pytest.raises(HoldTooLate):
        world.allocator.hold(instance, actor="tester")

    assert world.waker.wakes == 0


def test_an_instance_of_a_pool_that_is_no_longer_served_can_be_ended(world: World) -> None:
    instance = world.idle(PoolName("former"))

    assert world.allocator.destroy(instance, actor="tester").state is InstanceState.TERMINATING
    assert world.waker.wakes == 0
