"""How long allocations last: steps of the registry's transactions, each under the instance's lock."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.domain import sight
from app.domain.errors import AllocationNotFound
from app.domain.events import EventKind
from app.domain.limits import Announcement, End, Limits, due
from app.domain.model import Allocation, EndReason, Instance, InstanceId, InstanceState, PoolName, ProjectId
from app.domain.sight import Sight
from app.domain.terms import Terms, TermsPolicy
from app.registry import statements, steps
from app.registry.messages import Ahead
from app.registry.steps import POLLER

UNTOLD = TermsPolicy()
"""The policy of a pool that the settings do not name any more."""


def renew(
    tx: Connection,
    project: ProjectId,
    ttl: timedelta | None,
    *,
    policies: Mapping[PoolName, TermsPolicy],
    only: InstanceId | None,
    expect: Sight | None,
    actor: str,
    now: datetime,
    clock: Callable[[], datetime],
) -> Allocation:
    """Have the project's allocation last `ttl` from now on, as `clock` tells it; see Registry.renew."""
    held, instance = _held(tx, project, only)
    sight.confirm(expect, instance)
    policy = policies.get(held.pool, UNTOLD)
    before = _of(tx, instance.id)
    terms = Terms(ttl=policy.limited(ttl, asked=True), warning=policy.warning)
    limits = before.renewed(terms, clock())
    if limits == before:
        return held
    _set(tx, instance.id, limits)
    ends = limits.expires_at
    until = "without a time limit" if ends is None else f"until {ends.isoformat(timespec='seconds')}"
    kind = EventKind.ALLOCATION_RENEWED
    steps.record(tx, kind, held.pool, actor, now, instance=instance.id, project=project, reason=until)
    return replace(held, expires_at=ends, confirm_by=None)


def confirm(
    tx: Connection, project: ProjectId, *, only: InstanceId | None, actor: str, now: datetime
) -> Allocation:
    """Note that who got the instance says so; see Registry.confirm."""
    held, instance = _held(tx, project, only)
    if held.confirm_by is None:
        return held
    _set(tx, instance.id, replace(_of(tx, instance.id), confirm_by=None))
    kind = EventKind.ALLOCATION_CONFIRMED
    steps.record(tx, kind, held.pool, actor, now, instance=instance.id, project=project)
    return replace(held, confirm_by=None)


def going_on(tx: Connection, held: Allocation, *, clock: datetime) -> Allocation | None:
    """Do what is due where a project's time is over; None where what it held has ended by that, or before.

    To announce what is still to come is left to the leader: who asks again in time has nothing written.
    One that should have been confirmed does not end by that: who asks again is no sign that nobody came, and
    whether it is in use is looked at before it ends.
    """
    if all(end is None or end > clock for end in (held.expires_at, held.confirm_by)):
        return held
    found = steps.holder(tx, held.project)
    if found is None:
        return None
    what = _due(tx, found[1], clock)
    if what == End(EndReason.EXPIRED):
        _end(tx, found[1], EndReason.EXPIRED, clock)
        return None
    if isinstance(what, Announcement):
        after = announce(tx, found[1], what, clock)
        return replace(found[0], expires_at=after.expires_at, confirm_by=after.confirm_by)
    return found[0]


def announce_if_due(tx: Connection, instance: InstanceId, *, clock: datetime) -> bool:
    """Announce the end of an allocation; see Lifetimes.announce."""
    found = steps.locked(tx, instance)
    what = None if found is None else _due(tx, found, clock)
    if found is None or not isinstance(what, Announcement):
        return False
    announce(tx, found, what, clock)
    return True


def end_if_due(tx: Connection, instance: InstanceId, reason: EndReason, *, clock: datetime) -> bool:
    """End an allocation for this reason, and its instance; see Lifetimes.expire and end_unconfirmed."""
    found = steps.locked(tx, instance)
    if found is None or _due(tx, found, clock) != End(reason):
        return False
    _end(tx, found, reason, clock)
    return True


def announce(tx: Connection, found: Instance, what: Announcement, clock: datetime) -> Limits:
    """Tell an end before it comes, and return the limits as they are then."""
    limits = _of(tx, found.id).put_off(what)
    _set(tx, found.id, limits)
    steps.record(
        tx,
        EventKind.ALLOCATION_EXPIRING,
        found.pool,
        POLLER,
        clock,
        instance=found.id,
        project=found.project,
        reason=_told(what),
        ahead=Ahead(at=what.ends_at, why=what.reason),
    )
    return limits


def _due(tx: Connection, found: Instance, clock: datetime) -> Announcement | End | None:
    """Say what is due for an instance that is locked: nothing while it is held, or its pool is paused."""
    if found.state is not InstanceState.ALLOCATED or found.hold is not None:
        return None
    what = due(_of(tx, found.id), clock)
    return None if what is None or steps.is_paused(tx, found.pool) else what


def _held(tx: Connection, project: ProjectId, only: InstanceId | None) -> tuple[Allocation, Instance]:
    """Return what the project holds, where it is the `only` one that is meant, or any."""
    found = steps.holder(tx, project)
    if found is None:
        raise AllocationNotFound(f"'{project}' holds no instance.")
    if only not in {None, found[1].id}:
        raise AllocationNotFound(f"'{project}' holds {found[1].id} by now, and not {only}.")
    return found


def _of(tx: Connection, instance: InstanceId) -> Limits:
    """Read the limits of an instance's allocation; one that nobody is known to hold has none."""
    row = tx.execute(statements.limits_of, {"instance": instance}).one_or_none()
    if row is None:
        return Limits()
    return Limits(expires_at=row.expires_at, warn_at=row.warn_at, confirm_by=row.confirm_by)


def _set(tx: Connection, instance: InstanceId, limits: Limits) -> None:
    values = {"ends": limits.expires_at, "warns": limits.warn_at, "confirms": limits.confirm_by}
    tx.execute(statements.set_limits, {"instance": instance, **values})


def _end(tx: Connection, found: Instance, reason: EndReason, clock: datetime) -> None:
    ends = (found.state, InstanceState.TERMINATING)
    steps.end(tx, found.id, ends, reason, actor=POLLER, now=clock)


def _told(what: Announcement) -> str:
    ends = what.ends_at.isoformat(timespec="seconds")
    if what.reason is EndReason.UNCONFIRMED:
        return f"it ends at {ends} unless it is confirmed, renewed or used"
    return f"its time is over at {ends} unless it is renewed"
