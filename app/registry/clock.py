"""What time it is, by the database: the one clock that all replicas share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal_column, select

from app.registry.schema import Utc

NOW: Mapping[str, ColumnElement[Any]] = {
    # Not the time at which the transaction began: it may have waited for a row since.
    "postgresql": func.clock_timestamp(type_=Utc),
    "sqlite": literal_column("strftime('%Y-%m-%d %H:%M:%f000', 'now')", Utc),
}
"""An expression for it, by the dialect's name."""

_now = {dialect: select(now) for dialect, now in NOW.items()}


def time_of(tx: Connection) -> datetime:
    """Ask the database what time it is."""
    now: datetime = tx.execute(_now[tx.dialect.name]).scalar_one()
    return now
