"""How all pools stand: a few statements for any number of pools, which all see the same moment."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from app.domain.counting import PUT_ASIDE, Count
from app.domain.model import NOT_TERMINATED, InstanceState, PoolName
from app.ports import Survey
from app.registry import launches, rows, statements
from app.registry.leases import leader
from app.registry.outbox import backlog_in
from app.registry.schema import instances, pools
from app.registry.transactions import Transactions

# Pools and states by name: without them every instance that ever lived would be read.
_living = (
    select(instances.c.pool, instances.c.state, func.count(), func.count(instances.c.held_at))
    .where(
        instances.c.pool.in_(select(pools.c.name)),
        instances.c.state.in_(sorted(state.value for state in NOT_TERMINATED)),
    )
    .group_by(instances.c.pool, instances.c.state)
)


class SqlCensus:
    """The Census port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def survey(self, *, now: datetime) -> Survey:
        """See Census.survey."""
        with self._transactions.looking(at_one_moment=True) as tx:
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
