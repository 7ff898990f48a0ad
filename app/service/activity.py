"""Asks allocated instances when they were last used, and ends what nobody uses any more."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

import structlog

from app.domain.model import EndReason, InstanceId, PoolName
from app.domain.terms import TermsPolicy
from app.ports import Activity, Heard, HeartbeatReader, Mandate, Meter

log = structlog.get_logger()

# All in seconds.
PERIOD = 30.0
"""How often an instance is asked: half of the minute in which code-server notes one use at most."""
SHORTEST_PERIOD = 1.0
SOON = 0.5
"""What is due so soon is asked now: the rounds are a second apart, more or less."""

MOST = 1000
"""How many are asked in one round at most: so many are asked in time although all hang."""
ENDED_AT_ONCE = 200
"""How many are ended in one round at most: the last one's heartbeat was heard a moment ago, too."""
DEAF = 120.0
"""How long one is kept that does not tell, where nobody else does: perhaps it is we who cannot ask."""


class UseWatch:
    """Watches the use of one pool's allocations in one term, beside the passes.

    An instance is asked soon after it was handed out, and then each PERIOD, or a quarter of the idle timeout
    where that is shorter; all of them spread over that time. What was learnt stands in the registry, so that
    nothing is lost with the term.
    """

    def __init__(
        self,
        *,
        pool: PoolName,
        terms: TermsPolicy,
        activity: Activity,
        reader: HeartbeatReader,
        mandate: Mandate,
        meter: Meter,
        monotonic: Callable[[], float],
    ) -> None:
        """`monotonic` returns seconds that never jump."""
        self._pool = pool
        self._terms = terms
        self._activity = activity
        self._reader = reader
        self._mandate = mandate
        self._meter = meter
        self._monotonic = monotonic
        self._period = _period(terms.idle_timeout)
        self._first = True
        self._due_at: dict[InstanceId, float] = {}
        """When each is to be asked."""
        self._heard_at: dict[InstanceId, float] = {}
        self._deaf_since: dict[InstanceId, float] = {}
        """When each was first asked by name, of those that did not tell when nobody did."""

    def round(self) -> bool:
        """Ask those whose turn it is, and end those that nobody uses; say whether anything ended.

        May raise RegistryUnavailable.
        """
        began = self._monotonic()
        where = self._activity.watched(self._pool)
        due = self._due(where, began)
        if not due:
            return False
        told = self._reader.read({one: where[one] for one in due})
        self._meter.heard(self._pool, told=len(told), silent=len(due) - len(told))
        if not self._mandate.trusted:  # asking takes its time
            return False
        now, before = self._monotonic(), self._heard_at
        heard = {
            one: Heard(heartbeat=heartbeat, unheard_for=timedelta(seconds=now - before.get(one, now)))
            for one, heartbeat in told.items()
        }
        over = self._activity.note(self._pool, heard, self._terms)
        self._heard_at.update(dict.fromkeys(told, began))
        return self._end(over, where)

    def look_at(self, some: Collection[InstanceId]) -> Collection[InstanceId]:
        """Ask these now, whosever turn it is, and keep what they tell. Safe beside a round.

        Returns those that have been looked at: what they told is kept, or they did not tell although others
        did, or for long. May raise RegistryUnavailable.
        """
        if not some:
            return ()
        where = self._activity.watched(self._pool)
        asked = {one: where[one] for one in some if one in where}
        told = self._reader.read(asked)
        heard = {one: Heard(heartbeat=heartbeat) for one, heartbeat in told.items()}
        kept = self._activity.note_each(self._pool, heard, self._terms)
        silent = [one for one in asked if one not in told]
        return {*kept, *(silent if told else self._long_silent(silent))}

    def _long_silent(self, silent: Collection[InstanceId]) -> Sequence[InstanceId]:
        """Choose those that have been silent for so long that it is they, and not we, as far as we know."""
        now = self._monotonic()
        # A little longer than they may be kept: who is not asked any more is forgotten.
        before = {one: at for one, at in self._deaf_since.items() if now - at < 2 * DEAF}
        self._deaf_since = {**before, **{one: before.get(one, now) for one in silent}}
        return [one for one in silent if now - self._deaf_since[one] >= DEAF]

    def _due(self, where: Mapping[InstanceId, tuple[str, int]], now: float) -> Sequence[InstanceId]:
        """Choose whom to ask, those first that are longest overdue; and when it is their turn again.

        Whoever was there before this term is spread over the first period, whoever comes later asked at once.
        """
        if self._first:
            step = self._period / max(1, len(where))
            self._due_at = {one: now + step * place for place, one in enumerate(where)}
            self._first = False
        self._due_at = {one: self._due_at.get(one, now) for one in where}
        self._heard_at = {one: at for one, at in self._heard_at.items() if one in where}
        due = sorted((at, one) for one, at in self._due_at.items() if at <= now + SOON)[:MOST]
        for at, one in due:
            following = at + self._period  # counted from when it was due, or those of one round stay together
            self._due_at[one] = following if following > now else now + self._period
        return [one for _, one in due]

    def _end(self, over: Sequence[InstanceId], where: Mapping[InstanceId, tuple[str, int]]) -> bool:
        """End those that still are silent when they are asked once more; the rest comes in the next round."""
        self._due_at.update(dict.fromkeys(over[ENDED_AT_ONCE:], self._monotonic()))
        last_word = self._reader.read({one: where[one] for one in over[:ENDED_AT_ONCE]})
        ended = 0
        for one, heartbeat in last_word.items():
            if not self._mandate.trusted:
                break
            if self._activity.end(one, heartbeat, self._terms):
                self._meter.ended(self._pool, EndReason.UNUSED)
                ended += 1
        if ended:
            log.info("activity.unused", pool=self._pool, ended=ended)
        return ended > 0


class NoWatch:
    """Watches nothing: for a pool whose instances cannot tell, and need not."""

    def round(self) -> bool:
        """Do nothing."""
        return False

    def look_at(self, some: Collection[InstanceId]) -> Collection[InstanceId]:
        """Do nothing: they cannot tell, so there is nothing to wait for."""
        return some


def _period(idle_timeout: timedelta | None) -> float:
    if idle_timeout is None:
        return PERIOD
    return min(PERIOD, max(SHORTEST_PERIOD, idle_timeout.total_seconds() / 4))
