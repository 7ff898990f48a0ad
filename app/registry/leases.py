"""The lease row: who leads, in which term, until when. Three short transactions, and the database's clock."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from app.domain.events import EventKind
from app.domain.model import PoolName
from app.ports import Lease
from app.registry import steps
from app.registry.clock import NOW, time_of
from app.registry.schema import leases
from app.registry.transactions import Transactions

PASSES = "passes"
"""The one lease there is: who holds it runs the passes of every pool."""

EVERY_POOL = PoolName("*")
"""What the audit trail names where an event is about all pools."""

_row_locked = select(leases).where(leases.c.name == PASSES).with_for_update()
_write = update(leases).where(leases.c.name == PASSES)
_extend = update(leases).where(
    leases.c.name == PASSES, leases.c.term == bindparam("of_term"), leases.c.holder == bindparam("of_holder")
)
_row_and_time = {
    dialect: select(leases, now.label("now")).where(leases.c.name == PASSES) for dialect, now in NOW.items()
}


class SqlLeases:
    """The Leases port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        """See Leases.take."""
        with self._transactions.looking() as tx:  # which waits for nobody, and mostly says it all
            running = leader(tx)
        if running is not None and running.holder != holder:
            return None
        with self._transactions.exclusively() as tx:
            row = tx.execute(_row_locked).one()
            now = time_of(tx)
            if row.holder != holder and _runs(row, now):
                return None  # somebody else was faster
            term = row.term + 1
            tx.execute(_write, {"term": term, "holder": holder, "since": now, "expires_at": now + ttl})
            steps.record(tx, EventKind.LEADER_ELECTED, EVERY_POOL, holder, now, reason=f"term {term}")
        return Lease(holder, term, now)

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """See Leases.renew."""
        with self._transactions.exclusively() as tx:
            tx.execute(_row_locked).one()
            expires_at = time_of(tx) + ttl
            return tx.execute(_extend, {**_key(lease), "expires_at": expires_at}).rowcount == 1

    def holds(self, lease: Lease) -> bool:
        """See Leases.holds."""
        return self.leader() == lease

    def resign(self, lease: Lease) -> None:
        """See Leases.resign."""
        with self._transactions.exclusively() as tx:
            tx.execute(_extend, {**_key(lease), "holder": None, "since": None, "expires_at": None})

    def leader(self) -> Lease | None:
        """See Leases.leader."""
        with self._transactions.looking() as tx:
            return leader(tx)


def leader(tx: Connection) -> Lease | None:
    """Read the running term; None while nobody leads."""
    row = tx.execute(_row_and_time[tx.dialect.name]).one()
    return Lease(row.holder, row.term, row.since) if _runs(row, row.now) else None


def _runs(row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    return row.expires_at is not None and now < row.expires_at


def _key(lease: Lease) -> dict[str, object]:
    return {"of_term": lease.term, "of_holder": lease.holder}
