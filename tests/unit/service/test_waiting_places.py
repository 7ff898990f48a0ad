"""Places to wait in line: who is let in, whose place is taken over, and when it is free again."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.model import DEFAULT_POOL, Allocation, PoolName, ProjectId
from app.ports import Claimed
from app.service.waiting import Supply, WaitingRoom
from tests.builders import NOW, an_instance_id
from tests.unit.service.allocating import ALICE, BOB, CAROL, GPU, World, wait
from tests.waiting import until

POOLS = (DEFAULT_POOL, GPU, PoolName("tpu"))
A_WHILE = timedelta(seconds=10)
NOTHING = PoolExhausted("Nothing is idle.", retry_after=timedelta(seconds=5))
NONE, PLENTY = Supply(ready=0, doubtful=0), Supply(ready=99, doubtful=0)
FOUND = Claimed(
    Allocation(
        project=ALICE,
        pool=DEFAULT_POOL,
        instance=an_instance_id(),
        address="10.0.0.1",
        port=8080,
        allocated_at=NOW,
    ),
    created=True,
)


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


class Line:
    """Requests that wait in threads of their own, for what is `found`."""

    def __init__(self, *, places: int, tick: float = 0.005) -> None:
        self.found = False
        self._tick = tick
        self._came: set[Event] = set()
        self._room = WaitingRoom(places=places, pools=POOLS, monotonic=monotonic, sleep=self._sleep)
        self._threads = ThreadPoolExecutor(20)

    def send(
        self,
        project: ProjectId,
        pool: PoolName = DEFAULT_POOL,
        *,
        claim: Callable[[], Claimed] | None = None,
        supply: Supply | None = None,
    ) -> Future[Claimed]:
        def look() -> Supply:
            return supply or (PLENTY if self.found else NONE)

        return self._threads.submit(
            self._room.wait, pool, project, A_WHILE, look, claim or self._claim, NOTHING
        )

    def come(
        self,
        project: ProjectId,
        pool: PoolName = DEFAULT_POOL,
        *,
        claim: Callable[[], Claimed] | None = None,
        supply: Supply | None = None,
    ) -> Future[Claimed]:
        """Send a request, and return once it waits or has been answered."""
        there = len(self._came)
        request = self.send(project, pool, claim=claim, supply=supply)
        until(lambda: request.done() or len(self._came) > there)
        return request

    def _claim(self) -> Claimed:
        if not self.found:
            raise NOTHING
        return FOUND

    def _sleep(self, woken: Event, _seconds: float) -> None:
        self._came.add(woken)
        woken.wait(self._tick)


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
    line = Line(places=1)
    first = line.come(ALICE, GPU)
    second = line.come(BOB)
    line.found = True

    assert first.result(timeout=5) == FOUND
    assert isinstance(second.exception(timeout=5), PoolExhausted)


def test_with_no_place_at_all_the_refusal_names_the_setting() -> None:
    error = Line(places=0).come(ALICE).exception(timeout=5)

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


def test_what_the_older_request_finds_after_all_the_newer_fetches_at_once() -> None:
    line = Line(places=3)
    asks, goes_on = Event(), Event()

    def slow() -> Claimed:
        asks.set()
        goes_on.wait(10)
        return FOUND

    older = line.come(ALICE, claim=slow, supply=PLENTY)
    assert asks.wait(10)
    newer = line.come(ALICE, GPU, claim=lambda: FOUND)
    assert not newer.done()
    goes_on.set()

    assert older.result(timeout=2) == FOUND
    assert newer.result(timeout=2) == FOUND  # it would have asked by itself only after five seconds


def test_who_lost_his_place_is_answered_at_once() -> None:
    line = Line(places=3, tick=8)
    older = line.come(ALICE)
    line.come(ALICE)

    assert isinstance(older.exception(timeout=4), PoolExhausted)


@pytest.mark.parametrize("_", range(5))
def test_of_many_requests_of_a_project_at_the_same_moment_one_waits(_: int) -> None:
    line = Line(places=3)
    requests = [line.send(ALICE, POOLS[number % 2]) for number in range(20)]

    until(lambda: sum(one.done() for one in requests) == 19)
    line.found = True

    until(lambda: all(one.done() for one in requests))
    assert sum(one.exception() is None for one in requests) == 1
    others = [line.come(project) for project in (BOB, CAROL)]
    assert [one.result(timeout=5) for one in others] == [FOUND] * 2


# Free again


def test_a_place_is_free_again_when_its_wait_is_over(world: World) -> None:
    for number in range(5):
        with pytest.raises(PoolExhausted):
            wait(world, ProjectId(f"project-{number}"), timedelta(seconds=1))
    world.after(1, world.idle)

    assert wait(world).created


def test_a_place_is_free_again_after_a_failure(world: World) -> None:
    instances = world.registry.instances

    def away(*_: object) -> object:
        raise RegistryUnavailable

    for number in range(5):
        world.registry.instances = away  # type: ignore[assignment, method-assign]
        with pytest.raises(RegistryUnavailable):
            wait(world, ProjectId(f"project-{number}"))
    world.registry.instances = instances  # type: ignore[method-assign]
    world.after(1, world.idle)

    assert wait(world).created


def test_at_the_end_of_the_process_everybody_is_sent_away(world: World) -> None:
    began = world.watch()
    ends_at = began + 3
    world.waiting_room.open_while(lambda: world.watch() < ends_at)

    with pytest.raises(PoolExhausted):
        wait(world)

    assert world.watch() - began < 4


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
        try:
            room.wait(pool, project, A_WHILE, lambda: PLENTY, lambda: FOUND, NOTHING)
        except PoolExhausted as error:
            detail = error.detail
        else:
            assert waiting.pop(project) is me
            return
        assert waiting.get(project) is not me
        assert ("took the place" in detail) == fits

    room = WaitingRoom(places=places, pools=POOLS, monotonic=lambda: 0.0, sleep=sleep)
    sleep(Event(), 0)
