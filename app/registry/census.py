"""How all pools stand: a few statements for any number of pools, which all see the same moment."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, func, select, type_coerce

from app.domain.counting import PUT_ASIDE, Count
from app.domain.model import NOT_TERMINATED, InstanceState, PoolName
from app.ports import Listed, Listing, Survey, Watch
from app.registry import launches, rows, statements
from app.registry.leases import leader
from app.registry.outbox import backlog_in
from app.registry.schema import allocations, instances, pools
from app.registry.transactions import Transactions
from app.registry.written_times import Written

PART = 500
"""How many instances of a long list are in memory at a time."""

_ALIVE = sorted(state.value for state in NOT_TERMINATED)
# Holds are looked for only where they count: those that are used, the most by far, are counted by the index.
_put_aside = case((instances.c.state.in_(sorted(PUT_ASIDE)), instances.c.held_at))
# Pools and states by name: without them every instance that ever lived would be read.
_living = (
    select(instances.c.pool, instances.c.state, func.count(), func.count(_put_aside))
    .where(instances.c.pool.in_(select(pools.c.name)), instances.c.state.in_(_ALIVE))
    .group_by(instances.c.pool, instances.c.state)
)
_listed = (
    select(  # in the order of Listed
        instances.c.id,
        instances.c.state,
        type_coerce(instances.c.state_since, Written),
        instances.c.address,
        instances.c.port,
        instances.c.zone,
        type_coerce(instances.c.launched_at, Written),
        type_coerce(instances.c.ready_at, Written),
        instances.c.held_at.is_not(None),
        allocations.c.project,
        type_coerce(allocations.c.allocated_at, Written),
        type_coerce(allocations.c.expires_at, Written),
        type_coerce(allocations.c.last_activity_at, Written),
    )
    .outerjoin(allocations, allocations.c.instance_id == instances.c.id)
    .where(instances.c.pool == bindparam("of"), instances.c.state.in_(_ALIVE))
    .order_by(instances.c.state_since, instances.c.id)
)


class SqlCensus:
    """The Census port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def watch(self) -> Watch:
        """See Census.watch."""
        with self._transactions.looking() as tx:
            leading = leader(tx)
            return Watch(
                views={row.name: rows.pool_view(row) for row in tx.execute(statements.every_pool)},
                leader=leading,
            )

    def survey(self, *, now: datetime) -> Survey:
        """See Census.survey."""
        with self._transactions.looking(at_one_moment=True) as tx:
            return self._survey(tx, now)

    @contextmanager
    def listing(self, pool: PoolName, *, now: datetime) -> Iterator[Listing]:
        """See Census.listing."""
        with self._transactions.looking(at_one_moment=True) as tx:
            survey = self._survey(tx, now)
            with tx.execute(_listed, {"of": pool}, execution_options={"yield_per": PART}) as found:
                yield Listing(survey, (list(map(Listed._make, part)) for part in found.partitions()))

    def _survey(self, tx: Connection, now: datetime) -> Survey:
        leading = leader(tx)  # first: whether its term is over is judged by what time it is
        known = tx.execute(statements.every_pool).all()
        queues = tx.execute(statements.count_waiting_everywhere, {"now": now}).all()
        return Survey(
            views={row.name: rows.pool_view(row) for row in known},
            controls={row.name: rows.controls(row) for row in known},
            counts=living(tx),
            waiting={pool: count for pool, count in queues},  # noqa: C416 - exactly two columns
            launches=launches.measured_everywhere(tx),
            leader=leading,
            backlog=backlog_in(tx, self._transactions.time(tx)),
        )


def living(tx: Connection) -> Mapping[PoolName, Count]:
    """Count the instances of each pool that are not terminated."""
    states: defaultdict[PoolName, dict[InstanceState, int]] = defaultdict(dict)
    held: defaultdict[PoolName, int] = defaultdict(int)
    for pool, name, count, on_hold in tx.execute(_living):
        state = InstanceState(name)
        aside = on_hold if state in PUT_ASIDE else 0
        held[pool] += aside
        if count > aside:
            states[pool][state] = count - aside
    return {pool: Count(states[pool], on_hold) for pool, on_hold in held.items()}
