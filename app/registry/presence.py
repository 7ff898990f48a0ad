"""The replicas there are: each keeps its own row young, and forgets those that ended without a word."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from app.domain.replicas import Replica
from app.registry.schema import replicas
from app.registry.transactions import Transactions

KEPT = timedelta(hours=1)
"""How long a replica that says nothing more is kept."""

_note = update(replicas).where(replicas.c.name == bindparam("of"))
_add = insert(replicas)
_forget = delete(replicas).where(replicas.c.name == bindparam("of"))
_forget_silent = delete(replicas).where(replicas.c.seen_at < bindparam("before"))
_seen = (
    select(replicas)
    .where(replicas.c.seen_at >= bindparam("at"))
    .order_by(replicas.c.started_at, replicas.c.name)
)


class SqlPresence:
    """The Presence port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking

    def note(self, replica: Replica) -> None:
        """See Presence.note."""
        values = {column.name: getattr(replica, column.name) for column in replicas.columns}
        with self._exclusively() as tx:
            # Nobody else writes this row: a name is given once, and each replica says its own.
            if not tx.execute(_note, {**values, "of": replica.name}).rowcount:
                tx.execute(_add, values)
            tx.execute(_forget_silent, {"before": replica.seen_at - KEPT})

    def forget(self, name: str) -> None:
        """See Presence.forget."""
        with self._exclusively() as tx:
            tx.execute(_forget, {"of": name})

    def since(self, at: datetime) -> Sequence[Replica]:
        """See Presence.since."""
        with self._looking() as tx:
            return [_replica(row) for row in tx.execute(_seen, {"at": at})]


def _replica(row: Row[*tuple[Any, ...]]) -> Replica:
    return Replica(**{column.name: getattr(row, column.name) for column in replicas.columns})
