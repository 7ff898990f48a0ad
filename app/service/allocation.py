"""Allocate and destroy: the two things a product asks for, answered without waiting for AWS."""

from datetime import datetime, timedelta
from functools import partial

from app.domain.errors import PoolExhausted
from app.domain.model import Instance, InstanceId, PoolName, ProjectId
from app.ports import Claimed, Clock, Prober, Registry, Unproved, Waker
from app.service.readiness import FRESH

PATIENCE = timedelta(milliseconds=300)
"""How long a claim goes on asking instances."""
LOOKED_WITHIN = timedelta(minutes=5)
"""How old the last good look at AWS may be where nothing else speaks for an idle instance."""


class Allocator:
    """Hands instances of one pool to projects, and ends them."""

    def __init__(
        self,
        *,
        pool: PoolName,
        registry: Registry,
        quick_prober: Prober,
        waker: Waker,
        clock: Clock,
    ) -> None:
        """Take a `quick_prober` that answers within 300 ms: a claim may have to wait for it."""
        self._pool = pool
        self._registry = registry
        self._quick_prober = quick_prober
        self._waker = waker
        self._clock = clock

    def allocate(self, project: ProjectId, *, actor: str) -> Claimed:
        """Give the project its instance, the same at every call, and start the top-up at once.

        Where no probe of the idle instances is recent, because nothing ran for a while that would probe
        them, they are asked now. Raises PoolExhausted where nothing is idle, or what is does not answer, or
        nobody has looked at AWS for long: the project then counts as demand for a short time.
        """
        try:
            claimed = self._claim(project, actor=actor)
        except PoolExhausted:
            self._waker.wake()
            raise
        if claimed.created:
            self._waker.wake()
        return claimed

    def _claim(self, project: ProjectId, *, actor: str) -> Claimed:
        now = self._clock.now()
        claim = partial(self._registry.claim, self._pool, project, actor=actor, now=now)
        since, silent = now - FRESH, set[InstanceId]()
        while self._clock.now() - now <= PATIENCE:
            try:
                return claim(ready_since=since, last_try=False)
            except Unproved as doubt:
                candidates = {one: doubt.candidates[one] for one in doubt.candidates.keys() - silent}
            if not candidates or not self._looked_lately(now):
                break
            # What answered before and is named again is being noted by another claim: it is asked once more.
            ready = self._quick_prober.probe(candidates)
            self._registry.note_probes(ready, candidates.keys() - ready, now=now)
            silent |= candidates.keys() - ready
        return claim(ready_since=since)

    def _looked_lately(self, now: datetime) -> bool:
        """Whether a pass has looked at AWS not long ago.

        After a longer stop an address may be another instance's by now, and what the database calls idle may
        be in use, if it is an old copy: no probe can tell. The first pass, a moment after the start, does.
        """
        seen_at = self._registry.view(self._pool).last_pass_at
        return seen_at is not None and now - seen_at <= LOOKED_WITHIN

    def destroy(self, instance: InstanceId, *, actor: str) -> Instance:
        """End an instance and the allocation on it: decided now and durably, done by AWS soon after.

        The same call again, while it is going away, answers the same. Raises InstanceNotFound.
        """
        ending = self._registry.destroy(instance, actor=actor, now=self._clock.now())
        self._waker.wake()
        return ending
