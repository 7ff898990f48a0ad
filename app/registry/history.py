"""Samples of the pools: one row for each grain of time, until they are old."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.history import GRAIN, KEPT, Sample
from app.domain.model import PoolName
from app.registry.clock import time_of
from app.registry.schema import samples
from app.registry.transactions import Transactions

_add = {
    # Who led a moment before may have noted the same grain of time.
    "postgresql": postgresql.insert(samples).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(samples).on_conflict_do_nothing(),
}
_forget = delete(samples).where(
    # Those of times to come are from before the database's clock was set back.
    or_(samples.c.grain <= bindparam("last"), samples.c.grain > bindparam("present"))
)

_taken = (
    select(samples, (samples.c.grain // bindparam("width", type_=BigInteger)).label("step"))
    .where(samples.c.pool == bindparam("of"), samples.c.grain >= bindparam("first"))
    .subquery()
)
_put_together = (
    select(
        _taken.c.step,
        func.min(_taken.c.idle).label("idle"),
        func.max(_taken.c.allocated).label("allocated"),
        func.max(_taken.c.booting).label("booting"),
        func.max(_taken.c.waiting).label("waiting"),
        func.min(_taken.c.buffer).label("buffer"),
        func.max(_taken.c.desired).label("desired"),
    )
    .group_by(_taken.c.step)
    .order_by(_taken.c.step)
)
_filled = (
    select(samples.c.grain)
    .where(samples.c.pool == bindparam("of"), samples.c.idle >= samples.c.buffer)
    .order_by(samples.c.grain.desc())
    .limit(1)
)
_first_after = select(func.min(samples.c.grain)).where(
    samples.c.pool == bindparam("of"), samples.c.grain > bindparam("last")
)
_FIGURES = ("idle", "allocated", "booting", "waiting", "buffer", "desired")


class SqlHistory:
    """The History port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking
        self._add = _add[transactions.engine.dialect.name]

    def note(self, samples: Iterable[Sample]) -> None:
        """See History.note."""
        given = list(samples)
        if not given:
            return
        with self._exclusively() as tx:
            present = _grain(time_of(tx))
            tx.execute(self._add, [_row(sample, present) for sample in given])
            tx.execute(_forget, {"last": present - KEPT // GRAIN, "present": present})

    def since(self, pool: PoolName, start: datetime, *, step: timedelta) -> Sequence[Sample]:
        """See History.since."""
        first = ceil(start.timestamp() / GRAIN.total_seconds())
        with self._looking() as tx:
            found = tx.execute(_put_together, {"of": pool, "first": first, "width": step // GRAIN}).all()
        return [
            Sample(pool=pool, at=_time(row.step, step), **{name: getattr(row, name) for name in _FIGURES})
            for row in found
        ]

    def short_since(self, pool: PoolName) -> datetime | None:
        """See History.short_since."""
        with self._looking() as tx:
            filled = tx.execute(_filled, {"of": pool}).scalar()
            first = tx.execute(_first_after, {"of": pool, "last": filled or 0}).scalar()
        return None if first is None else _time(first, GRAIN)


def _grain(at: datetime) -> int:
    return int(at.timestamp() // GRAIN.total_seconds())


def _row(sample: Sample, present: int) -> dict[str, Any]:
    grain = min(_grain(sample.at), present)
    return {"pool": sample.pool, "grain": grain, **{name: getattr(sample, name) for name in _FIGURES}}


def _time(steps: int, step: timedelta) -> datetime:
    return datetime.fromtimestamp(steps * step.total_seconds(), UTC)
