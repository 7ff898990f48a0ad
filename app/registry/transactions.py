"""How everything in the registry gets to its database: in line, spared while it is away, in our words."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from app.domain.errors import RegistryUnavailable, RegistryUnusable
from app.registry.breaker import Breaker
from app.registry.clock import time_of
from app.registry.errors import translated
from app.registry.messages import TELLS
from app.registry.postgresql import PIECEMEAL
from app.registry.queue import queue_of
from app.registry.writer import Writer


class Transactions:
    """Makes the transactions on one engine: one for each process, whatever is kept in the database.

    They raise RegistryUnavailable, and no driver's exception.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        breaker: Breaker | None = None,
        clock: Callable[[Connection], datetime] = time_of,
        tells: bool = False,
    ) -> None:
        """`clock` tells the time that all replicas go by: the database's.

        With `tells`, what happens is written into the outbox, too, for somebody to be told.
        """
        self.engine = engine
        self._clock = clock
        telling = {TELLS: self.time if tells else None}
        self._writer = Writer(engine, telling)
        side_by_side = engine.execution_options(**telling)
        self._begin = side_by_side.begin if self.lock_rows else self._writer.begin
        # On SQLite every transaction sees one moment; on PostgreSQL each of its statements one of its own.
        self._watching = self._still = engine
        if self.lock_rows:
            self._watching = engine.execution_options(**{PIECEMEAL: True})
            self._still = engine.execution_options(isolation_level="REPEATABLE READ")
        self._breaker = breaker or Breaker()
        self._owed: Callable[[], None] | None = None
        # The lock guard. SQLite has one writer at a time, and leaves it to chance who is next: threads and
        # processes queue here first. PostgreSQL locks rows, and orders replicas as well as threads.
        self._queue = None if self.lock_rows else queue_of(engine)
        self._guard: AbstractContextManager[Any] = self._queue or nullcontext()

    @property
    def lock_rows(self) -> bool:
        """Whether writers run side by side, and lock what they need row by row."""
        return self.engine.dialect.name != "sqlite"

    def time(self, tx: Connection) -> datetime:
        """Say what time it is for all replicas alike: what ends at a certain time is judged by this."""
        return self._clock(tx)

    @contextmanager
    def exclusively(self, *, before_all: bool = False, one_by_one: bool = False) -> Iterator[Connection]:
        """Run a writing transaction: alone on SQLite, ordered by row locks on PostgreSQL.

        What is `before_all` does not wait for what is owed: it is what is owed. What comes `one_by_one` in
        this process, and often, has a connection of its own also on PostgreSQL.
        """
        if not before_all:
            self._settle()
        begin = self._writer.begin if one_by_one else self._begin
        with self._guard, translated(), self._breaker.passing(), begin() as tx:
            yield tx

    @contextmanager
    def looking(self, *, at_one_moment: bool = False) -> Iterator[Connection]:
        """Run what only reads; `at_one_moment` all its statements see the same."""
        self._settle()
        engine = self._still if at_one_moment else self._watching
        with translated(), self._breaker.passing(), engine.begin() as tx:
            yield tx

    def owe(self, debt: Callable[[], None]) -> None:
        """Do this before anything else, as soon as the database answers."""
        self._owed = debt

    def close(self) -> None:
        """Close every connection, and the queue's file."""
        self.engine.dispose()
        if self._queue is not None:
            self._queue.close()

    def _settle(self) -> None:
        owed = self._owed
        if owed is None:
            return
        try:
            owed()
        except RegistryUnusable as error:  # the start is over: it is a request now that cannot be served
            raise RegistryUnavailable(error.detail) from error
        self._owed = None
