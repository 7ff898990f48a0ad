"""Whose turn it is to run passes: a lock that the operating system or PostgreSQL ends with its holder."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import RegistryUnavailable

_LOCK = 7_305_411_824  # any number, but always this one: all processes of one database queue on it


class FileTurn:
    """The Turn port beside a SQLite database: a locked file, which only processes of this machine see."""

    def __init__(self, database: str) -> None:
        self._path = Path(f"{database}.poller")
        self._file: int | None = None

    def take(self) -> bool:
        """See Turn.take."""
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RegistryUnavailable(f"{self._path} cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def give_back(self) -> None:
        """See Turn.give_back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class AdvisoryTurn:
    """The Turn port on PostgreSQL: an advisory lock that lives as long as its connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> bool:
        """See Turn.take."""
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))  # a lost connection has lost the lock
                return True
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK})
            if taken.scalar_one():
                self._connection = connection
                return True
            connection.close()
        except SQLAlchemyError as error:
            self.give_back()
            raise RegistryUnavailable("The database did not answer as it should. Try again.") from error
        return False

    def give_back(self) -> None:
        """See Turn.give_back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()  # a pooled connection would keep the lock
                connection.close()


def turn_of(engine: Engine) -> FileTurn | AdvisoryTurn:
    """Choose the lock that fits the database."""
    if engine.dialect.name == "sqlite":
        return FileTurn((engine.url.database or "").removeprefix("file:"))
    return AdvisoryTurn(engine)
