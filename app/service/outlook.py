"""What to tell those for whom there is no instance: when there may be one, and when to ask again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.estimate import estimated_wait
from app.domain.model import PoolName, ProjectId
from app.ports import Clock, Line, Prospect
from app.service.readiness import FRESH

SOONEST, LATEST = timedelta(seconds=1), timedelta(seconds=30)
"""When to ask again at the soonest, and at the latest: so long counts as demand who got nothing."""
HOLDS_FOR = 1.0
"""Seconds for which a look at the line is used: where many get nothing, there is not one for each."""


@dataclass(frozen=True, slots=True)
class _Glance:
    prospect: Prospect
    at: float
    asked_since: set[ProjectId] = field(default_factory=set)

    def ahead(self, project: ProjectId) -> int:
        """How many get an instance before: those before it in line, or all who stand there, ask or asked."""
        there, wanting = self.prospect.line, self.prospect.demand
        if project in there:
            before = there.index(project)
        else:
            others = sum(one not in wanting for one in self.asked_since.copy() if one != project)
            before = len(wanting) - (project in wanting) + others
        return max(0, before - self.prospect.ready)


class Outlook:
    """Estimates for those who got nothing, by how long the last launches took and by who wants one, too."""

    def __init__(self, line: Line, *, clock: Clock, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds that never jump."""
        self._line = line
        self._clock = clock
        self._monotonic = monotonic
        self._glances: dict[PoolName, _Glance] = {}

    def with_estimate(self, pool: PoolName, project: ProjectId, refused: PoolExhausted) -> PoolExhausted:
        """Return the refusal with how long it will take; as it is where nobody knows."""
        try:
            glance = self._glance(pool)
        except RegistryUnavailable:  # it answered a moment ago, and said all that matters
            return refused
        glance.asked_since.add(project)
        seen = glance.prospect
        estimate = estimated_wait(seen.measured, seen.booting, ahead=glance.ahead(project), more=seen.more)
        if estimate is None:
            return refused
        return PoolExhausted(
            f"{refused.detail} By the last launches, it takes about {ceil(estimate.total_seconds())} s.",
            retry_after=min(max(estimate, SOONEST), LATEST),
            estimated_wait=estimate,
        )

    def _glance(self, pool: PoolName) -> _Glance:
        glance, now = self._glances.get(pool), self._monotonic()
        if glance is None or now - glance.at >= HOLDS_FOR:
            prospect = self._line.prospect(pool, ready_since=self._clock.now() - FRESH)
            glance = self._glances[pool] = _Glance(prospect, now)
        return glance
