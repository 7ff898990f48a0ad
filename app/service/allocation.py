"""Allocate and destroy: the two things a product asks for, answered without waiting for AWS."""

from app.domain.errors import PoolExhausted
from app.domain.model import Instance, InstanceId, PoolName, ProjectId
from app.ports import Claimed, Clock, Prober, Registry, Unproved, Waker
from app.service.readiness import FRESH


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
        them, they are asked now. Raises PoolExhausted where nothing is idle, or what is does not answer: the
        project then counts as demand for a short time.
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
        since = now - FRESH
        try:
            return self._registry.claim(
                self._pool, project, actor=actor, now=now, ready_since=since, last_try=False
            )
        except Unproved as doubt:
            asked = doubt.candidates
        ready = self._quick_prober.probe(asked)
        self._registry.note_probes(ready, asked.keys() - ready, now=now)
        return self._registry.claim(self._pool, project, actor=actor, now=now, ready_since=since)

    def destroy(self, instance: InstanceId, *, actor: str) -> Instance:
        """End an instance and the allocation on it: decided now and durably, done by AWS soon after.

        The same call again, while it is going away, answers the same. Raises InstanceNotFound.
        """
        ending = self._registry.destroy(instance, actor=actor, now=self._clock.now())
        self._waker.wake()
        return ending
