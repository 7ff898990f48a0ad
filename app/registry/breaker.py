"""Sparing a database that cannot be reached, and all who would wait for it one after the other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from threading import Lock

from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import RegistryUnavailable
from app.registry.postgresql import unreachable

REST = 1.0
"""Seconds without an attempt, after one that did not reach the database."""


class Breaker:
    """Lets transactions through while the database can be reached, and else one at a time, after a rest.

    Without it a lost network would have every thread wait to its limit, again and again, and with them a
    request that needs no database. `monotonic` returns seconds that never jump.
    """

    def __init__(self, *, rest: float = REST, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rest = rest
        self._monotonic = monotonic
        self._lock = Lock()
        self._rests_until: float | None = None
        self._trying = False
        self._answered_at = -inf
        self._era = 0  # from one change of mind to the next: what began before it proves nothing any more
        self._last = ""

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Run one transaction; RegistryUnavailable, without an attempt, where it should be spared."""
        era = self._enter()
        try:
            yield
        except SQLAlchemyError as error:
            self._leave(era, error if unreachable(error) else None)
            raise
        except BaseException:
            self._leave(era, None)
            raise
        self._leave(era, None)

    def _enter(self) -> int:
        with self._lock:
            if self._rests_until is not None:
                if self._trying or self._monotonic() < self._rests_until:
                    raise RegistryUnavailable(
                        "The database cannot be reached. Try again."
                    ) from ConnectionError(self._last)
                self._trying = True
            return self._era

    def _leave(self, era: int, error: SQLAlchemyError | None) -> None:
        with self._lock:
            if era != self._era:
                return
            if error is None:
                self._answered_at = self._monotonic()
            elif self._rests_until is None and self._monotonic() - self._answered_at < self._rest:
                return  # others are answered: what failed is one connection, or there is no room for another
            if error is not None:
                self._rests_until = self._monotonic() + self._rest
                self._last = str(error).partition("\n")[0]
            elif self._rests_until is None:
                return
            else:
                self._rests_until = None
            self._trying = False
            self._era += 1
