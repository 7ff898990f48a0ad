"""Straight to the driver: what is done with each claim, without SQLAlchemy's way around each statement.

That way costs several times what the driver takes, and more where a process did something else meanwhile:
nearly all of its code is then to be fetched from memory again. What SQLAlchemy does about an error is not
spared: it tells a lost connection from a refused statement, and gives up the others that are lost with it.
"""

from typing import Any, NoReturn

from sqlalchemy import Connection


def execute(tx: Connection, text: str, given: Any) -> Any:
    """Return a cursor with what the statement finds; raise SQLAlchemyError as if SQLAlchemy had asked."""
    driver: Any = tx.connection.dbapi_connection
    try:
        return driver.execute(text, given)
    except tx.dialect.loaded_dbapi.Error as error:
        failed(tx, error, text)


def commit(tx: Connection) -> None:
    """Commit what the driver has begun; raise SQLAlchemyError as if SQLAlchemy had asked."""
    driver: Any = tx.connection.dbapi_connection
    try:
        driver.commit()
    except tx.dialect.loaded_dbapi.Error as error:
        failed(tx, error, "COMMIT")


def failed(tx: Connection, error: Exception, text: str) -> NoReturn:
    """Do and raise what SQLAlchemy does and raises where the driver raises this."""
    handle: Any = tx._handle_dbapi_exception  # noqa: SLF001 - there is no public name for it
    handle(error, text, None, None, None)
    raise error
