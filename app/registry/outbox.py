"""The outbox: messages that wait to be sent, and what became of the others."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, delete, func, or_, select, update

from app.domain.errors import MessageNotFound
from app.ports import Backlog, Delivery, Message, Page
from app.ports.outbox import DEAD_KEPT, DELIVERED_KEPT
from app.registry.schema import outbox
from app.registry.transactions import Transactions

LONGEST_ERROR = 300
"""Characters of an error that are kept."""

_pending = outbox.c.due_at.is_not(None)
_IS = {
    Delivery.PENDING: _pending,
    Delivery.DELIVERED: outbox.c.delivered_at.is_not(None),
    Delivery.DEAD: outbox.c.dead_at.is_not(None),
}
_due = (
    select(outbox)
    # One that was never tried is due: who wrote it may have a clock that is ahead.
    .where(_pending, or_(outbox.c.attempts == 0, outbox.c.due_at <= bindparam("now")))
    .order_by(outbox.c.id)
    .limit(bindparam("count"))
)
_taken = (
    update(outbox)
    .where(outbox.c.id == bindparam("number"), outbox.c.delivered_at.is_(None))
    .values(
        attempts=outbox.c.attempts + 1,
        due_at=None,
        dead_at=None,
        delivered_at=bindparam("now"),
        last_error=None,
    )
)
_refused = (
    update(outbox)
    .where(outbox.c.id == bindparam("number"), outbox.c.attempts == bindparam("tried"), _pending)
    .values(
        attempts=outbox.c.attempts + 1,
        due_at=bindparam("again_at"),
        dead_at=bindparam("given_up_at"),
        last_error=bindparam("error"),
    )
)
_once_more = (
    update(outbox)
    .where(outbox.c.message == bindparam("of"))
    .values(attempts=0, due_at=bindparam("now"), dead_at=None, delivered_at=None)
)
_one = select(outbox).where(outbox.c.message == bindparam("of"))
_waiting = and_(_pending, outbox.c.attempts > 0)
backlog = select(
    func.count(outbox.c.due_at).label("pending"),
    func.count(outbox.c.dead_at).label("dead"),
    func.min(case((_pending, outbox.c.at))).label("oldest_at"),
    func.min(case((_waiting, outbox.c.at))).label("refused_at"),
).where(or_(_pending, outbox.c.dead_at.is_not(None)))
"""What `backlog_of` reads. Of the many that were delivered it reads none."""
_forget = delete(outbox).where(
    or_(outbox.c.delivered_at <= bindparam("delivered_until"), outbox.c.dead_at <= bindparam("dead_until"))
)


class SqlOutbox:
    """The Outbox port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._exclusively, self._looking = transactions.exclusively, transactions.looking

    def due(self, limit: int) -> Sequence[Message]:
        """See Outbox.due."""
        with self._looking() as tx:
            now = self._transactions.time(tx)
            return [_message(row) for row in tx.execute(_due, {"now": now, "count": limit})]

    def delivered(self, number: int) -> None:
        """See Outbox.delivered."""
        with self._exclusively() as tx:
            tx.execute(_taken, {"number": number, "now": self._transactions.time(tx)})

    def failed(self, number: int, error: str, *, attempts: int, again_in: timedelta | None) -> bool:
        """See Outbox.failed."""
        with self._exclusively() as tx:
            now = self._transactions.time(tx)
            values = {
                "number": number,
                "tried": attempts,
                "again_at": None if again_in is None else now + again_in,
                "given_up_at": now if again_in is None else None,
                "error": error[:LONGEST_ERROR],
            }
            return tx.execute(_refused, values).rowcount > 0

    def retry(self, message: str) -> Message:
        """See Outbox.retry."""
        with self._exclusively() as tx:
            if tx.execute(_once_more, {"of": message, "now": self._transactions.time(tx)}).rowcount == 0:
                raise MessageNotFound(f"There is no message '{message}', or it was forgotten.")
            return _message(tx.execute(_one, {"of": message}).one())

    def messages(
        self, *, state: Delivery | None = None, before: int | None = None, limit: int
    ) -> Page[Message]:
        """See Outbox.messages."""
        wanted = select(outbox).order_by(outbox.c.id.desc()).limit(limit + 1)
        if state is not None:
            wanted = wanted.where(_IS[state])
        if before is not None:
            wanted = wanted.where(outbox.c.id < before)
        with self._looking() as tx:
            found = [_message(row) for row in tx.execute(wanted)]
        return Page(found[:limit], more=len(found) > limit)

    def backlog(self) -> Backlog:
        """See Outbox.backlog."""
        with self._looking() as tx:
            return backlog_of(tx.execute(backlog).one())

    def forget(self) -> None:
        """See Outbox.forget."""
        with self._exclusively() as tx:
            now = self._transactions.time(tx)
            tx.execute(_forget, {"delivered_until": now - DELIVERED_KEPT, "dead_until": now - DEAD_KEPT})


def backlog_of(row: Row[*tuple[Any, ...]]) -> Backlog:
    """Read what `backlog` selects."""
    return Backlog(pending=row.pending, dead=row.dead, oldest_at=row.oldest_at, refused_at=row.refused_at)


def _message(row: Row[*tuple[Any, ...]]) -> Message:
    ended_at: datetime | None = row.delivered_at or row.dead_at
    if row.due_at is not None:
        delivery = Delivery.PENDING
    else:
        delivery = Delivery.DEAD if row.delivered_at is None else Delivery.DELIVERED
    return Message(
        number=row.id,
        id=row.message,
        kind=row.kind,
        pool=row.pool,
        at=row.at,
        body=row.body,
        attempts=row.attempts,
        delivery=delivery,
        due_at=row.due_at,
        ended_at=ended_at,
        last_error=row.last_error,
    )
