"""What the pools looked like over the last hours."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.history import Sample
from app.domain.model import PoolName


class History(Protocol):
    """Keeps samples of the pools, and forgets them when they are old, by the database's clock.

    Each method may raise RegistryUnavailable.
    """

    def note(self, samples: Iterable[Sample]) -> None:
        """Keep samples, and forget all that are as old as KEPT.

        Where a pool has one in the same grain of time, that stays as it is. There are none of times to come:
        a sample that says so, from a process whose clock is ahead, is kept as one of now.
        """
        ...

    def since(self, pool: PoolName, start: datetime, *, step: timedelta) -> Sequence[Sample]:
        """Return the pool's samples from `start` on, oldest first; those of one `step` are put into one.

        That has the least of their idle and buffer, and the most of the others: a short dip stays visible.
        Its `at` is where the step begins. A step without samples is left out. `step` is a whole number of
        GRAINs.
        """
        ...

    def short_since(self, pool: PoolName) -> datetime | None:
        """Return the pool's first sample since which each has had fewer idle than the buffer.

        None where the newest has as many, or there is none.
        """
        ...
