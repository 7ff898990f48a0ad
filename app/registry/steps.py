"""What the registry's transactions are made of: each step runs inside one, and none begins or ends it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from app.domain.events import Event, EventKind
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
from app.registry import launches, messages, rows, statements
from app.registry.messages import Ahead

POLLER = "poller"
"""The actor of what a pass does by itself."""


def held_by(tx: Connection, project: ProjectId) -> Allocation | None:
    """Return the live allocation of a project."""
    row = tx.execute(statements.held_by, {"project": project}).one_or_none()
    return None if row is None else rows.allocation(row)


def held_in_line(tx: Connection, project: ProjectId) -> tuple[Allocation | None, bool]:
    """Return the same, and whether the project has a place in any line beside it."""
    row = tx.execute(statements.held_by_with_place, {"project": project}).one_or_none()
    return (None, False) if row is None else (rows.allocation(row), row.in_line)


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


def boot_succeeded(
    tx: Connection, instance: Instance, now: datetime, *, clock: Callable[[], datetime]
) -> None:
    """End the row, and note how long the launch took, as `clock` tells it."""
    launches.measure(tx, instance, now, clock=clock)
    tx.execute(statements.end_failures, {"of_pool": instance.pool, "of_template": instance.template or ""})


def one(tx: Connection, instance: InstanceId) -> Instance | None:
    """Return an instance, whatever its state; None where its id was never known."""
    row = tx.execute(statements.one_instance, {"instance": instance}).one_or_none()
    return None if row is None else rows.instance(row)
