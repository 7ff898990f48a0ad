"""What the pools looked like over the last hours."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.history import Sample
from app.domain.model import PoolName


class History(Protocol):
    """Keeps samples of the pools, and forgets them when they are old. May raise RegistryUnavailable."""

    def note(self, samples: Iterable[Sample]) -> None:
        """Keep samples, and forget all that are older by KEPT than the youngest of these.

        Where a pool has one in the same grain of time, that stays as it is.
        """
        ...

    def since(self, pool: PoolName, start: datetime, *, step: timedelta) -> Sequence[Sample]:
        """Return the pool's samples from `start` on, oldest first; those of one `step` are put into one.

        That has the least of their idle and buffer, and the most of the others: a short dip stays visible.
        Its `at` is where the step begins. A step without samples is left out. `step` is a whole number of
        GRAINs.
        """
        ...
