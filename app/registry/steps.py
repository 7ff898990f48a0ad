"""What the registry's transactions are made of: each step runs inside one, and none begins or ends it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.domain.events import Event, EventKind
from app.domain.limits import Limits, limits_of
from app.domain.model import (
    TRANSITIONS,
    Allocation,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    PoolName,
    ProjectId,
    SeenInstance,
)
from app.domain.setbacks import BootFailures
from app.domain.terms import Terms
from app.ports import RequestId
from app.registry import launches, messages, places, rows, statements
from app.registry.messages import Ahead

POLLER = "poller"
"""The actor of what a pass does by itself."""

PATIENCE = 20
"""How often a claim waits for an instance that another transaction has locked."""

DEMAND_LASTS = timedelta(seconds=30)
"""How long a project that got nothing counts as waiting; asking again starts it anew."""


def held_by(tx: Connection, project: ProjectId) -> Allocation | None:
    """Return the live allocation of a project."""
    row = tx.execute(statements.held_by, {"project": project}).one_or_none()
    return None if row is None else rows.allocation(row)


def held_in_line(tx: Connection, project: ProjectId) -> tuple[Allocation | None, bool]:
    """Return the same, and whether the project has a place in any line beside it."""
    row = tx.execute(statements.held_by_with_place, {"project": project}).one_or_none()
    return (None, False) if row is None else (rows.allocation(row), row.in_line)


def take_longest_idle(
    tx: Connection,
    pool: PoolName,
    project: ProjectId,
    *,
    where_nobody_waits: bool,
    request: RequestId | None,
    ready_since: datetime | None,
    patient: bool,
    terms: Terms,
    clock: Callable[[], datetime],
    actor: str,
    now: datetime,
) -> Allocation | None:
    """Allocate to the project what has been idle longest, of all or of those found ready since then.

    With `where_nobody_waits`, None where anybody stands in the pool's line. The project's own place in line
    ends, see places.serve.

    What another transaction has locked is passed over at first; the `patient` then wait for it. `clock` tells
    the time that limits go by, and is asked only where there are any.
    """
    wanted: dict[str, object] = {"of_pool": pool, "for_project": project, "now": now}
    if ready_since is None:
        take = statements.take_where_nobody_waits if where_nobody_waits else statements.take
    else:
        wanted["ready_since"] = ready_since
        take = statements.take_of_the_ready
        if where_nobody_waits:
            take = statements.take_of_the_ready_where_nobody_waits
    taken = tx.execute(take.at_once, wanted).one_or_none()
    for _ in range(PATIENCE if patient else 0):
        # Whom we waited for may be taken by then, and the statement does not look for another one.
        if taken is not None or not tx.execute(take.any_left, wanted).scalar_one():
            break
        taken = tx.execute(take.patiently, wanted).one_or_none()
    if taken is None:
        return None
    if taken.in_line:
        places.serve(tx, project, request)
    limits = limits_of(terms, clock()) if terms.limited else Limits()
    tx.execute(
        statements.add_allocation,
        {
            "project": project,
            "pool": pool,
            "instance_id": taken.id,
            "allocated_at": now,
            "tagged": False,
            "expires_at": limits.expires_at,
            "warn_at": limits.warn_at,
            "confirm_by": limits.confirm_by,
        },
    )
    record(tx, EventKind.ALLOCATION_CREATED, pool, actor, now, instance=taken.id, project=project)
    return Allocation(
        project=project,
        pool=pool,
        instance=taken.id,
        address=taken.address,
        port=taken.port,
        allocated_at=now,
        expires_at=limits.expires_at,
        confirm_by=limits.confirm_by,
    )


def doubtful(
    tx: Connection, pool: PoolName, count: int, ready_since: datetime | None
) -> dict[InstanceId, tuple[str, int]]:
    """Name idle instances that were not found ready since then, the longest idle first: where they listen."""
    wanted = {"pool": pool, "count": count, "ready_since": ready_since}
    found = tx.execute(statements.doubtful_idle, wanted)
    return {row.id: (row.address, row.port) for row in found}


def wait(tx: Connection, pool: PoolName, project: ProjectId, *, actor: str, now: datetime) -> None:
    """Count a project that got nothing as waiting for a while; asking again starts it anew.

    It waits for what it asked for last: for one instance, of one pool.
    """
    until = now + DEMAND_LASTS
    waits = {"of": project, "of_pool": pool, "now": now, "until": until}
    if tx.execute(statements.wait_on, waits).rowcount == 0:
        tx.execute(statements.forget_waiting, {"project": project, "now": now})
        tx.execute(statements.wait, {"project": project, "pool": pool, "until": until})
        record(tx, EventKind.ALLOCATION_UNMET, pool, actor, now, project=project)


def is_paused(tx: Connection, pool: PoolName) -> bool:
    """Whether the pool is paused, and stays as it is in that until this transaction is over."""
    return bool(tx.execute(statements.is_paused, {"pool": pool}).scalar_one_or_none())


def move(
    tx: Connection,
    instance: InstanceId,
    expect: InstanceState,
    to: InstanceState,
    now: datetime,
    *,
    unless_held: bool = False,
    **columns: object,
) -> PoolName | None:
    """Change the state if it still is `expect`, and say in which pool; None where it is another by now.

    With `unless_held`, None also where somebody holds the instance for inspection.
    """
    if to not in TRANSITIONS[expect]:
        raise ValueError(f"no transition leads from {expect} to {to}")
    values = {"instance": instance, "expect": expect.value, "state": to.value, "state_since": now, **columns}
    statement = statements.move_unheld if unless_held else statements.move
    moved: PoolName | None = tx.execute(statement, values).scalar_one_or_none()
    return moved


def end(
    tx: Connection,
    instance: InstanceId,
    transition: tuple[InstanceState, InstanceState],
    reason: EndReason,
    *,
    actor: str,
    now: datetime,
    unless_held: bool = False,
) -> PoolName | None:
    """Move an instance to terminating or terminated, and end its allocation; see `move` for the answer.

    A hold lasts while the instance does: it ends with one that is gone, or on its way out by no decision of
    ours.
    """
    pool = move(tx, instance, *transition, now, unless_held=unless_held, end_reason=reason.value)
    if pool is None:
        return None
    ending = {"instance": instance, "now": now, "reason": reason.value}
    project = tx.execute(statements.end_allocation, ending).scalar_one_or_none()
    if project is not None:
        # Or a project that once asked in vain would count as waiting again, now that it holds nothing.
        tx.execute(statements.stop_waiting, {"project": project})
        kind = EventKind.ALLOCATION_ENDED if reason.ours else EventKind.ALLOCATION_LOST
        record(tx, kind, pool, actor, now, instance=instance, project=project, reason=reason)
    gone = transition[1] is InstanceState.TERMINATED
    kind = EventKind.INSTANCE_TERMINATED if gone else EventKind.INSTANCE_TERMINATING
    record(tx, kind, pool, actor, now, instance=instance, project=project, reason=reason)
    if gone or not reason.ours:
        unhold(tx, instance, pool, actor=actor, now=now, project=project, reason=reason)
    return pool


def unhold(
    tx: Connection,
    instance: InstanceId,
    pool: PoolName,
    *,
    actor: str,
    now: datetime,
    project: ProjectId | None = None,
    reason: str | None = None,
) -> bool:
    """End the hold of an instance; False where there is none."""
    ended = tx.execute(statements.unhold, {"instance": instance}).rowcount > 0
    if ended:
        kind = EventKind.INSTANCE_UNHELD
        record(tx, kind, pool, actor, now, instance=instance, project=project, reason=reason)
    return ended


def locked(tx: Connection, instance: InstanceId) -> Instance | None:
    """Return an instance that nobody else changes before this transaction ends; None as for `one`."""
    tx.execute(statements.lock_instance, {"instance": instance})
    return one(tx, instance)


def holder(tx: Connection, project: ProjectId) -> tuple[Allocation, Instance] | None:
    """Return the live allocation of a project with its instance, locked; None where it holds nothing.

    Between the look and the lock it may have ended: only what is true under the lock counts.
    """
    held = held_by(tx, project)
    instance = None if held is None else locked(tx, held.instance)
    if held is None or instance is None:
        return None
    if instance.state is not InstanceState.ALLOCATED or instance.project != project:
        return None
    return replace(held, expires_at=instance.expires_at, confirm_by=instance.confirm_by), instance


def record(
    tx: Connection,
    kind: EventKind,
    pool: PoolName,
    actor: str,
    now: datetime,
    *,
    instance: InstanceId | None = None,
    project: ProjectId | None = None,
    reason: str | None = None,
    ahead: Ahead | None = None,
) -> None:
    """Add a line to the audit trail, and write the message that tells of it, where there is one.

    `ahead`: the end that an ALLOCATION_EXPIRING announces; left out, it is the allocation's time limit.
    """
    told = None if reason is None else str(reason)
    added = tx.execute(
        statements.add_event,
        {
            "at": now,
            "kind": kind.value,
            "pool": pool,
            "actor": actor,
            "instance_id": instance,
            "project": project,
            "reason": told,
        },
    )
    number: int = added.inserted_primary_key[0]  # type: ignore[index]  # of a plain insert there is one
    event = Event(
        id=number,
        at=now,
        kind=kind,
        pool=pool,
        actor=actor,
        instance=instance,
        project=project,
        reason=told,
    )
    messages.write(tx, event, ahead)


def adopt(
    tx: Connection,
    pool: PoolName,
    seen: SeenInstance,
    project: ProjectId | None,
    *,
    port: int,
    since: datetime,
    now: datetime,
) -> bool:
    """Take an instance for allocated that nobody is known to hold; the schema refuses a project's second."""
    tx.execute(statements.lock_instance, {"instance": seen.id})
    row = tx.execute(statements.one_instance, {"instance": seen.id}).one_or_none()
    if row is None:
        add_instance(tx, pool, seen, now)
    state = InstanceState.BOOTING if row is None else InstanceState(row.state)
    if state is InstanceState.ALLOCATED:
        if project is None or row is None or row.project is not None:
            return False
    elif state in {InstanceState.BOOTING, InstanceState.IDLE}:
        move(tx, seen.id, state, InstanceState.ALLOCATED, now, address=seen.address, port=port)
    else:
        return False
    if project is not None:
        tx.execute(
            statements.add_allocation,
            {
                "project": project,
                "pool": pool,
                "instance_id": seen.id,
                "allocated_at": since,
                "tagged": True,
            },
        )
    kind = EventKind.ALLOCATION_ADOPTED
    record(tx, kind, pool, POLLER, now, instance=seen.id, project=project, reason="by its tags")
    return True


