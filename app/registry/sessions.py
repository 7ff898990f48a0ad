"""Sessions of people: rows that are found by the hash of a cookie, and deleted when they are over."""

from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from app.domain.access import Session
from app.registry.schema import sessions
from app.registry.transactions import Transactions

_add = insert(sessions)
_find = select(sessions).where(sessions.c.digest == bindparam("of"), sessions.c.expires_at > bindparam("now"))
_end = delete(sessions).where(sessions.c.digest == bindparam("of"))
_forget = delete(sessions).where(sessions.c.expires_at <= bindparam("now"))


class SqlSessions:
    """The SessionStore port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking

    def add(self, session: Session) -> None:
        """See SessionStore.add."""
        values = {column.name: getattr(session, column.name) for column in sessions.columns}
        with self._exclusively() as tx:
            tx.execute(_forget, {"now": session.created_at})
            tx.execute(_add, values)

    def find(self, digest: str, *, now: datetime) -> Session | None:
        """See SessionStore.find."""
        with self._looking() as tx:
            row = tx.execute(_find, {"of": digest, "now": now}).one_or_none()
        if row is None:
            return None
        return Session(**{column.name: getattr(row, column.name) for column in sessions.columns})

    def end(self, digest: str) -> None:
        """See SessionStore.end."""
        with self._exclusively() as tx:
            tx.execute(_end, {"of": digest})
