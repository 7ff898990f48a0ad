"""Statements that are compiled once, for what is executed with each request.

SQLAlchemy looks its compiled form of a statement up at each execution, and learns each time anew what comes
back: several times the work that SQLite has with the statement. Here that is done once.
"""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Insert

from app.registry import straight

Values = Mapping[str, object]


class Compiled:
    """One statement for one kind of database."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        """Take an INSERT for many rows with the values that it binds; it returns nothing."""
        if isinstance(statement, Insert):
            statement = statement.inline()
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self._text: str = compiled.string
        writes = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in compiled.binds.items()
        }
        self._writes = {name: convert for name, convert in writes.items() if convert is not None}
        self._fixed = self._written(
            {name: value for name, value in compiled.params.items() if value is not None}
        )
        self._order: Sequence[str] | None = compiled.positiontup
        returned = () if isinstance(statement, Insert) else tuple(statement.exported_columns)  # type: ignore[attr-defined]
        row: Any = namedtuple  # noqa: PYI024 - of whatever comes back
        self._named = row("Row", [column.key for column in returned])._make
        self._reads = [
            (place, convert)
            for place, column in enumerate(returned)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def rows(self, tx: Connection, values: Values) -> Sequence[Any]:
        """Execute it with these values, and return what it finds or changed, as named tuples."""
        given = {**self._fixed, **self._written(values)}
        found = straight.execute(tx, self._text, self._in_order(given)).fetchall()
        return [self._named(self._read(row)) for row in found]

    def insert(self, tx: Connection, rows: Sequence[Values], *, same: Values) -> None:
        """Insert all these rows at once (SQLite): for each one by one, it would let other threads in.

        `same` is what all of them have, unless one says something else.
        """
        text, one = self._text, self._text[self._text.rindex(" VALUES ") + len(" VALUES ") :]
        of_all = self._written(same)
        given = [value for row in rows for value in self._in_order({**of_all, **self._written(row)})]
        straight.execute(tx, text + f", {one}" * (len(rows) - 1), given)

    def _in_order(self, given: Values) -> Any:
        """Put the values where the driver looks for them; PostgreSQL's does so by their names."""
        return given if self._order is None else [given[name] for name in self._order]

    def _written(self, values: Values) -> dict[str, object]:
        written = dict(values)
        for name, convert in self._writes.items():
            if name in written:
                written[name] = convert(written[name])
        return written

    def _read(self, row: Sequence[Any]) -> Sequence[Any]:
        if not self._reads:
            return row
        read = list(row)
        for place, convert in self._reads:
            read[place] = convert(read[place])
        return read
