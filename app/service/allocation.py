"""Allocate, renew, release, destroy, hold: what a product asks for, answered without waiting for AWS."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from app.domain.errors import AllocatedElsewhere, PoolExhausted, PoolNotFound
from app.domain.model import (
    DEFAULT_POOL,
    Allocation,
    Instance,
    InstanceId,
    PoolName,
    ProjectId,
)
from app.domain.sight import Sight
from app.domain.terms import Terms, TermsPolicy
from app.ports import (
    AllocationOutcome,
    Claimed,
    Clock,
    HungUp,
    Line,
    Meter,
    Prober,
    Registry,
    RequestId,
    Unproved,
    Waker,
)
from app.service.outlook import Outlook
from app.service.readiness import FRESH
from app.service.waiting import Waiter, WaitingRoom

PATIENCE = timedelta(milliseconds=300)
"""How long a claim goes on asking instances."""
LOOKED_WITHIN = timedelta(minutes=5)
"""How old the last good look at AWS may be where nothing else speaks for an idle instance."""
AT_ONCE = timedelta()

log = structlog.get_logger()


class _Claim(Protocol):
    def __call__(self, *, request: RequestId | None = None) -> Claimed: ...


class Allocator:
    """Hands instances to projects, each out of the pool that is asked for, and ends them."""

    def __init__(
        self,
        *,
        quick_probers: Mapping[PoolName, Prober],
        terms: Mapping[PoolName, TermsPolicy],
        registry: Registry,
        waker: Waker,
        clock: Clock,
        line: Line,
        waiting_room: WaitingRoom,
        meter: Meter,
        monotonic: Callable[[], float],
    ) -> None:
        """Take for each pool a prober that answers within 300 ms: a claim may have to wait for it.

        `monotonic` returns seconds that never jump.
        """
        self._quick_probers = quick_probers
        self._terms = terms
        self._registry = registry
        self._waker = waker
        self._clock = clock
        self._waiting_room = waiting_room
        self._outlook = Outlook(line, clock=clock, monotonic=monotonic)
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
        confirm_within: timedelta | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Claimed:
        """Give the project its instance, the same at every call, and start the top-up at once.

        Out of `pool`, or of the default one where none is named; a project that holds one of another pool is
        given that where none is named, and AllocatedElsewhere is raised otherwise. A new allocation ends
        after `ttl` unless it is renewed, and after `confirm_within` unless it is confirmed, renewed or used;
        what its pool says counts where nothing is asked for. Raises PoolNotFound and TtlTooLong.

        Where no probe of the idle instances is recent, because nothing ran for a while that would probe
        them, they are asked now. Raises PoolExhausted where nothing is idle, or what is does not answer, or
        nobody has looked at AWS for long, and that stays so for the time of `wait` (see WaitingRoom): the
        project counts as demand meanwhile, and for a short time after. Not so once the client is `gone`,
        which is looked at while it waits, and where it is ready to also before anything is given to it: it
        then leaves neither a place in line nor an allocation.
        """
        source = self._known(pool)
        terms = self._terms[source].terms(ttl=ttl, confirm_within=confirm_within)
        wanted = (lambda: not gone()) if wait > AT_ONCE else (lambda: True)
        claim = partial(
            self._allocate,
            source,
            project,
            named=pool is not None,
            terms=terms,
            wanted=wanted,
            actor=actor,
        )
        waiter = partial(self._waiting_room.waiter, source, project, actor=actor, gone=gone)
        begun = self._monotonic()
        try:
            claimed = self._claim_or_wait(source, project, claim, wait, waiter)
        except PoolExhausted as refused:
            self._meter.allocated(source, AllocationOutcome.EMPTY, self._monotonic() - begun)
            if isinstance(refused, HungUp):
                raise
            raise self._outlook.with_estimate(source, project, refused) from refused
        self._meter.allocated(source, claimed.outcome, self._monotonic() - begun)
        return claimed

    def renew(
        self,
        project: ProjectId,
        ttl: timedelta | None,
        *,
        actor: str,
        only: InstanceId | None = None,
        expect: Sight | None = None,
    ) -> Allocation:
        """Have the project's allocation last `ttl` from now; None: until somebody ends it.

        That confirms it, too. Raises AllocationNotFound where it holds nothing, or another instance than the
        `only` one that is meant, TtlTooLong where its pool does not allow that, and with `expect`
        VersionChanged where what it holds is not as was shown.
        """
        now = self._clock.now()
        return self._registry.renew(
            project, ttl, policies=self._terms, only=only, expect=expect, actor=actor, now=now
        )

    def confirm(self, project: ProjectId, *, actor: str, only: InstanceId | None = None) -> Allocation:
        """Note that who got the instance says so; again, it changes nothing.

        Raises AllocationNotFound, also where the project holds another instance than the `only` one meant.
        """
        return self._registry.confirm(project, only=only, actor=actor, now=self._clock.now())

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
        held = self._registry.hold(instance, ttl=ttl, reason=reason, actor=actor, now=now)
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
        self,
        pool: PoolName,
        project: ProjectId,
        claim: _Claim,
        wait: timedelta,
        waiter: Callable[[], Waiter],
    ) -> Claimed:
        begun = self._monotonic()
        try:
            try:
                return claim()
            except HungUp:
                raise
            except PoolExhausted as refused:
                self._wake(pool)
                if wait <= AT_ONCE:
                    raise
                waits = waiter()
                claim = partial(claim, request=waits.request)
                return replace(self._waiting_room.wait(waits, wait, claim, refused), waited=True)
        except HungUp:
            self._wake(pool)  # an allocation may have ended with it, and demand has
            waited = round(self._monotonic() - begun, 1)
            log.info("request.abandoned", pool=pool, project=project, waited_seconds=waited)
            raise

    def _allocate(
        self,
        pool: PoolName,
        project: ProjectId,
        *,
        named: bool,
        terms: Terms,
        wanted: Callable[[], bool],
        actor: str,
        request: RequestId | None = None,
    ) -> Claimed:
        claim = partial(
            self._registry.claim, pool, project, actor=actor, terms=terms, request=request, wanted=wanted
        )
        claimed = self._claim(pool, claim)
        held = claimed.allocation
        if claimed.created:
            self._wake(pool)
        elif named and held.pool != pool:
            raise AllocatedElsewhere(
                f"'{project}' holds {held.instance} of pool '{held.pool}'. Release it first, or name that "
                "pool, or none."
            )
        return claimed

    def _claim(self, pool: PoolName, claim: Callable[..., Claimed]) -> Claimed:
        now = self._clock.now()
        claim = partial(claim, now=now)
        since = now - FRESH
        silent: set[InstanceId] = set()
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
