"""How long launches took: the last ones of each pool, measured where an instance is first ready."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select

from app.domain.model import Instance, PoolName
from app.registry.schema import launch_times

KEPT = 20
"""How many are kept of each pool."""
SEEN_WITHIN = timedelta(minutes=1)
"""How soon after its launch an instance must have been seen to be measured: one that was there long before
the service tells nothing."""

_add = insert(launch_times)
_oldest_kept = (
    select(launch_times.c.id)
    .where(launch_times.c.pool == bindparam("of_pool"))
    .order_by(launch_times.c.id.desc())
    .limit(1)
    .offset(KEPT - 1)
    .scalar_subquery()
)
_forget = delete(launch_times).where(
    launch_times.c.pool == bindparam("of_pool"), launch_times.c.id < _oldest_kept
)
_of_pool = (
    select(launch_times.c.seconds).where(launch_times.c.pool == bindparam("pool")).order_by(launch_times.c.id)
)
_everywhere = select(launch_times.c.pool, launch_times.c.seconds).order_by(launch_times.c.id)


def measure(tx: Connection, ready: Instance, now: datetime) -> None:
    """Note how long an instance took that is ready for the first time; by AWS's clock and the replica's."""
    if ready.launched_at is None or ready.state_since - ready.launched_at > SEEN_WITHIN:
        return
    took = max(timedelta(), now - ready.launched_at).total_seconds()
    tx.execute(_add, {"pool": ready.pool, "seconds": took})
    tx.execute(_forget, {"of_pool": ready.pool})


def measured(tx: Connection, pool: PoolName) -> Sequence[timedelta]:
    """Return the last ones of a pool, the oldest first."""
    return [timedelta(seconds=seconds) for seconds in tx.execute(_of_pool, {"pool": pool}).scalars()]


def measured_everywhere(tx: Connection) -> Mapping[PoolName, Sequence[timedelta]]:
    """Return the last ones of every pool that has any."""
    found: dict[PoolName, list[timedelta]] = {}
    for pool, seconds in tx.execute(_everywhere):
        found.setdefault(pool, []).append(timedelta(seconds=seconds))
    return found
