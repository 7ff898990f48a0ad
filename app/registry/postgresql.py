"""Connections to PostgreSQL on which every wait has an end, whatever becomes of server and network."""

import select
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import ReadOnlySqlTransaction, _WaitTimeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.registry import straight
from app.registry.addresses import located

T = TypeVar("T")

PIECEMEAL = "piecemeal"
"""Execution option: nothing holds the statements together, so that no BEGIN and no COMMIT has to be sent."""

_USED_AT = "used_at"


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
    unused: float = 1.0
    """That a connection may lie there, and be lent without being asked whether it still lives."""

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

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # psycopg sends BEGIN with the first statement, and what commits says nothing where there was none.
        driver: Any = connection.connection.dbapi_connection
        piecemeal = bool(connection.get_execution_options().get(PIECEMEAL))
        if driver.autocommit is not piecemeal:
            driver.autocommit = piecemeal

    _replace_the_dead(engine, limits.unused)

    if not read_only:

        @event.listens_for(engine, "handle_error")
        def _failed(context: ExceptionContext) -> None:
            # After a failover, a server that was the primary: the name may lead to another one by now.
            if isinstance(context.original_exception, ReadOnlySqlTransaction):
                context.is_disconnect = True

    return engine


def _replace_the_dead(engine: Engine, unused: float) -> None:
    """Have a connection that may be dead asked before it is lent, and all replaced where it says nothing.

    A server that ends, in whichever way, says so on each of its connections, and so does a proxy: a look
    whether something came unasked finds it, and costs no question. A lost network says nothing; whoever used
    a connection a moment ago would have noticed. So those are asked, too, that lay unused for longer.
    """

    def used(_driver: Any, record: Any) -> None:
        note_use(record.info)

    event.listen(engine, "connect", used)
    event.listen(engine, "checkin", used)

    @event.listens_for(engine, "checkout")
    def _check(driver: Any, record: Any, _lent: Any) -> None:
        try:
            _ask(engine, driver, record.info, unused)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def note_use(info: MutableMapping[Any, Any]) -> None:
    """Note, in what is known of a connection, that the server has just answered on it."""
    info[_USED_AT] = time.monotonic()


def lives(connection: Connection) -> bool:
    """Whether a connection that was kept can be used once more; if not, none of its age is used either."""
    driver: Any = connection.connection.dbapi_connection
    try:
        _ask(connection.engine, driver, connection.info, LIMITS.unused)
    except psycopg.Error as error:
        with suppress(SQLAlchemyError):
            straight.failed(connection, error, "SELECT 1")
        return False
    return True


def _ask(engine: Engine, driver: Any, info: MutableMapping[Any, Any], unused: float) -> None:
    """Ask on a connection that may be dead whether it lives; psycopg.Error where it does not."""
    if time.monotonic() - info[_USED_AT] >= unused or _has_word(driver):
        engine.dialect.do_ping(driver)


def _has_word(connection: BoundedConnection) -> bool:
    """Whether something came that nobody has read: a notice, or the end."""
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))


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
