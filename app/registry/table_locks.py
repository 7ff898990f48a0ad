"""How a migration gets the tables that others work on: all of them together, or none yet."""

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

TRIES = 300


def lock(*tables: str) -> None:
    """Lock what a migration changes, on PostgreSQL, where replicas of the version before go on meanwhile.

    Each change locks its table, and taken one by one, in another order than theirs, these locks would make
    deadlocks, which end claims. So all are taken first, and where that does not succeed quickly, none is
    kept: it is the migration that waits, and gives up sooner than PostgreSQL looks for deadlocks (after 1 s).
    Raises TimeoutError where it never succeeds.
    """
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for _ in range(TRIES):
        try:
            with connection.begin_nested():
                connection.execute(text("SET LOCAL lock_timeout = '300ms'"))
                connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
                connection.execute(text("SET LOCAL lock_timeout = 0"))
        except OperationalError:
            connection.execute(text("SELECT pg_sleep(0.1 + random() / 5)"))
        else:
            return
    raise TimeoutError("Others use the database's tables all the time: stop the replicas, and start again.")
