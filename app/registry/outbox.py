"""The outbox: messages that wait to be sent, and what became of the others."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, select, update

from app.domain.errors import MessageNotFound
from app.domain.messages import plain
from app.domain.retries import LIFE
from app.ports import Backlog, Delivery, Message, Page
from app.ports.outbox import DEAD_KEPT, DELIVERED_KEPT, MOST
from app.registry import messages
from app.registry.schema import Utc, outbox
from app.registry.transactions import Transactions

TOO_OLD = "It was not sent in time."
"""What is told of a message that was given up without a try."""

_pending = outbox.c.due_at.is_not(None)
_is_delivered = outbox.c.delivered_at.is_not(None)
_is_dead = outbox.c.dead_at.is_not(None)
_IS = {Delivery.PENDING: _pending, Delivery.DELIVERED: _is_delivered, Delivery.DEAD: _is_dead}

_due = (
    select(outbox)
    .where(_pending, outbox.c.due_at <= bindparam("now"))
    .order_by(outbox.c.due_at, outbox.c.id)
    .limit(bindparam("count"))
)
# By due_at, too, which is the same until it is tried: for that there is an index.
_asked_for = _due.where(outbox.c.asked_at >= bindparam("since"), outbox.c.due_at >= bindparam("since"))
_taken = (
    update(outbox)
    .where(outbox.c.id == bindparam("number"), outbox.c.delivered_at.is_(None))
    .values(
        attempts=outbox.c.attempts + 1,
        asked_at=None,
        due_at=None,
        refused_at=None,
        dead_at=None,
        delivered_at=bindparam("now"),
        last_error=None,
    )
)
_refused = (
    update(outbox)
    .where(outbox.c.id == bindparam("number"), outbox.c.attempts == bindparam("tried"), _pending)
    .values(attempts=outbox.c.attempts + 1, asked_at=None, last_error=bindparam("error"))
)
_again = _refused.values(
    due_at=bindparam("again_at"), refused_at=func.coalesce(outbox.c.refused_at, bindparam("now", type_=Utc))
)
_dead: dict[str, Any] = {"asked_at": None, "due_at": None, "refused_at": None, "dead_at": bindparam("now")}
_given_up = _refused.values(_dead)
_once_more = update(outbox).values(
    attempts=0,
    begun_at=bindparam("now"),
    asked_at=bindparam("now"),
    due_at=bindparam("now"),
    refused_at=None,
    dead_at=None,
    delivered_at=None,
)
_this = outbox.c.message == bindparam("of")
_one = select(outbox).where(_this)
_dead_ones = outbox.c.id.in_(
    select(outbox.c.id).where(_is_dead).order_by(outbox.c.id).limit(bindparam("count"))
)


def _counted(which: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(outbox).where(which).scalar_subquery()


def _first(column: Any, which: ColumnElement[bool]) -> Any:
    return select(func.min(column)).where(which).scalar_subquery()


# Each part from an index of its own: it costs little, however many there are.
_backlog = select(
    _counted(_pending).label("pending"),
    _counted(_is_dead).label("dead"),
    _first(outbox.c.begun_at, _pending).label("begun_at"),
    _first(outbox.c.due_at, _pending).label("due_at"),
    _first(outbox.c.refused_at, outbox.c.refused_at.is_not(None)).label("refused_at"),
)


class SqlOutbox:
    """The Outbox port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._exclusively, self._looking = transactions.exclusively, transactions.looking

    def due(self, limit: int, *, asked_within: timedelta | None = None) -> Sequence[Message]:
        """See Outbox.due."""
        with self._looking() as tx:
            now = self._transactions.time(tx)
            values: dict[str, Any] = {"now": now, "count": limit}
            if asked_within is None:
                return [_message(row) for row in tx.execute(_due, values)]
            found = tx.execute(_asked_for, {**values, "since": now - asked_within})
            return [_message(row) for row in found]

    def delivered(self, number: int) -> None:
        """See Outbox.delivered."""
        with self._exclusively() as tx:
            tx.execute(_taken, {"number": number, "now": self._transactions.time(tx)})

    def failed(self, number: int, error: str, *, attempts: int, again_in: timedelta | None) -> bool:
        """See Outbox.failed."""
        with self._exclusively() as tx:
            now = self._transactions.time(tx)
            values = {"number": number, "tried": attempts, "now": now, "error": plain(error)}
            if again_in is None:
                return tx.execute(_given_up, values).rowcount > 0
            return tx.execute(_again, {**values, "again_at": now + again_in}).rowcount > 0

    def retry(self, message: str) -> Message:
        """See Outbox.retry."""
        with self._exclusively() as tx:
            now = self._transactions.time(tx)
            if tx.execute(_once_more.where(_this), {"of": message, "now": now}).rowcount == 0:
                raise _unknown(message)
            return _message(tx.execute(_one, {"of": message}).one())

    def retry_dead(self, limit: int) -> int:
        """See Outbox.retry_dead."""
        with self._exclusively() as tx:
            values = {"count": limit, "now": self._transactions.time(tx)}
            return tx.execute(_once_more.where(_dead_ones), values).rowcount

    def discard(self, message: str) -> Message:
        """See Outbox.discard."""
        with self._exclusively() as tx:
            row = tx.execute(_one.with_for_update(), {"of": message}).one_or_none()
            if row is None:
                raise _unknown(message)
            tx.execute(delete(outbox).where(_this), {"of": message})
            return _message(row)

    def discard_dead(self, limit: int) -> int:
        """See Outbox.discard_dead."""
        with self._exclusively() as tx:
            return tx.execute(delete(outbox).where(_dead_ones), {"count": limit}).rowcount

    def test(self, actor: str) -> Message:
        """See Outbox.test."""
        with self._exclusively() as tx:
            message = messages.write_test(tx, actor, self._transactions.time(tx))
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
            return backlog_in(tx, self._transactions.time(tx))

    def give_up(self, limit: int) -> int:
        """See Outbox.give_up."""
        with self._exclusively() as tx:
            now = self._transactions.time(tx)
            old = _old(tx, _pending, outbox.c.begun_at, now - LIFE, limit)
            if old:
                late = update(outbox).where(outbox.c.id.in_(old)).values(_dead)
                late = late.values(last_error=func.coalesce(outbox.c.last_error, TOO_OLD))
                tx.execute(late, {"now": now})
            return len(old)

    def forget(self, limit: int) -> int:
        """See Outbox.forget."""
        with self._exclusively() as tx:
            now = self._transactions.time(tx)
            old = _old(tx, _is_delivered, outbox.c.delivered_at, now - DELIVERED_KEPT, limit)
            old += _old(tx, _is_dead, outbox.c.dead_at, now - DEAD_KEPT, limit - len(old))
            if old:
                tx.execute(delete(outbox).where(outbox.c.id.in_(old)))
            return len(old)


def backlog_in(tx: Connection, now: datetime) -> Backlog:
    """Read what is to be sent, and what was given up."""
    row = tx.execute(_backlog).one()

    def ago(moment: datetime | None) -> timedelta:
        return timedelta() if moment is None else max(timedelta(), now - moment)

    return Backlog(
        pending=row.pending,
        dead=row.dead,
        oldest=ago(row.begun_at),
        late=ago(row.due_at),
        refused=ago(row.refused_at),
    )


def _old(tx: Connection, which: ColumnElement[bool], column: Any, until: datetime, limit: int) -> list[int]:
    """Find those that came to this at `until` or before, and the oldest of those beyond MOST."""
    first = select(outbox.c.id).where(which).order_by(column, outbox.c.id)
    found = list(tx.execute(first.where(column <= until).limit(limit)).scalars())
    over = tx.execute(select(func.count()).select_from(outbox).where(which)).scalar_one() - MOST
    if over > len(found):
        found = list(tx.execute(first.limit(min(over, limit))).scalars())
    return found


def _unknown(message: str) -> MessageNotFound:
    return MessageNotFound(f"There is no message '{message}', or it was forgotten.")


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
