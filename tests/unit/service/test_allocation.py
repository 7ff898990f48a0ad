"""Allocate and destroy: what is passed on, and when a pass is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import InstanceNotFound, PoolExhausted
from app.domain.events import Event, EventKind
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, PoolView, ProjectId
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import Allocator
from tests.builders import NOW, a_look
from tests.fakes import FakeClock, FakeProber, FakeWaker

ALICE = ProjectId("alice")


class World:
    """An allocator, and what it is made of."""

    def __init__(self, registry: SqlRegistry) -> None:
        self.registry = registry
        self.waker = FakeWaker()
        self.clock = FakeClock()
        self.prober = FakeProber()
        registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=NOW))
        self.allocator = Allocator(
            pool=DEFAULT_POOL,
            registry=registry,
            quick_prober=self.prober,
            waker=self.waker,
            clock=self.clock,
        )

    def idle(self) -> InstanceId:
        look = a_look()
        self.registry.discover(DEFAULT_POOL, look, now=NOW)
        self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
        return look.id

    def newest(self, kind: EventKind) -> Event:
        return next(line for line in self.registry.events(limit=100) if line.kind is kind)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    yield World(registry)
    registry.close()


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
