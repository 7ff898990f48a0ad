"""Samples of the pools: one row for each grain of time, until they are old."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.history import GRAIN, KEPT, Sample
from app.domain.model import PoolName
from app.registry.schema import samples
from app.registry.transactions import Transactions

_add = {
    # Who led a moment before may have noted the same grain of time.
    "postgresql": postgresql.insert(samples).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(samples).on_conflict_do_nothing(),
}
_forget = delete(samples).where(samples.c.grain <= bindparam("last"))


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
_FIGURES = ("idle", "allocated", "booting", "waiting", "buffer", "desired")


class SqlHistory:
    """The History port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking
        self._add = _add[transactions.engine.dialect.name]

    def note(self, samples: Iterable[Sample]) -> None:
        """See History.note."""
        rows = [_row(sample) for sample in samples]
        if rows:
            with self._exclusively() as tx:
                tx.execute(self._add, rows)
                tx.execute(_forget, {"last": max(row["grain"] for row in rows) - KEPT // GRAIN})

    def since(self, pool: PoolName, start: datetime, *, step: timedelta) -> Sequence[Sample]:
        """See History.since."""
        first = ceil(start.timestamp() / GRAIN.total_seconds())
        with self._looking() as tx:
            found = tx.execute(_put_together, {"of": pool, "first": first, "width": step // GRAIN}).all()
        return [
            Sample(pool=pool, at=_time(row.step, step), **{name: getattr(row, name) for name in _FIGURES})
            for row in found
        ]


def _row(sample: Sample) -> dict[str, Any]:
    grain = int(sample.at.timestamp() // GRAIN.total_seconds())
    return {"pool": sample.pool, "grain": grain, **{name: getattr(sample, name) for name in _FIGURES}}


def _time(steps: int, step: timedelta) -> datetime:
    return datetime.fromtimestamp(steps * step.total_seconds(), UTC)
