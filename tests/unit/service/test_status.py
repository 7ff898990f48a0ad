"""Status and readiness: what is counted, and what is said when something is missing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, Group, InstanceId, InstanceState, PoolName, PoolView, ProjectId
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.status import Check, Duty, StatusReader
from tests.builders import NOW, a_look
from tests.fakes import FakeClock, FakeLeases

INTERVAL = timedelta(seconds=10)


class Unreachable(SqlRegistry):
    """A registry whose database is away."""

    def view(self, _pool: PoolName) -> PoolView:
        raise RegistryUnavailable("The database did not answer as it should. Try again.")


class World:
    """A registry, a clock, and readers of the two."""

    def __init__(self, registry: SqlRegistry) -> None:
        self.registry = registry
        self.clock = FakeClock()
        self.leases = FakeLeases()
        self.reader = self.reading(registry)

    def reading(self, registry: SqlRegistry) -> StatusReader:
        return StatusReader(
            pool=DEFAULT_POOL,
            buffer=5,
            poll_interval=INTERVAL,
            registry=registry,
            leases=self.leases,
            replica="ours",
            clock=self.clock,
        )

    def booting(self) -> InstanceId:
        look = a_look()
        self.registry.discover(DEFAULT_POOL, look, now=self.clock.now())
        return look.id

    def idle(self) -> InstanceId:
        instance = self.booting()
        self.registry.mark_idle(instance, "10.0.0.1", 8080, now=self.clock.now())
        return instance

    def allocated(self, project: str) -> InstanceId:
        self.idle()
        claimed = self.registry.claim(DEFAULT_POOL, ProjectId(project), actor="tester", now=self.clock.now())
        return claimed.allocation.instance

    def terminating(self) -> InstanceId:
        instance = self.idle()
        self.registry.destroy(instance, actor="tester", now=self.clock.now())
        return instance

    def pass_succeeded(self) -> None:
        now = self.clock.now()
        self.registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=now, last_attempt_at=now))

    def check(self, name: str) -> Check:
        return next(check for check in self.reader.health().checks if check.name == name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    yield World(registry)
    registry.close()


@pytest.mark.parametrize(
    ("state", "count"),
    [
        (InstanceState.BOOTING, 1),
        (InstanceState.IDLE, 2),
        (InstanceState.ALLOCATED, 3),
        (InstanceState.TERMINATING, 1),
        (InstanceState.TERMINATED, 0),
    ],
)
def test_each_state_is_counted(world: World, state: InstanceState, count: int) -> None:
    for project in ("alice", "bob", "carol"):
        world.allocated(project)
    world.idle()
    world.idle()
    world.booting()
    world.terminating()

    assert world.reader.status().count(state) == count


def test_the_oldest_state_comes_first(world: World) -> None:
    first = world.idle()
    world.clock.advance(1)
    second = world.idle()
    world.clock.advance(1)
    world.registry.withdraw(first, reason="a reason", now=world.clock.now())

    assert [one.id for one in world.reader.status().instances] == [second, first]


def test_what_is_gone_is_not_listed(world: World) -> None:
    gone = world.terminating()
    found = world.registry.instances(DEFAULT_POOL)[gone]
    assert found.end_reason is not None
    world.registry.end(
        gone,
        expect=InstanceState.TERMINATING,
        to=InstanceState.TERMINATED,
        reason=found.end_reason,
        now=NOW,
    )

    assert world.reader.status().instances == []


def test_the_groups_figures_are_those_of_the_last_pass(world: World) -> None:
    group = Group(desired=7, min_size=1, max_size=20)
    world.registry.record_view(PoolView(pool=DEFAULT_POOL, group=group))

    assert world.reader.status().view.group == group


def test_the_buffer_is_told(world: World) -> None:
    assert world.reader.status().buffer == 5


def test_before_the_first_pass_the_service_is_not_ready(world: World) -> None:
    assert world.check("pass") == Check("pass", passed=False, detail="no pass has succeeded yet")


def test_a_pass_six_intervals_ago_is_recent_enough(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(6 * INTERVAL)

    assert world.check("pass") == Check("pass", passed=True, detail="last success 60 s ago")


def test_a_pass_longer_ago_is_too_old(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(6 * INTERVAL + timedelta(seconds=1))

    assert world.check("pass") == Check("pass", passed=False, detail="last success 61 s ago")


def test_a_failed_attempt_does_not_count_as_a_pass(world: World) -> None:
    world.registry.record_view(PoolView(pool=DEFAULT_POOL, last_attempt_at=NOW))

    assert not world.check("pass").passed


def test_a_registry_that_answers_is_told(world: World) -> None:
    assert world.check("registry") == Check("registry", passed=True, detail="answers")


def test_a_registry_that_does_not_answer_is_all_that_is_told(tmp_path: Path) -> None:
    registry = Unreachable(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    checks = World(registry).reader.health().checks
    registry.close()

    assert checks == (
        Check("registry", passed=False, detail="The database did not answer as it should. Try again."),
    )


def test_the_leader_is_named_with_its_term(world: World) -> None:
    lease = world.leases.take("another", timedelta(seconds=60))

    assert world.reader.status().duty.leader == lease
    assert world.reader.health().duty.leader == lease


def test_while_nobody_leads_nobody_is_named(world: World) -> None:
    assert world.reader.health().duty == Duty(replica="ours", leader=None, pass_age=None)


def test_the_age_of_the_last_pass_is_told(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(7)

    assert world.reader.status().duty.pass_age == timedelta(seconds=7)


def test_a_pass_by_a_replica_whose_clock_is_ahead_is_not_from_the_future(world: World) -> None:
    world.pass_succeeded()
    world.clock.advance(-3)

    assert world.reader.health().duty.pass_age == timedelta()
