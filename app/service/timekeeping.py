"""Ends what has had its time: allocations and holds, by the clock that all replicas share."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from app.domain.model import EndReason, InstanceId, PoolName
from app.ports import Lifetimes, Mandate, Meter

log = structlog.get_logger()

AT_ONCE = 50
"""How many instances are asked together whether they are in use: few enough for the answers to be fresh."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one round did."""

    announced: int = 0
    expired: int = 0
    unconfirmed: int = 0
    holds_ended: int = 0

    @property
    def ended(self) -> bool:
        """Whether there is something to do for a pass."""
        return bool(self.expired or self.unconfirmed or self.holds_ended)


class Timekeeper:
    """Looks after the time limits of one pool while this replica leads, beside the passes: AWS is not asked.

    Two leaders at once, which a long pause of one can make, do no harm: each step is judged again in its
    transaction, by the database's clock.
    """

    def __init__(
        self,
        pool: PoolName,
        *,
        lifetimes: Lifetimes,
        see: Callable[[Collection[InstanceId]], None],
        mandate: Mandate,
        meter: Meter,
    ) -> None:
        """`see` looks at once whether instances are in use, and has it noted: that confirms them, too."""
        self._pool = pool
        self._lifetimes = lifetimes
        self._see = see
        self._mandate = mandate
        self._meter = meter

    def round(self) -> bool:
        """Do what is due; say whether a pass has something to do for it. Raises RegistryUnavailable."""
        due = self._lifetimes.due(self._pool)
        kept = Kept(
            holds_ended=self._each(due.holds, self._lifetimes.end_hold),
            announced=self._each(due.announcements, self._lifetimes.announce),
            expired=self._each(due.expired, self._lifetimes.expire, EndReason.EXPIRED),
            unconfirmed=self._end_unconfirmed(due.unconfirmed),
        )
        if kept != Kept():
            log.info(
                "limits.kept",
                pool=self._pool,
                announced=kept.announced,
                expired=kept.expired,
                unconfirmed=kept.unconfirmed,
                holds_ended=kept.holds_ended,
            )
        return kept.ended

    def _end_unconfirmed(self, due: Sequence[InstanceId]) -> int:
        ended = 0
        for start in range(0, len(due), AT_ONCE):
            some = due[start : start + AT_ONCE]
            self._see(some)
            ended += self._each(some, self._lifetimes.end_unconfirmed, EndReason.UNCONFIRMED)
        return ended

    def _each(
        self,
        some: Sequence[InstanceId],
        do: Callable[[InstanceId], bool],
        reason: EndReason | None = None,
    ) -> int:
        """Do it for each, and count those for which it was so."""
        done = 0
        for instance in some:
            if not self._mandate.trusted:  # another one may lead by now, and does the rest
                break
            if do(instance):
                done += 1
                if reason is not None:
                    self._meter.ended(self._pool, reason)
        return done
