"""Holds and time limits in a pool that is looked after: what passes do about them."""

from datetime import timedelta

import structlog
from structlog.testing import capture_logs

from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, Instance, InstanceId, InstanceState, ProjectId
from app.domain.terms import Terms
from tests.unit.service.pools import Pool

IDLE, ALLOCATED = InstanceState.IDLE, InstanceState.ALLOCATED
BOOTING, TERMINATING = InstanceState.BOOTING, InstanceState.TERMINATING
MINUTE = timedelta(minutes=1)
ALICE = ProjectId("alice")


def hold(pool: Pool, instance: InstanceId, lasts: timedelta | None = None) -> None:
    pool.registry.hold(instance, ttl=lasts, actor="tester", now=pool.clock.now())


def unhold(pool: Pool, instance: InstanceId) -> None:
    pool.registry.unhold(instance, actor="tester", now=pool.clock.now())


def release(pool: Pool) -> None:
    pool.registry.release(ALICE, actor="tester", now=pool.clock.now())


def claim(pool: Pool, lasts: timedelta) -> InstanceId:
    now, terms = pool.clock.now(), Terms(ttl=lasts)
    claimed = pool.registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=now, terms=terms)
    return claimed.allocation.instance


def known(pool: Pool, instance: InstanceId) -> Instance:
    return pool.registry.instances(DEFAULT_POOL)[instance]


def test_an_allocation_ends_with_its_time_and_its_instance_is_terminated(pool: Pool) -> None:
    pool.tick(6)
    instance = claim(pool, MINUTE)
    pool.tick(5)
    assert known(pool, instance).state is ALLOCATED

    for _ in range(2):  # the first half of a minute until it is announced, and the other
        pool.clock.advance(MINUTE / 2)
        pool.tick()
    assert known(pool, instance).end_reason is EndReason.EXPIRED
    pool.tick(3)

    assert instance not in pool.cloud.members
    assert (pool.cloud.desired, pool.count(IDLE)) == (5, 5)


def test_an_allocation_that_is_renewed_goes_on(pool: Pool) -> None:
    pool.tick(6)
    instance = claim(pool, MINUTE)
    for _ in range(5):
        pool.clock.advance(MINUTE / 2)
        pool.registry.renew(ALICE, MINUTE, policies={}, actor="tester", now=pool.clock.now())
        pool.tick()

    assert known(pool, instance).state is ALLOCATED


def test_a_released_instance_is_terminated_only_after_the_hold(pool: Pool) -> None:
    pool.tick(6)
    instance = pool.claim("alice").allocation.instance
    hold(pool, instance)
    release(pool)

    pool.tick(10)
    assert pool.called("terminate") == 0
    assert known(pool, instance).state is TERMINATING
    assert (pool.cloud.desired, pool.count(IDLE)) == (6, 5)

    unhold(pool, instance)
    pool.tick(4)
    assert instance not in pool.cloud.members
    assert (pool.cloud.desired, pool.count(IDLE), pool.called("terminate")) == (5, 5, 1)


def test_a_hold_between_look_and_call_wins(pool: Pool) -> None:
    pool.tick(6)
    instance = pool.claim("alice").allocation.instance
    pool.tick(4)
    release(pool)
    observe = pool.cloud.observe

    def held_after_the_look(account_for: frozenset[InstanceId], *, urgent: bool) -> object:
        seen = observe(account_for, urgent=urgent)
        hold(pool, instance)
        return seen

    pool.cloud.observe = held_after_the_look  # type: ignore[method-assign, assignment]
    pool.tick()

    assert pool.called("terminate") == 0
    assert instance in pool.cloud.members


def test_the_place_of_a_held_idle_instance_is_made_up_for(pool: Pool) -> None:
    pool.tick(6)
    hold(pool, next(iter(pool.registry.instances(DEFAULT_POOL, {IDLE}))))

    pool.tick(6)

    assert (pool.cloud.desired, pool.count(IDLE)) == (6, 6)
    assert pool.limited_by is None


def test_a_buffer_on_hold_is_filled_up_beside_it_and_all_of_it_is_kept_afterwards(pool: Pool) -> None:
    pool.tick(6)
    buffer = list(pool.registry.instances(DEFAULT_POOL, {IDLE}))
    for instance in buffer:
        hold(pool, instance)
    pool.tick(6)
    for instance in buffer:
        unhold(pool, instance)
    pool.tick(30)

    assert (pool.cloud.desired, pool.count(IDLE), pool.called("terminate")) == (10, 10, 0)


def test_a_pass_tells_what_is_on_hold_apart_from_what_is_idle(pool: Pool) -> None:
    pool.tick(6)
    for instance in list(pool.registry.instances(DEFAULT_POOL, {IDLE}))[:2]:
        hold(pool, instance)
    structlog.reset_defaults()

    with capture_logs() as told:
        pool.tick()

    (finished,) = [line for line in told if line["event"] == "pass.finished"]
    assert (finished["idle"], finished["held"], finished["found"]) == (3, 2, 5)


def test_a_held_booting_instance_is_left_alone_and_made_up_for(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(3)
    held = next(iter(pool.registry.instances(DEFAULT_POOL, {BOOTING})))
    hold(pool, held)

    pool.prober.ready = None
    pool.clock.advance(600)
    pool.tick(6)

    assert known(pool, held).state is BOOTING
    assert pool.count(IDLE) == 5

    unhold(pool, held)
    pool.tick(2)
    assert known(pool, held).state is IDLE


def test_a_held_instance_that_stops_answering_is_neither_replaced_nor_handed_out(pool: Pool) -> None:
    pool.tick(6)
    held = next(iter(pool.registry.instances(DEFAULT_POOL, {IDLE})))
    hold(pool, held)
    pool.tick(6)
    pool.prober.ready = set(pool.cloud.members) - {held}

    pool.tick(60)

    assert known(pool, held).state is BOOTING
    assert held in pool.cloud.members

    unhold(pool, held)
    pool.tick(4)
    assert held not in pool.cloud.members


def test_a_hold_ends_by_itself_when_its_time_is_over(pool: Pool) -> None:
    pool.tick(6)
    held = next(iter(pool.registry.instances(DEFAULT_POOL, {IDLE})))
    hold(pool, held, MINUTE)
    pool.tick(5)
    assert known(pool, held).hold is not None

    pool.clock.advance(MINUTE)
    pool.tick()

    assert known(pool, held).hold is None
    assert pool.registry.events(limit=1)[0].kind is EventKind.INSTANCE_UNHELD


def test_a_pool_that_waits_only_for_holds_to_end_is_at_rest(pool: Pool) -> None:
    pool.tick(6)
    instance = pool.claim("alice").allocation.instance
    hold(pool, instance)
    release(pool)
    pool.tick(6)

    report = pool.tick()

    assert not report.changed
    assert not report.unsettled


def test_an_instance_that_aws_ends_is_held_no_longer(pool: Pool) -> None:
    pool.tick(6)
    held = next(iter(pool.registry.instances(DEFAULT_POOL, {IDLE})))
    hold(pool, held)
    pool.cloud.kill(held)

    pool.tick(6)

    assert held not in pool.registry.instances(DEFAULT_POOL)
    assert pool.registry.terminated([held])[held].hold is None
    assert pool.count(IDLE) == 5
