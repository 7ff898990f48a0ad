"""A connection that is kept from one writing transaction to the next.

A claim is little work for the database itself. To fetch a connection from the pool, to begin, to commit and
to give the connection back took SQLAlchemy longer than all the statements between. So the connection is
fetched once, and what begins and ends a transaction goes straight to the driver.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event

from app.registry import straight
from app.registry.database import BEGUN, take_write_lock
from app.registry.postgresql import lives, note_use

PLANS_LAST = 4
"""Of as many transactions on a connection the first one plans anew: the fourth, the sixteenth, and so on."""


class Writer:
    """Makes transactions that write, and come one at a time.

    It keeps its connection as long as all goes well. After a fork, a child has connections of its own.
    """

    def __init__(self, engine: Engine, knowing: Mapping[str, object]) -> None:
        """`knowing` are the execution options of its transactions."""
        self._engine = engine.execution_options(**knowing, **{BEGUN: True})
        self._kind: Callable[[Engine], _Kept] = _OnSqlite if engine.name == "sqlite" else _OnPostgresql
        self._kept: list[_Kept] = []
        event.listen(engine, "engine_disposed", lambda _: self.close())
        # Where one connection is lost, the pool replaces all: this is one that it cannot see.
        event.listen(engine, "invalidate", lambda *_: self.close())
        _everywhere.add(self)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run one transaction; SQLAlchemyError where the database refuses something, and nothing counts."""
        kept = self._take()
        if kept is None or not kept.is_of_use():
            kept = self._kind(self._engine)
        try:
            kept.begin()
            yield kept.connection
            straight.commit(kept.connection)
        except Exception:
            kept.connection.close()  # which rolls back
            raise
        except BaseException as error:  # it was interrupted: the next one must not be told this one's answer
            kept.give_up(error)
            raise
        kept.used()
        self._keep(kept)

    def close(self) -> None:
        """Close the connection, as all are that an engine has when it is disposed of.

        Who still writes takes a new one.
        """
        while (kept := self._take()) is not None:
            kept.give_up()

    def begin_in_child(self) -> None:
        """Leave its connections to the parent, neither used nor closed: it would be told our answers."""
        self._of_parent = self._kept, self._engine.pool
        self._kept = []
        self._engine.dispose(close=False)

    def _take(self) -> "_Kept | None":
        try:
            return self._kept.pop()  # in one step: no two threads get the same
        except IndexError:
            return None

    def _keep(self, kept: "_Kept") -> None:
        other = self._take()
        self._kept.append(kept)
        if other is not None:  # two came at a time
            other.connection.close()


_everywhere: WeakSet[Writer] = WeakSet()


def _after_fork() -> None:
    for one in list(_everywhere):
        one.begin_in_child()


os.register_at_fork(after_in_child=_after_fork)


class _Kept:
    """A connection, and the driver's own beneath it."""

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect()
        # What SQLAlchemy holds for one transaction that lasts: it replaces no lost connection in the middle.
        self.connection.begin()
        self._driver: Any = self.connection.connection.dbapi_connection

    def is_of_use(self) -> bool:
        """Whether it can be used once more; it is given up if not."""
        return True

    def begin(self) -> None:
        """Begin, where the driver does not do so with the first statement."""

    def used(self) -> None:
        """Note that the database has just answered on it."""

    def give_up(self, error: BaseException | None = None) -> None:
        """Close it, and not only lend it to others."""
        self.connection.invalidate(error)
        self.connection.close()


class _OnSqlite(_Kept):
    def begin(self) -> None:
        take_write_lock(self.connection, self._driver)


class _OnPostgresql(_Kept):
    """The server keeps its plans as long: one made when a table was all but empty reads all of it, later on.

    That ends when the table is analysed, a minute later or more. So they are made anew, ever more seldom.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._uses, self._plans_last = 0, PLANS_LAST

    def begin(self) -> None:
        self._uses += 1
        if self._uses == self._plans_last:
            self._plans_last *= PLANS_LAST
            straight.execute(self.connection, "DISCARD PLANS", None)

    def is_of_use(self) -> bool:
        if lives(self.connection):
            return True
        self.give_up()
        return False

    def used(self) -> None:
        note_use(self.connection.info)
