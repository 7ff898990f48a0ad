"""Ends what has had its time: allocations and holds, by the clock that all replicas share."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import structlog

from app.domain.errors import RegistryUnavailable
from app.domain.model import EndReason, InstanceId, PoolName
from app.ports import Lifetimes, Mandate, Meter

log = structlog.get_logger()

AT_ONCE = 50
"""How many instances are asked together whether they are in use: few enough for the answers to be fresh."""
UNAVAILABLE = 3
"""How often one may be out of reach in one round: more of that is no locked row, but the database."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one round did."""

    announced: int = 0
    expired: int = 0
    unconfirmed: int = 0
    holds_ended: int = 0
    failed: int = 0
    """How many are left for the next round, because something was in the way."""

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
        see: Callable[[Collection[InstanceId]], Collection[InstanceId]],
        mandate: Mandate,
        meter: Meter,
    ) -> None:
        """`see` looks at once whether instances are in use, and has it noted: that confirms them, too.

        It returns those of which it has found out as much as can be: no other one is ended as unconfirmed.
        """
        self._pool = pool
        self._lifetimes = lifetimes
        self._see = see
        self._mandate = mandate
        self._meter = meter
        self._errors: list[Exception] = []
        """What went wrong in this round."""

    def round(self) -> bool:
        """Do what is due; say whether a pass has something to do for it.

        Where something is in the way of one, the others come nevertheless, and that one is tried again in
        the next round. Raises RegistryUnavailable where nothing could be done, and bugs after the rest.
        """
        self._errors = []
        due = self._lifetimes.due(self._pool)
        kept = Kept(
            holds_ended=self._each(due.holds, self._lifetimes.end_hold),
            announced=self._each(due.announcements, self._lifetimes.announce),
            expired=self._each(due.expired, self._lifetimes.expire, EndReason.EXPIRED),
            unconfirmed=self._end_unconfirmed(due.unconfirmed),
        )
        kept = replace(kept, failed=len(self._errors))
        if kept != Kept():
            log.info(
                "limits.kept",
                pool=self._pool,
                announced=kept.announced,
                expired=kept.expired,
                unconfirmed=kept.unconfirmed,
                holds_ended=kept.holds_ended,
                failed=kept.failed,
            )
        for error in self._errors:
            if not isinstance(error, RegistryUnavailable) or kept == Kept(failed=kept.failed):
                raise error
        return kept.ended

    def _end_unconfirmed(self, due: Sequence[InstanceId]) -> int:
        ended = 0
        for start in range(0, len(due), AT_ONCE):
            some = due[start : start + AT_ONCE]
            if self._may_not_go_on:
                break
            try:
                seen = set(self._see(some))
            except Exception as error:  # noqa: BLE001 - raised when the rest is done
                self._errors.append(error)
                continue
            looked_at = [one for one in some if one in seen]
            ended += self._each(looked_at, self._lifetimes.end_unconfirmed, EndReason.UNCONFIRMED)
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
            if self._may_not_go_on:
                break
            try:
                did = do(instance)
            except Exception as error:  # noqa: BLE001 - raised when the rest is done
                self._errors.append(error)
                continue
            if did:
                done += 1
                if reason is not None:
                    self._meter.ended(self._pool, reason)
        return done

    @property
    def _may_not_go_on(self) -> bool:
        """Whether another one may lead by now, and does the rest, or the database is away."""
        away = sum(isinstance(error, RegistryUnavailable) for error in self._errors)
        return not self._mandate.trusted or away >= UNAVAILABLE
