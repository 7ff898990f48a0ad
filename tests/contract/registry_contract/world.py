"""What the promises of a registry are tried with."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

from app.domain.events import Event, EventKind
from app.domain.model import DEFAULT_POOL, EndReason, Instance, InstanceId, InstanceState, PoolName, ProjectId
from app.domain.terms import Terms
from app.ports import Claimed, Registry
from tests.builders import NOW, a_look

T = TypeVar("T")
SECOND = timedelta(seconds=1)
ALICE, BOB = ProjectId("alice"), ProjectId("bob")


def claim(
    registry: Registry,
    project: ProjectId,
    at: timedelta = timedelta(0),
    *,
    lasts: timedelta | None = None,
    confirm_within: timedelta | None = None,
) -> Claimed:
    """Claim an instance at a time after NOW; limits count from the database's time."""
    terms = Terms(ttl=lasts, confirm_within=confirm_within)
    return registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW + at, terms=terms)


def hold(
    registry: Registry,
    instance: InstanceId,
    at: timedelta = timedelta(0),
    *,
    lasts: timedelta | None = None,
    reason: str | None = None,
    actor: str = "tester",
) -> Instance:
    """Hold an instance at a time after NOW; its limit counts from the database's time."""
    return registry.hold(instance, ttl=lasts, reason=reason, actor=actor, now=NOW + at)


def booting(registry: Registry, pool: PoolName = DEFAULT_POOL) -> InstanceId:
    look = a_look()
    assert registry.discover(pool, look, now=NOW)
    return look.id


def idle(registry: Registry, *, since: timedelta = timedelta(0), pool: PoolName = DEFAULT_POOL) -> InstanceId:
    instance = booting(registry, pool)
    assert registry.mark_idle(instance, "10.0.0.1", 8080, now=NOW + since)
    return instance


def known(registry: Registry, instance: InstanceId) -> Instance:
    return registry.instances(DEFAULT_POOL)[instance]


def history(registry: Registry) -> list[Event]:
    """The audit trail, oldest first."""
    return list(registry.events(limit=1000))[::-1]


def record(registry: Registry, reason: str) -> None:
    registry.record(EventKind.CAPACITY_RAISED, DEFAULT_POOL, reason=reason, now=NOW)


def end(
    registry: Registry,
    instance: InstanceId,
    expect: InstanceState,
    to: InstanceState,
    reason: EndReason = EndReason.LEFT,
) -> bool:
    return registry.end(instance, expect=expect, to=to, reason=reason, now=NOW)


def race(
    projects: list[ProjectId], ask: Callable[[ProjectId], T], *, threads: int
) -> dict[ProjectId, list[T]]:
    """Have all threads start at the same moment, and collect what each project was answered."""
    start = Barrier(threads)

    def run(share: list[ProjectId]) -> list[tuple[ProjectId, T]]:
        start.wait(timeout=30)
        return [(project, ask(project)) for project in share]

    answers: dict[ProjectId, list[T]] = {}
    with ThreadPoolExecutor(threads) as pool:
        for share in pool.map(run, [projects[number::threads] for number in range(threads)]):
            for project, answer in share:
                answers.setdefault(project, []).append(answer)
    return answers
