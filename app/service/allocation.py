"""Allocate, renew, release, destroy, hold: what a product asks for, answered without waiting for AWS."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from app.domain.errors import AllocatedElsewhere, PoolExhausted, PoolNotFound
from app.domain.model import (
    DEFAULT_POOL,
    Allocation,
    Instance,
    InstanceId,
    InstanceState,
    PoolName,
    ProjectId,
)
from app.domain.sight import Sight
from app.ports import AllocationOutcome, Claimed, Clock, Meter, Prober, Registry, Unproved, Waker
from app.service.readiness import FRESH
from app.service.waiting import Supply, WaitingRoom

PATIENCE = timedelta(milliseconds=300)
"""How long a claim goes on asking instances."""
LOOKED_WITHIN = timedelta(minutes=5)
"""How old the last good look at AWS may be where nothing else speaks for an idle instance."""
AT_ONCE = timedelta()


class Allocator:
    """Hands instances to projects, each out of the pool that is asked for, and ends them."""

    def __init__(
        self,
        *,
        quick_probers: Mapping[PoolName, Prober],
        registry: Registry,
        waker: Waker,
        clock: Clock,
        waiting_room: WaitingRoom,
        meter: Meter,
        monotonic: Callable[[], float],
    ) -> None:
        """Take for each pool a prober that answers within 300 ms: a claim may have to wait for it.

        `monotonic` returns seconds that never jump.
        """
        self._quick_probers = quick_probers
        self._registry = registry
        self._waker = waker
        self._clock = clock
        self._waiting_room = waiting_room
        self._meter = meter
        self._monotonic = monotonic

    def allocate(
        self,
        project: ProjectId,
        *,
        actor: str,
        pool: PoolName | None = None,
        wait: timedelta = AT_ONCE,
        ttl: timedelta | None = None,
    ) -> Claimed:
        """Give the project its instance, the same at every call, and start the top-up at once.

        Out of `pool`, or of the default one where none is named; a project that holds one of another pool is
        given that where none is named, and AllocatedElsewhere is raised otherwise. A new allocation ends
        after `ttl` unless it is renewed. Raises PoolNotFound.

        Where no probe of the idle instances is recent, because nothing ran for a while that would probe
        them, they are asked now. Raises PoolExhausted where nothing is idle, or what is does not answer, or
        nobody has looked at AWS for long, and that stays so for the time of `wait` (see WaitingRoom): the
        project counts as demand meanwhile, and for a short time after.
        """
        source = self._known(pool)
        claim = partial(self._allocate, source, project, named=pool is not None, ttl=ttl, actor=actor)
        begun = self._monotonic()
        try:
            claimed = self._claim_or_wait(source, project, claim, wait)
        except PoolExhausted:
            self._meter.allocated(source, AllocationOutcome.EMPTY, self._monotonic() - begun)
            raise
        self._meter.allocated(source, claimed.outcome, self._monotonic() - begun)
        return claimed

    def renew(self, project: ProjectId, ttl: timedelta | None, *, actor: str) -> Allocation:
        """Have the project's allocation last `ttl` from now; None: until somebody ends it.

        Raises AllocationNotFound.
        """
        now = self._clock.now()
        expires_at = None if ttl is None else now + ttl
        return self._registry.renew(project, expires_at, actor=actor, now=now)

    def release(self, project: ProjectId, *, actor: str, expect: Sight | None = None) -> Allocation:
        """End the project's allocation and its instance, as `destroy` does.

        Raises AllocationNotFound, and with `expect` VersionChanged where what it holds is not as was shown.
        """
        ended = self._registry.release(project, expect=expect, actor=actor, now=self._clock.now())
        self._wake(ended.pool)
        return ended

    def destroy(self, instance: InstanceId, *, actor: str, expect: Sight | None = None) -> Instance:
        """End an instance and the allocation on it: decided now and durably, done by AWS soon after.

        The same call again, while it is going away, answers the same. Raises InstanceNotFound, and with
        `expect` VersionChanged where it is not as was shown.
        """
        ending = self._registry.destroy(instance, expect=expect, actor=actor, now=self._clock.now())
        self._wake(ending.pool)
        return ending

    def hold(
        self,
        instance: InstanceId,
        *,
        actor: str,
        ttl: timedelta | None = None,
        reason: str | None = None,
    ) -> Instance:
        """Hold an instance for inspection, for `ttl` or until somebody ends it, and make up for its place.

        It is neither handed out nor ended by us meanwhile. Raises InstanceNotFound and HoldTooLate.
        """
        now = self._clock.now()
        until = None if ttl is None else now + ttl
        held = self._registry.hold(instance, until=until, reason=reason, actor=actor, now=now)
        self._wake(held.pool)
        return held

    def unhold(self, instance: InstanceId, *, actor: str, expect: Sight | None = None) -> Instance:
        """End a hold; what was put off by it is done now.

        Raises InstanceNotFound, and with `expect` VersionChanged where it is not as was shown.
        """
        free = self._registry.unhold(instance, expect=expect, actor=actor, now=self._clock.now())
        self._wake(free.pool)
        return free

    def _known(self, pool: PoolName | None) -> PoolName:
        """Say which pool is meant, or raise PoolNotFound."""
        source = DEFAULT_POOL if pool is None else pool
        if source not in self._quick_probers:
            there_are = ", ".join(sorted(self._quick_probers))
            raise PoolNotFound(f"There is no pool '{source}'. There are: {there_are}.")
        return source

    def _wake(self, pool: PoolName) -> None:
        """Ask for a pass, unless nobody here looks after the pool: it was taken out of the settings."""
        if pool in self._quick_probers:
            self._waker.wake(pool)

    def _claim_or_wait(
        self, pool: PoolName, project: ProjectId, claim: Callable[[], Claimed], wait: timedelta
    ) -> Claimed:
        try:
            return claim()
        except PoolExhausted as refused:
            self._wake(pool)
            if wait <= AT_ONCE:
                raise
            look = partial(self._supply, pool)
            return replace(self._waiting_room.wait(pool, project, wait, look, claim, refused), waited=True)

    def _allocate(
        self, pool: PoolName, project: ProjectId, *, named: bool, ttl: timedelta | None, actor: str
    ) -> Claimed:
        claimed = self._claim(pool, project, ttl=ttl, actor=actor)
        if not claimed.created and self._is_over(claimed.allocation):
            claimed = self._claim(pool, project, ttl=ttl, actor=actor)
        held = claimed.allocation
        if claimed.created:
            self._wake(pool)
        elif named and held.pool != pool:
            raise AllocatedElsewhere(
                f"'{project}' holds {held.instance} of pool '{held.pool}'. Release it first, or name that "
                "pool, or none."
            )
        return claimed

    def _is_over(self, held: Allocation) -> bool:
        """End an allocation whose time is over, though no pass has found it yet: nobody is to start on it."""
        now = self._clock.now()
        if held.expires_at is None or held.expires_at > now:
            return False
        over = self._registry.expire(held.instance, now=now)
        if over:
            self._wake(held.pool)
        return over

    def _claim(self, pool: PoolName, project: ProjectId, *, ttl: timedelta | None, actor: str) -> Claimed:
        now = self._clock.now()
        expires_at = None if ttl is None else now + ttl
        claim = partial(self._registry.claim, pool, project, actor=actor, now=now, expires_at=expires_at)
        since, silent = now - FRESH, set[InstanceId]()
        while self._clock.now() - now <= PATIENCE:
            try:
                return claim(ready_since=since, last_try=False)
            except Unproved as doubt:
                candidates = {one: doubt.candidates[one] for one in doubt.candidates.keys() - silent}
            if not candidates or not self._looked_lately(pool, now):
                break
            # What answered before and is named again is being noted by another claim: it is asked once more.
            ready = self._quick_probers[pool].probe(candidates)
            self._registry.note_probes(ready, candidates.keys() - ready, now=now)
            silent |= candidates.keys() - ready
        return claim(ready_since=since)

    def _looked_lately(self, pool: PoolName, now: datetime) -> bool:
        """Whether a pass has looked at AWS not long ago.

        After a longer stop an address may be another instance's by now, and what the database calls idle may
        be in use, if it is an old copy: no probe can tell. The first pass, a moment after the start, does.
        """
        seen_at = self._registry.view(pool).last_pass_at
        return seen_at is not None and now - seen_at <= LOOKED_WITHIN

    def _supply(self, pool: PoolName) -> Supply:
        """Count what a claim could get, without making one."""
        since = self._clock.now() - FRESH
        idle = self._registry.instances(pool, {InstanceState.IDLE}).values()
        free = [one for one in idle if not one.held]
        ready = sum(one.ready_at is not None and one.ready_at >= since for one in free)
        return Supply(ready=ready, doubtful=len(free) - ready)
