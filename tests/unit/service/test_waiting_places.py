"""Places to wait in line: who is let in, whose place is taken over, and when it is free again."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.model import DEFAULT_POOL, PoolName, ProjectId
from app.ports import Claimed, RequestId
from app.service.waiting import WaitingRoom
from tests.fake_clock import FakeClock
from tests.fake_line import FakeLine
from tests.unit.service.allocating import ALICE, BOB, CAROL, GPU, World, wait
from tests.unit.service.rooms import A_WHILE, FOUND, NOTHING, POOLS, Room
from tests.waiting import LONG, until


def refused(world: World, project: ProjectId, *, pool: PoolName = DEFAULT_POOL) -> tuple[str, float]:
    """Say how a request is refused that waits for ten seconds, and after how many."""
    began = world.watch()
    with pytest.raises(PoolExhausted) as error:
        wait(world, project, timedelta(seconds=10), pool=pool)
    return error.value.detail, world.watch() - began


def one_after_another(world: World, *requests: Callable[[], object]) -> None:
    """Start each a second after the one before, which waits still."""
    first, *others = requests
    if others:
        world.after(1, lambda: one_after_another(world, *others))
    first()


# How many


def test_where_every_place_is_taken_the_next_one_is_refused_at_once(world: World) -> None:
    answers: list[tuple[str, float]] = []

    one_after_another(
        world,
        lambda: refused(world, ALICE),
        lambda: refused(world, BOB),
        lambda: answers.append(refused(world, CAROL)),
    )

    [(detail, after)] = answers
    assert "as many do already as may" in detail
    assert after == 0


def test_the_last_place_of_a_pool_is_not_taken_by_those_who_wait_for_another(world: World) -> None:
    served: list[Claimed] = []

    def carol_comes() -> None:
        world.after(1, lambda: world.idle(GPU))
        served.append(wait(world, CAROL, pool=GPU))

    others = [ProjectId(f"other-{number}") for number in range(3)]
    one_after_another(world, *[partial(refused, world, other) for other in others], carol_comes)

    assert [one.allocation.pool for one in served] == [GPU]


def test_with_fewer_places_than_pools_whoever_comes_first_waits() -> None:
    room = Room(places=1)
    first = room.come(ALICE, GPU)
    second = room.come(BOB)
    room.found = True

    assert first.result(LONG) == FOUND
    assert isinstance(second.exception(LONG), PoolExhausted)


def test_with_no_place_at_all_the_refusal_names_the_setting() -> None:
    error = Room(places=0).come(ALICE).exception(LONG)

    assert str(error) == "Nothing is idle. No request may wait here: ORCHESTRATOR_THREADS is 1."


def test_who_was_refused_a_place_counts_as_demand_all_the_same(world: World) -> None:
    world.waiting_room.open_while(lambda: False)

    with pytest.raises(PoolExhausted):
        wait(world)

    assert world.registry.waiting(DEFAULT_POOL, now=world.clock.now()) == 1


# One for each project


def test_a_newer_request_of_a_project_takes_the_place_of_the_older_over(world: World) -> None:
    older: list[tuple[str, float]] = []
    newer: list[Claimed] = []

    def alice_again() -> None:
        world.after(2, world.idle)
        newer.append(wait(world))

    one_after_another(world, lambda: older.append(refused(world, ALICE)), alice_again)

    [(detail, _)] = older
    assert "A newer request of the same project took the place" in detail
    assert [one.created for one in newer] == [True]


def test_a_project_that_asks_ever_again_keeps_no_other_from_waiting(world: World) -> None:
    served: list[Claimed] = []

    def bob_comes() -> None:
        world.after(1, world.idle)
        world.after(2, world.idle)
        served.append(wait(world, BOB))

    one_after_another(world, *[lambda: refused(world, ALICE)] * 6, lambda: wait(world), bob_comes)

    assert [one.allocation.project for one in served] == [BOB]


def test_the_newer_request_stands_where_the_older_stood(world: World) -> None:
    served: list[ProjectId] = []

    def waits(project: ProjectId) -> None:
        served.append(wait(world, project, timedelta(seconds=10)).allocation.project)

    def alice_again() -> None:
        world.after(1, world.idle)
        waits(ALICE)

    one_after_another(
        world,
        lambda: refused(world, ALICE),
        lambda: refused(world, BOB),
        alice_again,
    )

    assert served == [ALICE]


def test_a_newer_request_for_another_pool_takes_the_place_over_too(world: World) -> None:
    older: list[str] = []
    newer: list[Claimed] = []

    def now_of_gpu() -> None:
        world.after(1, lambda: (world.idle(GPU), world.idle()))
        newer.append(wait(world, pool=GPU))

    one_after_another(world, lambda: older.append(refused(world, ALICE)[0]), now_of_gpu)

    assert "A newer request of the same project took the place" in older[0]
    assert [one.allocation.pool for one in newer] == [GPU]


def test_in_the_line_of_another_pool_the_newer_request_stands_last(world: World) -> None:
    served: list[Claimed] = []

    def alice_for_gpu() -> None:
        world.after(1, lambda: world.idle(GPU))
        refused(world, ALICE, pool=GPU)

    one_after_another(
        world,
        lambda: refused(world, ALICE),
        lambda: served.append(wait(world, BOB, pool=GPU)),
        alice_for_gpu,
    )

    assert [one.allocation.project for one in served] == [BOB]


def test_a_newer_request_that_is_not_let_in_leaves_the_older_where_it_is(world: World) -> None:
    answers: list[str] = []
    served: list[Claimed] = []

    def alice_for_default() -> None:
        answers.append(refused(world, ALICE)[0])
        world.idle(GPU)

    one_after_another(
        world,
        lambda: served.append(wait(world, ALICE, pool=GPU)),
        lambda: refused(world, BOB),
        lambda: refused(world, CAROL),
        alice_for_default,
    )

    assert "as many do already as may" in answers[0]
    assert [one.allocation.pool for one in served] == [GPU]


def test_what_the_older_request_finds_after_all_the_newer_fetches_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.service.waiting.INSIST", 3600.0)  # or it would ask by itself after five seconds
    room = Room(places=3)
    asks, goes_on = Event(), Event()

    def slow() -> Claimed:
        asks.set()
        goes_on.wait(LONG)
        return FOUND

    room.line.ready = 1
    older = room.come(ALICE, claim=slow)
    assert asks.wait(LONG)
    room.line.ready = 0
    newer = room.come(ALICE, GPU, claim=lambda: FOUND)
    assert not newer.done()
    room.line.holding.add(ALICE)
    goes_on.set()

    assert older.result(LONG) == FOUND
    assert newer.result(LONG) == FOUND


def test_a_newer_request_that_the_database_does_not_let_in_leaves_the_older_where_it_is() -> None:
    room = Room(places=3)
    older = room.come(ALICE)
    room.line.away = True
    newer = room.send(ALICE)
    assert isinstance(newer.exception(LONG), RegistryUnavailable)
    room.line.away = False
    room.found = True

    assert older.result(LONG) == FOUND


def test_a_third_request_replaces_both_where_the_second_did_not_get_in() -> None:
    room = Room(places=3)
    older = room.come(ALICE)
    enter, fails, goes_on = room.line.enter, Event(), Event()

    def fails_once(*those: Any, **more: Any) -> None:
        if not fails.is_set():
            fails.set()
            goes_on.wait(LONG)
            raise RegistryUnavailable("The database did not answer as it should. Try again.")
        enter(*those, **more)

    room.line.enter = fails_once  # type: ignore[method-assign]
    second = room.send(ALICE)
    assert fails.wait(LONG)
    third = room.send(ALICE)
    assert not older.done()
    goes_on.set()

    assert isinstance(second.exception(LONG), RegistryUnavailable)
    assert isinstance(older.exception(LONG), PoolExhausted)
    room.found = True
    assert third.result(LONG) == FOUND


def test_a_place_is_free_again_where_neither_of_two_requests_waits_any_longer() -> None:
    room = Room(places=1)
    older = room.come(ALICE)
    room.line.away = True
    assert isinstance(room.send(ALICE).exception(LONG), RegistryUnavailable)
    room.line.away = False
    room.found = True
    older.result(LONG)

    assert room.come(BOB).result(LONG) == FOUND


def test_who_lost_his_place_is_answered_at_once() -> None:
    room = Room(places=3, tick=2 * LONG)
    older = room.come(ALICE)
    room.come(ALICE)

    assert isinstance(older.exception(LONG), PoolExhausted)


@pytest.mark.parametrize("_", range(5))
def test_of_many_requests_of_a_project_at_the_same_moment_one_waits(_: int) -> None:
    room = Room(places=3)
    requests = [room.send(ALICE, POOLS[number % 2]) for number in range(20)]

    until(lambda: sum(one.done() for one in requests) == 19)
    room.found = True

    until(lambda: all(one.done() for one in requests))
    assert sum(one.exception() is None for one in requests) == 1
    others = [room.come(project) for project in (BOB, CAROL)]
    assert [one.result(LONG) for one in others] == [FOUND] * 2


def test_requests_of_a_project_get_in_line_in_the_order_in_which_they_came() -> None:
    room = Room(places=3)
    enters, goes_on = Event(), Event()
    enter = room.line.enter

    def slow(*those: Any, **more: Any) -> None:
        first = not enters.is_set()
        enters.set()
        if first:
            goes_on.wait(LONG)
        enter(*those, **more)

    room.line.enter = slow  # type: ignore[method-assign]
    older = room.send(ALICE)
    assert enters.wait(LONG)
    newer = room.send(ALICE)
    goes_on.set()

    assert isinstance(older.exception(LONG), PoolExhausted)
    room.found = True
    assert newer.result(LONG) == FOUND


def test_where_the_database_hangs_those_beyond_the_places_are_refused_at_once() -> None:
    room = Room(places=3)
    enters, goes_on = Event(), Event()

    def hangs(*_: object, **__: object) -> None:
        enters.set()
        goes_on.wait(LONG)

    room.line.enter = hangs  # type: ignore[method-assign]
    first = room.send(ALICE)
    assert enters.wait(LONG)

    assert isinstance(room.send(BOB).exception(LONG), PoolExhausted)
    assert not first.done()
    goes_on.set()


# Whatever comes

LEAVES = None
"""The one who came last is served, and goes."""
COMES = st.tuples(st.sampled_from(POOLS), st.sampled_from([ALICE, BOB, CAROL, ProjectId("dave")]))


@given(st.integers(1, 6), st.lists(st.one_of(st.just(LEAVES), COMES, COMES), max_size=25))
def test_whoever_comes_is_let_in_unless_that_would_leave_too_few_places(
    places: int, steps: list[tuple[PoolName, ProjectId] | None]
) -> None:
    """No more than there are, one for each project, and one free for each pool that nobody waits for."""
    to_come = iter(steps)
    waiting: dict[ProjectId, tuple[PoolName, object]] = {}

    def sleep(_woken: Event, _seconds: float) -> None:
        """Let all the others come while this one sleeps, until it is to leave."""
        for step in to_come:
            if step is LEAVES:
                return
            come(*step)

    def come(pool: PoolName, project: ProjectId) -> None:
        others = [theirs for name, (theirs, _) in waiting.items() if name != project]
        kept = set(POOLS) - {pool, *others} if places >= len(POOLS) else set()
        fits = len(others) + 1 + len(kept) <= places
        assert fits or pool in others or places < len(POOLS)  # each pool has a place of its own
        me = (pool, object())
        if fits:
            waiting[project] = me
        waiter = room.waiter(pool, project, actor="tester", gone=lambda: False)
        try:
            room.wait(waiter, A_WHILE, lambda: FOUND, NOTHING)
        except PoolExhausted as error:
            detail = error.detail
        else:
            line.leave([waiter.request], demand=True)  # as a claim does
            assert waiting.pop(project) is me
            return
        assert waiting.get(project) is not me
        assert ("took the place" in detail) == fits

    line = FakeLine()
    line.ready = 99
    room = WaitingRoom(
        line=line,
        requests=(RequestId(str(number)) for number in count()),
        places=places,
        pools=POOLS,
        clock=FakeClock(),
        monotonic=lambda: 0.0,
        sleep=sleep,
    )
    sleep(Event(), 0)
