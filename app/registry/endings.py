"""How allocations and their instances are ended on request: steps of the registry's transactions."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from app.domain.errors import AllocationNotFound, InstanceNotFound
from app.domain.model import Allocation, EndReason, Instance, InstanceId, InstanceState, ProjectId
from app.domain.sight import Sight, confirm
from app.registry import steps


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
    found = steps.holder(tx, project)
    if found is None:
        raise AllocationNotFound(f"'{project}' holds no instance.")
    held, instance = found
    confirm(expect, instance)
    _terminate(tx, instance, EndReason.RELEASED, actor=actor, now=now)
    return replace(held, state=InstanceState.TERMINATING)


def _terminate(tx: Connection, found: Instance, reason: EndReason, *, actor: str, now: datetime) -> None:
    steps.end(tx, found.id, (found.state, InstanceState.TERMINATING), reason, actor=actor, now=now)
