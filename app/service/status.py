"""What an operator asks first: how many are idle, who holds what, and what is in the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from app.domain.errors import RegistryUnavailable
from app.domain.model import Instance, InstanceState, Notice, PoolName, PoolView
from app.ports import Clock, Lease, Leases, Registry

MISSED_PASSES = 6
"""After so many poll intervals without a good pass, the service is not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who answers, who leads, and how well the pool is looked after."""

    replica: str
    """The process that answers."""
    leader: Lease | None
    """None while nobody leads, or where the registry cannot tell."""
    pass_age: timedelta | None
    """Since the last good pass; None where there was none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One pool at one moment."""

    view: PoolView
    buffer: int
    instances: Sequence[Instance]
    duty: Duty

    def count(self, state: InstanceState) -> int:
        """Count the instances in one state."""
        return sum(instance.state is state for instance in self.instances)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so for the service to be ready."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the service can do its work, and who does it."""

    checks: tuple[Check, ...]
    duty: Duty


class StatusReader:
    """Reads the registry, never AWS: an answer costs AWS nothing, and comes also while AWS is away."""

    def __init__(
        self,
        *,
        pool: PoolName,
        buffer: int,
        poll_interval: timedelta,
        registry: Registry,
        leases: Leases,
        replica: str,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._buffer = buffer
        self._patience = MISSED_PASSES * poll_interval
        self._registry = registry
        self._leases = leases
        self._replica = replica
        self._clock = clock

    def status(self) -> Status:
        """Tell the pool's figures and every instance that is not terminated, the oldest state first."""
        found = self._registry.instances(self._pool).values()
        view = self._registry.view(self._pool)
        duty = self._duty(view)
        if not self._pass_check(view).passed:
            view = replace(view, notices=(self._no_pass(view), *view.notices))
        return Status(
            view=view,
            buffer=self._buffer,
            instances=sorted(found, key=lambda instance: (instance.state_since, instance.id)),
            duty=duty,
        )

    def health(self) -> Health:
        """Say for each thing that readiness needs whether it is so, and why not."""
        try:
            view = self._registry.view(self._pool)
            duty = self._duty(view)
        except RegistryUnavailable as error:
            nobody = Duty(replica=self._replica, leader=None, pass_age=None)
            return Health((Check("registry", passed=False, detail=error.detail),), nobody)
        return Health((Check("registry", passed=True, detail="answers"), self._pass_check(view)), duty)

    def _duty(self, view: PoolView) -> Duty:
        return Duty(replica=self._replica, leader=self._leases.leader(), pass_age=self._age(view))

    def _age(self, view: PoolView) -> timedelta | None:
        if view.last_pass_at is None:
            return None
        return max(timedelta(), self._clock.now() - view.last_pass_at)

    def _no_pass(self, view: PoolView) -> Notice:
        said = self._pass_check(view).detail
        return Notice(
            code="no-pass",
            detail=f"Nobody looks after the pool: {said}. What stands here may be old, and the buffer "
            "is not filled up: does a poller run, and does AWS answer?",
        )

    def _pass_check(self, view: PoolView) -> Check:
        age = self._age(view)
        if age is None:
            return Check("pass", passed=False, detail="no pass has succeeded yet")
        detail = f"last success {age.total_seconds():.0f} s ago"
        return Check("pass", passed=age <= self._patience, detail=detail)
