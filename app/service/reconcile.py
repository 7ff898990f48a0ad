"""One pass: observe, plan, apply. Repeatable at any line: each step says what it expects to find."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from app.domain.errors import CloudError, Denied, OutcomeUnknown
from app.domain.model import (
    InstanceId,
    InstanceState,
    Limit,
    Notice,
    Observation,
    Policy,
    PoolView,
    SeenInstance,
)
from app.domain.plan import (
    Action,
    Change,
    Discover,
    Known,
    MarkIdle,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Plan,
    RaiseDesired,
    Record,
    TagAllocation,
    Terminate,
    Withdraw,
    boots,
    conclude_boots,
    plan,
)
from app.ports import Clock, Cloud, Prober, Registry, TerminateOutcome

log = structlog.get_logger()

MOVING = frozenset({InstanceState.BOOTING, InstanceState.TERMINATING})
SHOWS_WITHIN = timedelta(seconds=30)
"""How long a raised desired capacity may take to show as new members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """What the poller needs to know of a pass to choose when the next one is due."""

    changed: bool
    """Something was done, so there may be more to do at once."""
    unsettled: bool
    """Instances are on their way in or out: look again soon."""


class Reconciler:
    """Brings one pool from what is seen to what is wanted, a pass at a time; never two at once."""

    def __init__(
        self, *, policy: Policy, registry: Registry, cloud: Cloud, prober: Prober, clock: Clock
    ) -> None:
        self._policy = policy
        self._registry = registry
        self._cloud = cloud
        self._prober = prober
        self._clock = clock
        self._denied: dict[type[Action], Notice] = {}
        self._raised_at: datetime | None = None
        self._booting: tuple[SeenInstance, ...] = ()

    def tick(self) -> PassReport:
        """Run one pass. A failing action does not stop the others; a failing look stops the pass."""
        started = self._clock.now()
        pool = self._policy.pool
        known = self._registry.instances(
            pool
        )  # before AWS: what is missing from the later look is really gone
        waiting = self._registry.waiting(pool, now=started)
        try:
            seen = self._cloud.observe(known.keys())
        except CloudError as error:
            self._booting = ()
            return self._failed(error)
        todo = plan(seen, known, waiting, self._policy, self._clock.now())
        allowed = [action for action in todo.actions if type(action) not in self._denied]
        failures = self._apply_all(allowed)
        self._record(seen, todo, failures)
        after = self._registry.instances(pool) if allowed else known
        self._booting = boots(seen, after)
        self._tell(seen, todo, after, waiting)
        return PassReport(changed=len(failures) < len(allowed), unsettled=self._unsettled(seen, after))

    def settle_boots(self) -> bool:
        """Probe what the last pass saw booting: offer what is ready, replace what is overdue.

        Apart from the passes, so that instances which hang delay no top-up. Says whether anything changed.
        """
        booting = self._booting
        if not booting:
            return False
        ready = self._prober.probe(
            {
                look.id: (look.address, look.port or self._policy.port)
                for look in booting
                if look.serviceable and look.address is not None
            }
        )
        known = self._registry.instances(self._policy.pool)
        actions = tuple(conclude_boots(booting, known, ready, self._policy, self._clock.now()))
        for action in actions:
            self._apply(action)
        settled = {action.instance for action in actions}
        self._booting = tuple(look for look in self._booting if look.id not in settled)
        return bool(actions)

    def _apply_all(self, actions: Iterable[Action]) -> dict[Action, CloudError]:
        failures: dict[Action, CloudError] = {}
        for action in actions:
            try:
                self._apply(action)
            except Denied as error:
                failures[action] = error
                if isinstance(action, TagAllocation):  # nice to have: we go on without, and say so
                    self._denied[type(action)] = _notice(error)
                log.warning("action.denied", action=type(action).__name__, detail=error.detail)
            except CloudError as error:
                failures[action] = error
                log.warning(
                    "action.failed", action=type(action).__name__, code=error.code, detail=error.detail
                )
        return failures

    def _apply(self, action: Action) -> None:
        match action:
            case Terminate() | TagAllocation() | RaiseDesired():
                self._change(action)
            case _:
                self._note(action)

    def _note(self, action: Record) -> None:
        now, registry = self._clock.now(), self._registry
        match action:
            case Discover(seen):
                registry.discover(self._policy.pool, seen, now=now)
            case MarkIdle(instance, address, port):
                registry.mark_idle(instance, address, port, now=now)
            case Withdraw(instance):
                registry.withdraw(instance, now=now)
            case MarkInService(instance, since):
                registry.mark_in_service(instance, since)
            case MarkMissing(instance, since):
                registry.mark_missing(instance, since)
            case MarkTerminating(instance, expect, reason):
                registry.end(instance, expect=expect, to=InstanceState.TERMINATING, reason=reason, now=now)
            case MarkTerminated(instance, expect, reason):
                registry.end(instance, expect=expect, to=InstanceState.TERMINATED, reason=reason, now=now)
            case _:
                assert_never(action)

    def _change(self, action: Change) -> None:
        match action:
            case Terminate(instance):
                self._terminate(instance)
            case TagAllocation(instance, project, allocated_at):
                self._cloud.tag_allocation(instance, project, allocated_at)
                self._registry.mark_tagged(instance, project)
            case RaiseDesired(current, target):
                self._cloud.raise_desired(target)
                self._raised_at = self._clock.now()
                reason = f"from {current} to {target}"
                self._registry.note_capacity(self._policy.pool, reason, now=self._raised_at)
            case _:
                assert_never(action)

    def _terminate(self, instance: InstanceId) -> None:
        """Ask AWS once. The call is noted before it is made: after a crash here it counts as in doubt."""
        self._registry.note_terminate_call(instance, self._clock.now())
        try:
            outcome = self._cloud.terminate(instance)
        except OutcomeUnknown:
            raise
        except CloudError:
            self._registry.note_terminate_call(instance, None)
            raise
        if outcome is TerminateOutcome.BUSY:
            self._registry.note_terminate_call(instance, None)

    def _record(self, seen: Observation, todo: Plan, failures: dict[Action, CloudError]) -> None:
        now = self._clock.now()
        stuck = any(isinstance(action, RaiseDesired) for action in failures)
        self._registry.record_view(
            PoolView(
                pool=self._policy.pool,
                group=seen.group,
                limited_by=Limit.AWS_ERRORS if stuck else todo.sizing.limited_by,
                notices=(
                    *todo.notices,
                    *dict.fromkeys((*self._denied.values(), *map(_notice, failures.values()))),
                ),
                last_pass_at=now,
                last_attempt_at=now,
            )
        )

    def _failed(self, error: CloudError) -> PassReport:
        """Keep the last view, with its age, and say what is wrong."""
        last = self._registry.view(self._policy.pool)
        self._registry.record_view(
            replace(
                last,
                limited_by=Limit.AWS_ERRORS,
                notices=(_notice(error),),
                last_attempt_at=self._clock.now(),
            )
        )
        log.warning("pass.failed", pool=self._policy.pool, code=error.code, detail=error.detail)
        return PassReport(changed=False, unsettled=False)

    def _unsettled(self, seen: Observation, after: Known) -> bool:
        """Whether to look again soon. What is stuck for long is no reason: AWS's calls are not for free."""
        now = self._clock.now()
        members = sum(look.member and not look.leaving for look in seen.instances.values())
        raised = self._raised_at is not None and now - self._raised_at < SHOWS_WITHIN
        return (raised and members < (seen.group.desired or 0)) or any(
            instance.state in MOVING and now - instance.state_since < self._policy.boot_timeout
            for instance in after.values()
        )

    def _tell(self, seen: Observation, todo: Plan, after: Known, waiting: int) -> None:
        count = _counter(after)
        sizing = todo.sizing
        log.info(
            "pass.finished",
            pool=self._policy.pool,
            found=sum(look.member for look in seen.instances.values()),
            idle=count(InstanceState.IDLE),
            used=count(InstanceState.ALLOCATED),
            booting=count(InstanceState.BOOTING),
            terminating=count(InstanceState.TERMINATING),
            waiting=waiting,
            desired=sizing.current,
            scaling=f"{sizing.current} -> {sizing.target}" if sizing.target > sizing.current else None,
            limited_by=sizing.limited_by.value if sizing.limited_by else None,
            actions=len(todo.actions),
        )


def _counter(instances: Known) -> Callable[[InstanceState], int]:
    return lambda state: sum(instance.state is state for instance in instances.values())


def _notice(error: CloudError) -> Notice:
    return Notice(code=error.code, detail=error.detail)
