"""How allocations are prolonged and end: steps of the registry's transactions, under the instance's lock."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from app.domain.errors import AllocationNotFound, InstanceNotFound
from app.domain.events import EventKind
from app.domain.model import Allocation, EndReason, Instance, InstanceId, InstanceState, ProjectId
from app.domain.sight import Sight, confirm
from app.registry import statements, steps
from app.registry.steps import POLLER


def destroy(
    tx: Connection, instance: InstanceId, *, expect: Sight | None, actor: str, now: datetime
) -> Instance:
    """Decide that an instance ends; see Registry.destroy."""
    found = steps.locked(tx, instance)
    if found is None or found.state is InstanceState.TERMINATED:
        raise InstanceNotFound(f"{instance} is not an instance of ours.")
    confirm(expect, found)
    if found.state is InstanceState.TERMINATING:
        return found
    _terminate(tx, found, EndReason.DESTROYED, actor=actor, now=now)
    return steps.one(tx, instance) or found


def release(
    tx: Connection, project: ProjectId, *, expect: Sight | None, actor: str, now: datetime
) -> Allocation:
    """End the project's allocation; see Registry.release."""
    held, instance = _held(tx, project)
    confirm(expect, instance)
    _terminate(tx, instance, EndReason.RELEASED, actor=actor, now=now)
    return replace(held, state=InstanceState.TERMINATING)


def renew(
    tx: Connection, project: ProjectId, expires_at: datetime | None, *, actor: str, now: datetime
) -> Allocation:
    """Move the end of the project's allocation; see Registry.renew."""
    held, instance = _held(tx, project)
    if held.expires_at == expires_at:
        return held
    tx.execute(statements.renew, {"instance": instance.id, "until": expires_at})
    until = (
        "without a time limit" if expires_at is None else f"until {expires_at.isoformat(timespec='seconds')}"
    )
    kind = EventKind.ALLOCATION_RENEWED
    steps.record(tx, kind, held.pool, actor, now, instance=instance.id, project=project, reason=until)
    return replace(held, expires_at=expires_at)


def expire(tx: Connection, instance: InstanceId, *, now: datetime) -> bool:
    """End an allocation whose time is over; see Registry.expire."""
    found = steps.locked(tx, instance)
    if found is None or found.state is not InstanceState.ALLOCATED or found.hold is not None:
        return False
    if found.expires_at is None or found.expires_at > now or steps.is_paused(tx, found.pool):
        return False
    _terminate(tx, found, EndReason.EXPIRED, actor=POLLER, now=now)
    return True


def _held(tx: Connection, project: ProjectId) -> tuple[Allocation, Instance]:
    found = steps.holder(tx, project)
    if found is None:
        raise AllocationNotFound(f"'{project}' holds no instance.")
    return found


def _terminate(tx: Connection, found: Instance, reason: EndReason, *, actor: str, now: datetime) -> None:
    steps.end(tx, found.id, (found.state, InstanceState.TERMINATING), reason, actor=actor, now=now)
