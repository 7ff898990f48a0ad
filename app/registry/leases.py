"""The lease row: who leads, in which term, until when. Three short transactions, and the database's clock."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select, update

from app.domain.events import EventKind
from app.domain.model import PoolName
from app.ports import Lease
from app.registry import steps
from app.registry.schema import Utc, leases
from app.registry.transactions import Transactions

PASSES = "passes"
"""The one lease there is: who holds it runs the passes of every pool."""

EVERY_POOL = PoolName("*")
"""What the audit trail names where an event is about all pools."""

_row = select(leases).where(leases.c.name == PASSES)
_row_locked = _row.with_for_update()
_write = update(leases).where(leases.c.name == PASSES)
_extend = update(leases).where(
    leases.c.name == PASSES, leases.c.term == bindparam("of_term"), leases.c.holder == bindparam("of_holder")
)
_NOW = {
    # Not the time at which the transaction began: it may have waited for the row since.
    "postgresql": select(func.clock_timestamp(type_=Utc)),
    "sqlite": select(literal_column("strftime('%Y-%m-%d %H:%M:%f000', 'now')", Utc)),
}
"""What time it is, by the database."""


class SqlLeases:
    """The Leases port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._now = _NOW[transactions.engine.dialect.name]

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        """See Leases.take."""
        with self._transactions.looking() as tx:  # which waits for nobody, and mostly says it all
            if self._is_taken(tx.execute(_row).one(), holder, tx):
                return None
        with self._transactions.exclusively() as tx:
            row = tx.execute(_row_locked).one()
            if self._is_taken(row, holder, tx):
                return None  # somebody else was faster
            term, now = row.term + 1, self._time(tx)
            tx.execute(_write, {"term": term, "holder": holder, "since": now, "expires_at": now + ttl})
            steps.record(tx, EventKind.LEADER_ELECTED, EVERY_POOL, holder, now, reason=f"term {term}")
        return Lease(holder, term, now)

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """See Leases.renew."""
        with self._transactions.exclusively() as tx:
            tx.execute(_row_locked).one()
            expires_at = self._time(tx) + ttl
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
            row = tx.execute(_row).one()
            running = self._runs(row, tx)
        return Lease(row.holder, row.term, row.since) if running else None

    def _is_taken(self, row: Row[*tuple[Any, ...]], holder: str, tx: Connection) -> bool:
        return row.holder != holder and self._runs(row, tx)

    def _runs(self, row: Row[*tuple[Any, ...]], tx: Connection) -> bool:
        return row.expires_at is not None and self._time(tx) < row.expires_at

    def _time(self, tx: Connection) -> datetime:
        now: datetime = tx.execute(self._now).scalar_one()
        return now


def _key(lease: Lease) -> dict[str, object]:
    return {"of_term": lease.term, "of_holder": lease.holder}
