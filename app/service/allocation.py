"""Allocate and destroy: the two things a product asks for, answered without waiting for AWS."""

from app.domain.errors import PoolExhausted
from app.domain.model import Instance, InstanceId, PoolName, ProjectId
from app.ports import Claimed, Clock, Registry, Waker


class Allocator:
    """Hands instances of one pool to projects, and ends them."""

    def __init__(self, *, pool: PoolName, registry: Registry, waker: Waker, clock: Clock) -> None:
        self._pool = pool
        self._registry = registry
        self._waker = waker
        self._clock = clock

    def allocate(self, project: ProjectId, *, actor: str) -> Claimed:
        """Give the project its instance, the same at every call, and start the top-up at once.

        Raises PoolExhausted where nothing is idle: the project then counts as demand for a short time.
        """
        try:
            claimed = self._registry.claim(self._pool, project, actor=actor, now=self._clock.now())
        except PoolExhausted:
            self._waker.wake()
            raise
        if claimed.created:
            self._waker.wake()
        return claimed

    def destroy(self, instance: InstanceId, *, actor: str) -> Instance:
        """End an instance and the allocation on it: decided now and durably, done by AWS soon after.

        The same call again, while it is going away, answers the same. Raises InstanceNotFound.
        """
        ending = self._registry.destroy(instance, actor=actor, now=self._clock.now())
        self._waker.wake()
        return ending
