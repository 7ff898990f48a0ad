"""The replicas there are: each keeps its own row young, and forgets those that ended without a word."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from app.domain.replicas import Replica, SeenReplica
from app.registry.clock import time_of
from app.registry.schema import replicas
from app.registry.transactions import Transactions

KEPT = timedelta(hours=1)
"""How long a replica that says nothing more is kept."""

_TOLD = tuple(column.name for column in replicas.columns if column is not replicas.c.seen_at)

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
        with self._exclusively() as tx:
            now = time_of(tx)
            values = {**{name: getattr(replica, name) for name in _TOLD}, "seen_at": now}
            # Nobody else writes this row: a name is given once, and each replica says its own.
            if not tx.execute(_note, {**values, "of": replica.name}).rowcount:
                tx.execute(_add, values)
            tx.execute(_forget_silent, {"before": now - KEPT})

    def forget(self, name: str) -> None:
        """See Presence.forget."""
        with self._exclusively() as tx:
            tx.execute(_forget, {"of": name})

    def lately(self, within: timedelta) -> Sequence[SeenReplica]:
        """See Presence.lately."""
        with self._looking() as tx:
            return [_replica(row) for row in tx.execute(_seen, {"at": time_of(tx) - within})]


def _replica(row: Row[*tuple[Any, ...]]) -> SeenReplica:
    return SeenReplica(**{column.name: getattr(row, column.name) for column in replicas.columns})
