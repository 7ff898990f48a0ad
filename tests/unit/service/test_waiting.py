"""Waiting in line: who is served when, and what it costs."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import AllocatedElsewhere, PoolExhausted
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Claimed, RequestId, Standing
from app.service.waiting import INSIST
from tests.builders import a_look
from tests.unit.service.allocating import A_MINUTE, ALICE, BOB, GPU, World, wait


def count_claims(world: World) -> list[ProjectId]:
    """Collect who claims from now on: each is a transaction that writes."""
    claims: list[ProjectId] = []
    claim = world.registry.claim

    def counted(pool: object, project: ProjectId, **rest: object) -> Claimed:
        claims.append(project)
        return claim(pool, project, **rest)  # type: ignore[arg-type]

    world.registry.claim = counted  # type: ignore[method-assign]
    return claims


def test_where_something_is_idle_nobody_waits(world: World) -> None:
    world.idle()

    assert wait(world).created
    assert world.slept == 0


def test_who_waits_is_served_within_a_second_of_an_instance_becoming_idle(world: World) -> None:
    began = world.watch()
    made: list[InstanceId] = []
    world.after(7.3, lambda: made.append(world.idle()))

    claimed = wait(world)

    assert [claimed.allocation.instance] == made
    assert 7.3 <= world.watch() - began < 8.3


def test_the_allocation_counts_from_when_it_was_made(world: World) -> None:
    world.after(10, world.idle)

    claimed = world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, ttl=A_MINUTE)

    assert claimed.allocation.allocated_at == world.clock.now()
    assert claimed.allocation.expires_at == world.clock.now() + A_MINUTE


def test_who_waits_in_vain_learns_it_when_his_time_is_over(world: World) -> None:
    began = world.watch()

    with pytest.raises(PoolExhausted) as refused:
        wait(world, wait=timedelta(seconds=12.5))

    assert world.watch() - began == pytest.approx(12.5)
    assert refused.value.retry_after > timedelta()


def test_who_waits_counts_as_demand_all_the_while(world: World) -> None:
    counted: list[int] = []
    for second in range(1, 60):
        world.after(
            second, lambda: counted.append(world.registry.waiting(DEFAULT_POOL, now=world.clock.now()))
        )

    with pytest.raises(PoolExhausted):
        wait(world)

    assert counted == [1] * 59


def test_a_pass_is_asked_for_when_somebody_gets_in_line(world: World) -> None:
    world.after(1, lambda: woken.extend(world.waker.pools))
    woken: list[object] = []

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=2))

    assert woken == [DEFAULT_POOL]


def test_while_nothing_is_idle_a_waiter_hardly_writes(world: World) -> None:
    claims = count_claims(world)

    with pytest.raises(PoolExhausted):
        wait(world)

    assert len(claims) <= 2 + 60 / INSIST


def test_one_look_at_the_line_serves_all_who_wait_here(world: World) -> None:
    looks: list[object] = []
    look = world.line.look

    def counted(pool: PoolName, *rest: Any, **more: Any) -> Standing:
        looks.append(pool)
        return look(pool, *rest, **more)

    world.line.look = counted  # type: ignore[method-assign]
    world.after(0, lambda: wait(world, BOB, timedelta(seconds=2)))

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=4))

    assert len(looks) <= 4 / 0.2 + 2  # and one more where somebody has just got in line


def test_what_is_idle_and_does_not_answer_is_not_asked_without_pause(world: World) -> None:
    world.idle()
    world.prober.ready = set()
    world.clock.advance(60)

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=20))

    assert 5 <= len(world.prober.probed) <= 20 / 2 + 2


def test_what_is_idle_and_answers_again_is_given_to_who_waits(world: World) -> None:
    instance = world.idle()
    world.prober.ready = set()
    world.clock.advance(60)
    world.after(3, lambda: setattr(world.prober, "ready", None))

    assert wait(world).allocation.instance == instance


def test_a_held_instance_is_nothing_to_wait_for(world: World) -> None:
    held = world.idle()
    world.allocator.hold(held, actor="tester")
    claims = count_claims(world)

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=4))

    assert len(claims) == 2  # the first and the last


# Order


def test_the_longest_waiting_is_served_first(world: World) -> None:
    served: dict[ProjectId, InstanceId] = {}

    def bob_comes() -> None:
        world.after(2, world.idle)
        world.after(4, world.idle)
        try:
            served[BOB] = wait(world, BOB, timedelta(seconds=3)).allocation.instance
        except PoolExhausted:
            return

    world.after(1, bob_comes)
    served[ALICE] = wait(world).allocation.instance

    assert BOB not in served  # the first instance is not for him, though she sleeps while he looks


def test_two_instances_serve_two_who_wait(world: World) -> None:
    served: list[Claimed] = []

    def bob_comes() -> None:
        world.after(2, lambda: (world.idle(), world.idle()))
        served.append(wait(world, BOB))

    world.after(1, bob_comes)
    served.append(wait(world))

    assert [one.allocation.project for one in served] == [BOB, ALICE]
    assert all(one.created for one in served)


def test_what_a_project_got_elsewhere_it_gets_here_too(world: World) -> None:
    elsewhere: list[Claimed] = []

    def another_replica_serves() -> None:
        world.idle()
        claimed = world.registry.claim(DEFAULT_POOL, ALICE, actor="other", now=world.clock.now())
        elsewhere.append(claimed)

    world.after(3, another_replica_serves)
    began = world.watch()

    assert wait(world).allocation == elsewhere[0].allocation
    assert world.watch() - began <= 3 + INSIST + 1


def test_each_pool_has_a_line_of_its_own(world: World) -> None:
    served: list[Claimed] = []

    def bob_comes() -> None:
        world.after(2, lambda: world.idle(GPU))
        served.append(world.allocator.allocate(BOB, actor="tester", pool=GPU, wait=A_MINUTE))

    world.after(1, bob_comes)
    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=10))

    assert [one.allocation.pool for one in served] == [GPU]


def test_who_waits_for_another_pool_than_he_gets_one_of_is_told_so(world: World) -> None:
    world.after(1, lambda: world.allocate_from(GPU))

    with pytest.raises(AllocatedElsewhere):
        world.allocator.allocate(ALICE, actor="tester", pool=DEFAULT_POOL, wait=A_MINUTE)


# Hanging up


class Client:
    """Hangs up so long after it was made, by the seconds that pass in the world."""

    def __init__(self, world: World, *, after: float) -> None:
        self._world = world
        self._at = world.watch() + after

    def gone(self) -> bool:
        return self._world.watch() >= self._at


def test_who_hangs_up_leaves_the_line_at_once(world: World) -> None:
    began = world.watch()

    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, gone=Client(world, after=3).gone)

    assert world.watch() - began < 3.5
    world.idle()
    assert world.allocator.allocate(BOB, actor="tester").created


def test_who_hangs_up_is_no_demand_any_more(world: World) -> None:
    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, gone=Client(world, after=3).gone)

    assert world.registry.waiting(DEFAULT_POOL, now=world.clock.now()) == 0


def test_nothing_is_claimed_for_who_has_hung_up(world: World) -> None:
    world.after(3, world.idle)

    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, gone=Client(world, after=3).gone)

    states = [one.state for one in world.registry.instances(DEFAULT_POOL).values()]
    assert states == [InstanceState.IDLE]


class Fickle:
    """Is there whenever it is looked at until the claim is made, and then no more."""

    def __init__(self, world: World) -> None:
        self._world = world

    def gone(self) -> bool:
        held = (one.project for one in self._world.registry.instances(DEFAULT_POOL).values())
        return ALICE in held


def test_who_asks_again_after_a_wait_in_vain_stands_where_it_stood(world: World) -> None:
    elsewhere = RequestId("elsewhere")
    world.line.enter(DEFAULT_POOL, ALICE, RequestId("before"))
    world.line.enter(DEFAULT_POOL, BOB, elsewhere)
    world.line.leave([RequestId("before")], demand=True)
    for second in range(10):
        world.after(
            second, lambda: world.line.look(DEFAULT_POOL, {elsewhere: BOB}, ready_since=world.clock.now())
        )
    world.after(3, world.idle)

    assert wait(world, wait=timedelta(seconds=8)).created


def test_an_allocation_that_was_made_while_the_client_hung_up_is_ended(world: World) -> None:
    made: list[InstanceId] = []
    world.after(3, lambda: made.append(world.idle()))

    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, gone=Fickle(world).gone)

    ended = world.known(made[0])
    assert (ended.state, ended.end_reason) == (InstanceState.TERMINATING, EndReason.ABANDONED)


def test_not_where_a_newer_request_of_the_project_waits_elsewhere(world: World) -> None:
    elsewhere = RequestId("elsewhere")

    def claimed_in_between() -> None:
        world.idle()
        claim = world.registry.claim

        def claim_and_come(*what: Any, **more: Any) -> Claimed:
            world.line.enter(DEFAULT_POOL, ALICE, elsewhere)
            return claim(*what, **more)

        world.registry.claim = claim_and_come  # type: ignore[method-assign]

    world.after(3, claimed_in_between)

    claimed = world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, gone=Fickle(world).gone)

    assert world.known(claimed.allocation.instance).state is InstanceState.ALLOCATED


def test_what_is_idle_is_not_given_to_who_has_hung_up_already(world: World) -> None:
    instance = world.idle()

    with pytest.raises(PoolExhausted):
        world.allocator.allocate(ALICE, actor="tester", wait=A_MINUTE, gone=lambda: True)

    assert world.known(instance).state is InstanceState.IDLE
    assert world.registry.waiting(DEFAULT_POOL, now=world.clock.now()) == 0


def test_a_request_that_does_not_wait_is_served_whether_or_not_anybody_is_there(world: World) -> None:
    world.idle()

    assert world.allocator.allocate(ALICE, actor="tester", gone=lambda: True).created


# Over replicas


def test_whoever_stands_first_at_another_replica_is_served_first(world: World) -> None:
    world.line.enter(DEFAULT_POOL, BOB, RequestId("elsewhere"))
    for second in range(20):
        world.after(
            second,
            lambda: world.line.look(
                DEFAULT_POOL, {RequestId("elsewhere"): BOB}, ready_since=world.clock.now()
            ),
        )
    world.after(5, world.idle)

    with pytest.raises(PoolExhausted):
        wait(world, wait=timedelta(seconds=15))

    assert world.allocator.allocate(BOB, actor="tester").created


def test_who_stands_behind_a_replica_that_died_waits_three_seconds_longer(world: World) -> None:
    world.idle()
    world.line.enter(DEFAULT_POOL, BOB, RequestId("of the dead"))
    began = world.watch()

    assert wait(world).created
    assert 2.5 < world.watch() - began < 3.5


def test_a_newer_request_at_another_replica_takes_the_place_over(world: World) -> None:
    world.after(3, lambda: world.line.enter(DEFAULT_POOL, ALICE, RequestId("elsewhere")))
    began = world.watch()

    with pytest.raises(PoolExhausted, match="A newer request of the same project took the place"):
        wait(world)

    assert world.watch() - began < 3.5


def test_a_replica_that_was_frozen_goes_on_at_the_end_of_the_line(world: World) -> None:
    elsewhere = RequestId("elsewhere")

    def frozen_for_a_while() -> None:
        world.clock.advance(10)
        world.watch.advance(10)
        world.line.enter(DEFAULT_POOL, BOB, elsewhere)

    world.after(2, frozen_for_a_while)
    world.after(14, lambda: world.line.leave([elsewhere], demand=False))
    world.after(14, world.idle)

    assert wait(world).created


def test_who_is_refused_is_told_how_long_it_will_take(world: World) -> None:
    look = a_look(launched_at=world.clock.now())
    world.registry.discover(DEFAULT_POOL, look, now=world.clock.now())
    world.clock.advance(20)
    world.registry.mark_idle(look.id, "10.0.0.1", 8080, now=world.clock.now())
    world.allocator.allocate(BOB, actor="tester")

    with pytest.raises(PoolExhausted) as refused:
        world.allocator.allocate(ALICE, actor="tester")

    assert refused.value.estimated_wait == timedelta(seconds=20)
