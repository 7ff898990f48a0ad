"""Connections to PostgreSQL on which every wait has an end, whatever becomes of server and network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import ReadOnlySqlTransaction, _WaitTimeout
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.registry.addresses import located

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many seconds each kind of waiting may last; None: without end."""

    connect: int = 2
    """For the answer to where the server is, and from each of two addresses at most; libpq's least is two."""
    pool: float = 3.0
    """For a connection that another thread has."""
    statement: float | None = 3.0
    lock: float | None = 2.0
    """For what another transaction has locked."""
    idle_in_transaction: float = 5.0
    """What a client has locked that was cut off in the middle is free after that."""
    silence: float | None = 4.0
    """For any answer. Longer than a statement may take: the server's own word comes first."""

    def without_hurry(self) -> "Limits":
        """For a migration, which takes as long as it takes, and for others that wait for its end."""
        return replace(self, statement=None, lock=None, idle_in_transaction=60.0, silence=None)


LIMITS = Limits()


class BoundedConnection(psycopg.Connection[Any]):
    """Gives up after `silence` seconds without the answer; it is closed then, because that may come yet.

    Nothing in libpq ends this wait: where packets are dropped, or the server is frozen, it would last for
    hours, or for ever.
    """

    silence: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Return what `gen` returns; see psycopg. Who passes a timeout of his own sees to its end himself."""
        if timeout is not None or self.silence is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.silence)
        except _WaitTimeout:
            self.close()
            raise psycopg.OperationalError(f"the server said nothing for {self.silence:g} s") from None


def postgresql(url: URL, limits: Limits, *, read_only: bool = False, **pool: Any) -> Engine:
    """Make an engine whose connections keep the limits; `pool` is for SQLAlchemy."""
    if "poolclass" not in pool:
        pool["pool_timeout"] = limits.pool
    engine = create_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": limits.connect,
            # For a wait without end, and for whoever dials through something that forgets idle connections.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        },
        **pool,
    )
    setting = _setting(limits, read_only=read_only)

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, named: Any) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **located(named, limits.connect))
        connection.silence = limits.silence
        try:
            setting(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    if not read_only:

        @event.listens_for(engine, "handle_error")
        def _failed(context: ExceptionContext) -> None:
            # After a failover, a server that was the primary: the name may lead to another one by now.
            if isinstance(context.original_exception, ReadOnlySqlTransaction):
                context.is_disconnect = True

    return engine


def _setting(limits: Limits, *, read_only: bool) -> Callable[[BoundedConnection], None]:
    """Return what sets up a new connection: by a statement, because PgBouncer takes no startup options."""
    values = {
        "TimeZone": "UTC",
        "statement_timeout": _milliseconds(limits.statement),
        "lock_timeout": _milliseconds(limits.lock),
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle_in_transaction),
        # Or each cut would leave the server with connections that it counts for two hours.
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    if read_only:
        values["default_transaction_read_only"] = "on"
    statement = f"SELECT {', '.join('set_config(%s, %s, false)' for _ in values)}"
    words = [word for item in values.items() for word in item]

    def set_up(connection: BoundedConnection) -> None:
        connection.autocommit = True  # what is set in a transaction ends with it, if it is rolled back
        connection.execute(statement, words)
        connection.autocommit = False

    return set_up


def _milliseconds(seconds: float | None) -> str:
    return "0" if seconds is None else f"{seconds * 1000:.0f}"


def unreachable(error: SQLAlchemyError) -> bool:
    """Whether a server could not be reached, or the way to it was lost; not whether it refused something."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError) or not isinstance(error.orig, psycopg.OperationalError):
        return False
    # Without a code it is no word of the server's, or one that it said before it let us in.
    return error.orig.sqlstate is None or error.connection_invalidated
