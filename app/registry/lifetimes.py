"""Ends what is due: the Lifetimes port."""

from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, or_, select, union

from app.domain.limits import UNTOLD_LEAD, Announcement, End, Limits, due
from app.domain.model import EndReason, InstanceId, PoolName
from app.ports import Due
from app.registry import holds, limits
from app.registry.schema import allocations, instances, pools
from app.registry.transactions import Transactions


def _ending(*near: ColumnElement[bool]) -> Select[Any]:
    """Read the limits of living allocations that are neither held nor in a paused pool."""
    return (
        select(
            allocations.c.id.label("number"),
            allocations.c.instance_id,
            allocations.c.expires_at,
            allocations.c.warn_at,
            allocations.c.confirm_by,
        )
        .join(instances, instances.c.id == allocations.c.instance_id)
        .outerjoin(pools, pools.c.name == instances.c.pool)
        .where(
            allocations.c.pool == bindparam("pool"),
            allocations.c.ended_at.is_(None),
            instances.c.held_at.is_(None),
            pools.c.paused_at.is_(None),
            *near,
        )
    )


# One after the other, so that each has its own index: this is asked every second.
_near_an_end = union(
    _ending(allocations.c.warn_at <= bindparam("now")),
    _ending(allocations.c.confirm_by <= bindparam("now")),
    _ending(
        or_(allocations.c.warn_at.is_(None), allocations.c.warn_at > allocations.c.expires_at),
        allocations.c.expires_at <= bindparam("soon"),
    ),
).order_by("number")
_held_too_long = (
    select(instances.c.id)
    .where(
        instances.c.pool == bindparam("pool"),
        instances.c.held_until <= bindparam("now"),
    )
    .order_by(instances.c.id)
)


class SqlLifetimes:
    """The Lifetimes port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def due(self, pool: PoolName) -> Due:
        """See Lifetimes.due."""
        with self._transactions.looking() as tx:
            now = self._transactions.time(tx)
            of_pool = {"pool": pool, "now": now, "soon": now + UNTOLD_LEAD}
            held = tx.execute(_held_too_long, of_pool).scalars().all()
            near = tx.execute(_near_an_end, of_pool).all()
        steps = {
            row.instance_id: due(
                Limits(expires_at=row.expires_at, warn_at=row.warn_at, confirm_by=row.confirm_by), now
            )
            for row in near
        }
        return Due(
            now=now,
            holds=held,
            announcements=[one for one, step in steps.items() if isinstance(step, Announcement)],
            expired=[one for one, step in steps.items() if step == End(EndReason.EXPIRED)],
            unconfirmed=[one for one, step in steps.items() if step == End(EndReason.UNCONFIRMED)],
        )

    def end_hold(self, instance: InstanceId) -> bool:
        """See Lifetimes.end_hold."""
        with self._transactions.exclusively() as tx:
            return holds.end_if_due(tx, instance, clock=self._transactions.time(tx))

    def announce(self, instance: InstanceId) -> bool:
        """See Lifetimes.announce."""
        with self._transactions.exclusively() as tx:
            return limits.announce_if_due(tx, instance, clock=self._transactions.time(tx))

    def expire(self, instance: InstanceId) -> bool:
        """See Lifetimes.expire."""
        return self._end(instance, EndReason.EXPIRED)

    def end_unconfirmed(self, instance: InstanceId) -> bool:
        """See Lifetimes.end_unconfirmed."""
        return self._end(instance, EndReason.UNCONFIRMED)

    def _end(self, instance: InstanceId, reason: EndReason) -> bool:
        with self._transactions.exclusively() as tx:
            return limits.end_if_due(tx, instance, reason, clock=self._transactions.time(tx))
