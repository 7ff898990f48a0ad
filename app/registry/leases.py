"""The lease row: who leads, in which term, until when. Three short transactions, and the database's clock."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select, update

from app.domain.model import PoolName
from app.ports import EventKind, Lease
from app.registry import steps
from app.registry.lifeline import Lifeline
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
    """The Leases port, on SQLite or PostgreSQL.

    On SQLite, where all processes share a machine, a term has a lifeline as well: where its process is gone,
    the term has ended, whatever the clock says. See Lifeline.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        engine = transactions.engine
        self._now = _NOW[engine.dialect.name]
        file = Path((engine.url.database or "").removeprefix("file:"))
        self._lifeline = None if transactions.lock_rows else Lifeline(file)

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        """See Leases.take."""
        with self._transactions.looking() as tx:
            before = tx.execute(_row).one()
            free = before.holder == holder or not self._runs(before, tx)
        gone = self._lifeline is not None and self._lifeline.has_ended(before.term, before.holder or "")
        if not free and not gone:
            return None
        lease, term = None, before.term + 1
        try:
            if self._lifeline is not None:
                # Before anybody can read of the term, which would look like one whose process is gone.
                self._lifeline.begin(term, holder)
            lease = self._begin(term, holder, ttl, gone=gone)
        finally:
            if self._lifeline is not None:
                self._lifeline.end() if lease is None else self._lifeline.clear(before=term)
        return lease

    def _begin(self, term: int, holder: str, ttl: timedelta, *, gone: bool) -> Lease | None:
        with self._transactions.exclusively() as tx:
            row = tx.execute(_row_locked).one()
            if row.term != term - 1 or (self._runs(row, tx) and not gone and row.holder != holder):
                return None  # somebody else was faster, or the holder has renewed it meanwhile
            now = self._time(tx)
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
        if self._lifeline is not None:
            self._lifeline.end()

    def leader(self) -> Lease | None:
        """See Leases.leader."""
        with self._transactions.looking() as tx:
            row = tx.execute(_row).one()
            running = self._runs(row, tx)
        return Lease(row.holder, row.term, row.since) if running else None

    def _runs(self, row: Row[*tuple[Any, ...]], tx: Connection) -> bool:
        return row.expires_at is not None and self._time(tx) < row.expires_at

    def _time(self, tx: Connection) -> datetime:
        now: datetime = tx.execute(self._now).scalar_one()
        return now


def _key(lease: Lease) -> dict[str, object]:
    return {"of_term": lease.term, "of_holder": lease.holder}