def add_instance(tx: Connection, pool: PoolName, seen: SeenInstance, now: datetime) -> None:
    """Take a new member into the registry, as booting; the schema refuses an id that was known before."""
    values = {
        "id": seen.id,
        "pool": pool,
        "state": InstanceState.BOOTING.value,
        "state_since": now,
        "zone": seen.zone,
        "launched_at": seen.launched_at,
        "template": seen.template,
    }
    tx.execute(statements.add_instance, values)
    record(tx, EventKind.INSTANCE_DISCOVERED, pool, POLLER, now, instance=seen.id)


def boot_failed(tx: Connection, instance: Instance, now: datetime) -> None:
    """Continue the row of instances, of one launch template version, that did not become ready."""
    row_of = {"of_pool": instance.pool, "of_template": instance.template or ""}
    found = tx.execute(statements.failures_of, row_of).one_or_none()
    row = (BootFailures() if found is None else rows.boot_failures(found)).with_one_more(instance, now)
    tx.execute(statements.end_failures, row_of)
    values = {
        "pool": instance.pool,
        "template": instance.template or "",
        "failures": row.count,
        "instance_id": instance.id,
        "failed_at": now,
    }
    tx.execute(statements.add_failures, values)


def boot_succeeded(tx: Connection, instance: Instance, now: datetime) -> None:
    """End the row, and note how long the launch took."""
    launches.measure(tx, instance, now)
    tx.execute(statements.end_failures, {"of_pool": instance.pool, "of_template": instance.template or ""})


def one(tx: Connection, instance: InstanceId) -> Instance | None:
    """Return an instance, whatever its state; None where its id was never known."""
    row = tx.execute(statements.one_instance, {"instance": instance}).one_or_none()
    return None if row is None else rows.instance(row)
