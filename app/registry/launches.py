"""How long launches took: the last ones of each pool, measured where an instance is first ready."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from app.domain.events import EventKind
from app.domain.model import Instance, PoolName
from app.registry.schema import events, launch_times, pools

KEPT = 20
"""How many are kept of each pool."""
SEEN_WITHIN = timedelta(minutes=1)
"""How soon after its launch an instance must have been seen to be measured, and how long before it was found
ready the pool must have been looked at: one that was there before the service did run, or got ready while it
did not, tells nothing."""

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
_is_spoilt = select(
    exists().where(
        events.c.instance_id == bindparam("instance"), events.c.kind == EventKind.INSTANCE_HELD.value
    )
    | exists().where(pools.c.name == bindparam("of_pool"), pools.c.last_pass_at < bindparam("since"))
)
_of_pool = (
    select(launch_times.c.seconds).where(launch_times.c.pool == bindparam("pool")).order_by(launch_times.c.id)
)
_everywhere = select(launch_times.c.pool, launch_times.c.seconds).order_by(launch_times.c.id)


def measure(tx: Connection, ready: Instance, now: datetime, *, clock: Callable[[], datetime]) -> None:
    """Note how long an instance took that is ready for the first time: by AWS's clock and the database's.

    Not where it may have been ready for long: it was held meanwhile, or nobody looked at the pool.
    """
    if ready.launched_at is None or ready.state_since - ready.launched_at > SEEN_WITHIN:
        return
    asked = {"of_pool": ready.pool, "instance": ready.id, "since": now - SEEN_WITHIN}
    took = (clock() - ready.launched_at).total_seconds()
    if took <= 0 or tx.execute(_is_spoilt, asked).scalar_one():
        return
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
