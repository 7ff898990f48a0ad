"""All instances of a pool, read again and again: what is as it was is not made anew."""

import json
from collections import namedtuple
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import chain
from sys import intern
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Select, Text, cast, func

from app.domain.model import Instance, InstanceId
from app.registry import rows
from app.registry.schema import Utc

PART = 500
"""How many rows of a long answer are in hand at once."""


class LastRead:
    """Remembers the instances of one pool as they were read last.

    Of ten thousand nearly all are as they were. So the database writes each row as one text, and only a text
    that is another than before is taken apart: to read a row takes ten times as long as to know it again.
    """

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        """Take what selects all that `rows.instance` reads."""
        columns = list(statement.selected_columns)
        in_a_row = func.json_array if dialect.name == "sqlite" else func.json_build_array
        self._written = statement.with_only_columns(cast(in_a_row(*columns), Text))
        self._reads = [_reader(column) for column in columns]
        named: Any = namedtuple  # noqa: PYI024 - of whatever is selected
        self._named = named("Row", [column.key for column in columns])._make
        self._read: dict[str, Instance] = {}

    def instances(self, tx: Connection, wanted: Mapping[str, object]) -> Mapping[InstanceId, Instance]:
        """Return the instances that the statement finds with these values: those that there are, to us."""
        before, now = self._read, dict[str, Instance]()
        found = tx.execute(self._written, wanted).scalars()
        for text in chain.from_iterable(found.partitions(PART)):
            # Out of what was before: two copies of all texts would be the most that a pass takes.
            last = before.pop(text, None)
            now[text] = last or rows.instance(self._row(text))
        made = {one.id: one for one in now.values()}
        self._read = now  # from here on the next reader may take out of it
        return made

    def _row(self, text: str) -> Any:
        return self._named(read(value) for read, value in zip(self._reads, json.loads(text), strict=True))


_COMMON = frozenset({"pool", "zone", "template"})
"""Columns in which thousands of rows have the same few texts: one copy of each is enough."""


def _reader(column: ColumnElement[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, Utc):
        return _moment
    return _shared if column.key in _COMMON else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _shared(text: str | None) -> str | None:
    return None if text is None else intern(text)


def _moment(text: str | None) -> datetime | None:
    """Read a time as it stands in JSON: SQLite writes it as it is stored, in UTC, others with a zone."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
