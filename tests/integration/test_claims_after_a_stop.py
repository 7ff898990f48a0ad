"""Many claims at once where nothing was probed lately: on SQLite and on real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from time import monotonic

import pytest
from sqlalchemy import Engine

from app.domain.errors import PoolExhausted
from app.domain.model import DEFAULT_POOL, InstanceId, PoolView, ProjectId
from app.domain.terms import TermsPolicy
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import Allocator
from tests.builders import NOW, a_look
from tests.fakes import FakeClock, FakeLine, FakeMeter, FakeProber, FakeWaker, a_waiting_room

THREADS = 8
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def registry(engine: Engine) -> SqlRegistry:
    """Sixty idle instances of which nothing was heard for a minute."""
    registry = SqlRegistry(Transactions(engine))
    registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=LATER))
    for _ in range(60):
        look = a_look()
        registry.discover(DEFAULT_POOL, look, now=NOW)
        registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
    return registry


def claim_at_once(registry: SqlRegistry, prober: FakeProber, claims: int) -> list[InstanceId | None]:
    """What each of so many projects gets; None where the pool is said to be exhausted."""
    allocator = Allocator(
        quick_probers={DEFAULT_POOL: prober},
        terms={DEFAULT_POOL: TermsPolicy()},
        registry=registry,
        waker=FakeWaker(),
        clock=FakeClock(LATER),
        line=FakeLine(),
        waiting_room=a_waiting_room(),
        meter=FakeMeter(),
        monotonic=monotonic,
    )
    start = Barrier(THREADS)

    def run(share: list[ProjectId]) -> list[InstanceId | None]:
        start.wait(timeout=30)
        return [ask(project) for project in share]

    def ask(project: ProjectId) -> InstanceId | None:
        try:
            return allocator.allocate(project, actor="tester").allocation.instance
        except PoolExhausted:
            return None

    projects = [ProjectId(f"project-{number}") for number in range(claims)]
    with ThreadPoolExecutor(THREADS) as pool:
        shares = pool.map(run, [projects[number::THREADS] for number in range(THREADS)])
        return [instance for share in shares for instance in share]


def test_none_is_refused_while_instances_are_idle_that_answer(registry: SqlRegistry) -> None:
    got = claim_at_once(registry, FakeProber(), claims=48)

    assert None not in got
    assert len(set(got)) == 48


def test_those_that_do_not_answer_are_given_to_nobody_and_stop_nobody(registry: SqlRegistry) -> None:
    idle = sorted(registry.instances(DEFAULT_POOL))
    silent = set(idle[::5])

    got = claim_at_once(registry, FakeProber(set(idle) - silent), claims=40)

    assert None not in got
    assert len(set(got)) == 40
    assert silent.isdisjoint(got)
