"""What to tell those for whom there is no instance: when there may be one, and when to ask again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.estimate import estimated_wait
from app.domain.model import PoolName
from app.ports import Clock, Line
from app.service.readiness import FRESH

SOONEST, LATEST = timedelta(seconds=1), timedelta(seconds=30)
"""When to ask again at the soonest, and at the latest: so long counts as demand who got nothing."""
HOLDS_FOR = 1.0
"""Seconds for which an estimate is told to all who ask: where many get nothing, it is not made for each."""


@dataclass(frozen=True, slots=True)
class _Told:
    estimate: timedelta | None
    at: float


class Outlook:
    """Estimates, for who stands at the end of a pool's line, by how long the last launches took."""

    def __init__(self, line: Line, *, clock: Clock, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds that never jump."""
        self._line = line
        self._clock = clock
        self._monotonic = monotonic
        self._told: dict[PoolName, _Told] = {}

    def with_estimate(self, pool: PoolName, refused: PoolExhausted) -> PoolExhausted:
        """Return the refusal with how long it will take; as it is where nobody knows."""
        try:
            estimate = self._estimate(pool)
        except RegistryUnavailable:  # it answered a moment ago, and said all that matters
            return refused
        if estimate is None:
            return refused
        return PoolExhausted(
            f"{refused.detail} By the last launches, it takes about {ceil(estimate.total_seconds())} s.",
            retry_after=min(max(estimate, SOONEST), LATEST),
            estimated_wait=estimate,
        )

    def _estimate(self, pool: PoolName) -> timedelta | None:
        told, now = self._told.get(pool), self._monotonic()
        if told is None or now - told.at >= HOLDS_FOR:
            there_is = self._line.prospect(pool, ready_since=self._clock.now() - FRESH)
            estimate = estimated_wait(
                there_is.measured, there_is.booting, ahead=there_is.ahead, more=there_is.more
            )
            told = self._told[pool] = _Told(estimate, now)
        return told.estimate
