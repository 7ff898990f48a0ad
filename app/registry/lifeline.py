"""How processes of one machine see that another of them is gone: a locked file for each term."""

import fcntl
import glob
import os
import re
from contextlib import suppress
from pathlib import Path

from app.domain.errors import RegistryUnavailable


class Lifeline:
    """A lock on a file of its own, which the operating system lets go when the process ends that leads.

    It says nothing about who leads, which the lease row does; it only spares the wait for the end of a term
    that nobody is left to use. A file that is missing says nothing at all.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path: Path | None = None
        self._file: int | None = None

    def has_ended(self, term: int, holder: str) -> bool:
        """Whether the process that holds this term is proved to be gone."""
        try:
            file = os.open(self._of(term, holder), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(file)
        return True

    def begin(self, term: int, holder: str) -> None:
        """Hold this term's lock from now on, and no other. Raises RegistryUnavailable where that fails."""
        self.end()
        path = self._of(term, holder)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._path = path
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.end()
            raise RegistryUnavailable(f"{path} cannot be written and locked: {error.strerror}.") from error

    def end(self) -> None:
        """Let go, and leave no file behind."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()
        if self._file is not None:
            os.close(self._file)
        self._path = self._file = None

    def clear(self, before: int) -> None:
        """Remove the files of earlier terms, which killed processes have left."""
        prefix = f"{self._database.name}-term-"
        for path in self._database.parent.glob(f"{glob.escape(prefix)}*"):
            number = path.name.removeprefix(prefix).partition("-")[0]
            if number.isdigit() and int(number) < before:
                with suppress(OSError):
                    path.unlink()

    def _of(self, term: int, holder: str) -> Path:
        name = re.sub(r"[^A-Za-z0-9.]", "-", holder)
        return self._database.with_name(f"{self._database.name}-term-{term}-{name}")
