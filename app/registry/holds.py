"""Holding instances for inspection: steps of the registry's transactions, each under the instance's lock."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.domain.errors import HoldTooLate, InstanceNotFound
from app.domain.events import EventKind
from app.domain.model import Hold, Instance, InstanceId, InstanceState, ProjectId
from app.domain.sight import Sight, confirm
from app.registry import statements, steps
from app.registry.steps import POLLER


def hold(
    tx: Connection,
    instance: InstanceId,
    *,
    ttl: timedelta | None,
    reason: str | None,
    actor: str,
    now: datetime,
    clock: Callable[[], datetime],
) -> Instance:
    """Hold an instance, or go on holding it as asked now; see Registry.hold. `clock` tells its end."""
    found = _ours(tx, instance)
    until = None if ttl is None else clock() + ttl
    if _is_too_late(found):
        raise HoldTooLate(f"{instance} is being terminated by AWS already: it cannot be held any more.")
    since = now if found.hold is None else found.hold.since
    wanted = Hold(since=since, by=actor, until=until, reason=reason)
    if found.hold == wanted:
        return found
    held = {"held_at": since, "held_by": actor, "held_until": until, "hold_reason": reason}
    tx.execute(statements.note, {"instance": instance, **held})
    steps.record(
        tx,
        EventKind.INSTANCE_HELD,
        found.pool,
        actor,
        now,
        instance=instance,
        project=_holder(found),
        reason=_told(wanted),
    )
    return _ours(tx, instance)


def unhold(
    tx: Connection, instance: InstanceId, *, expect: Sight | None, actor: str, now: datetime
) -> Instance:
    """End a hold, if there is one; see Registry.unhold."""
    found = _ours(tx, instance)
    confirm(expect, found)
    if found.hold is None:
        return found
    steps.unhold(tx, instance, found.pool, actor=actor, now=now, project=_holder(found))
    return _ours(tx, instance)


def end_if_due(tx: Connection, instance: InstanceId, *, clock: datetime) -> bool:
    """End a hold whose time is over; see Lifetimes.end_hold."""
    found = steps.locked(tx, instance)
    if found is None or found.hold is None or found.hold.until is None or found.hold.until > clock:
        return False
    reason = "its time is over"
    return steps.unhold(
        tx, instance, found.pool, actor=POLLER, now=clock, project=_holder(found), reason=reason
    )


def _ours(tx: Connection, instance: InstanceId) -> Instance:
    found = steps.locked(tx, instance)
    if found is None or found.state is InstanceState.TERMINATED:
        raise InstanceNotFound(f"{instance} is not an instance of ours.")
    return found


def _is_too_late(found: Instance) -> bool:
    """Whether it is ending at AWS: asked by us, or by no decision of ours."""
    if found.state is not InstanceState.TERMINATING:
        return False
    decided_by_us = found.end_reason is not None and found.end_reason.ours
    return not decided_by_us or found.terminate_called_at is not None


def _holder(found: Instance) -> ProjectId | None:
    return found.project if found.state is InstanceState.ALLOCATED else None


def _told(wanted: Hold) -> str | None:
    """Say until when and why, as the audit trail has it."""
    until = f"until {wanted.until.isoformat(timespec='seconds')}" if wanted.until is not None else None
    return ": ".join(part for part in (until, wanted.reason) if part) or None
