"""One pass: observe, plan, apply. Repeatable at any line: each step says what it expects to find."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
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
ASK_AGAIN = timedelta(minutes=5)
"""After how long a permission that was denied is tried again."""


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
        self._untagged: tuple[datetime, Notice] | None = None
        self._raised: _Raised | None = None
        self._booting: tuple[SeenInstance, ...] = ()

    def tick(self) -> PassReport:
        """Run one pass. A failing action does not stop the others; a failing look stops the pass."""
        started = self._clock.now()
        pool = self._policy.pool
        # The registry before AWS: what is missing from the later look is really gone.
        known = self._registry.instances(pool)
        waiting = self._registry.waiting(pool, now=started)
        try:
            seen = self._cloud.observe(known.keys())
        except CloudError as error:
            self._booting = ()
            return self._failed(error)
        strangers = [look.id for look in seen.instances.values() if look.member and look.id not in known]
        known = {**known, **self._registry.terminated(strangers)}
        todo = plan(seen, known, waiting, self._policy, self._clock.now())
        outcome = self._apply_all(todo.actions)
        self._record(seen, todo, outcome)
        after = self._registry.instances(pool)
        self._booting = boots(seen, after)
        self._tell(seen, todo, outcome, after, waiting)
        return PassReport(changed=outcome.changed, unsettled=self._unsettled(seen, after))

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

    def _apply_all(self, actions: Iterable[Action]) -> "_Outcome":
        outcome = _Outcome()
        for action in actions:
            if isinstance(action, TagAllocation) and self._goes_untagged(outcome):
                continue
            try:
                outcome.changed |= self._apply(action)
            except CloudError as error:
                outcome.failures[action] = error
                if isinstance(action, TagAllocation) and isinstance(error, Denied):
                    self._untagged = (self._clock.now(), _notice(error))
                log.warning(
                    "action.failed", action=type(action).__name__, code=error.code, detail=error.detail
                )
        return outcome

    def _goes_untagged(self, outcome: "_Outcome") -> bool:
        """Whether tags are left for later: they are nice to have, and must not hold up anything else."""
        if self._untagged is not None and self._clock.now() - self._untagged[0] >= ASK_AGAIN:
            self._untagged = None
        return self._untagged is not None or any(isinstance(one, TagAllocation) for one in outcome.failures)

    def _apply(self, action: Action) -> bool:
        """Do it, and say whether it made a difference."""
        match action:
            case Terminate() | TagAllocation() | RaiseDesired():
                return self._change(action)
            case _:
                return self._note(action)

    def _note(self, action: Record) -> bool:
        now, registry = self._clock.now(), self._registry
        match action:
            case Discover(seen):
                return registry.discover(self._policy.pool, seen, now=now)
            case MarkIdle(instance, address, port):
                return registry.mark_idle(instance, address, port, now=now)
            case Withdraw(instance):
                return registry.withdraw(instance, now=now)
            case MarkInService(instance, since):
                registry.mark_in_service(instance, since)
            case MarkMissing(instance, since):
                registry.mark_missing(instance, since)
            case MarkTerminating(instance, expect, reason):
                return registry.end(
                    instance, expect=expect, to=InstanceState.TERMINATING, reason=reason, now=now
                )
            case MarkTerminated(instance, expect, reason):
                return registry.end(
                    instance, expect=expect, to=InstanceState.TERMINATED, reason=reason, now=now
                )
            case _:
                assert_never(action)
        return False  # a note for the next look: nothing follows from it at once

    def _change(self, action: Change) -> bool:
        match action:
            case Terminate(instance):
                return self._terminate(instance)
            case TagAllocation(instance, project, allocated_at):
                self._cloud.tag_allocation(instance, project, allocated_at)
                self._registry.mark_tagged(instance, project)
                return False
            case RaiseDesired(current, target):
                return self._raise(current, target)
            case _:
                assert_never(action)

    def _raise(self, current: int, target: int) -> bool:
        """Write desired capacity; the audit trail tells of each new figure once.

        Where desired cannot be read, the same figure is written until its members show. A lower figure than
        the one just written comes from a look that is older than the write: it would lower desired.
        """
        now = self._clock.now()
        last = self._raised.target if self._raised is not None and self._waits_for_members(now) else None
        if last is not None and target < last:
            return False
        try:
            self._cloud.raise_desired(target)
        except OutcomeUnknown:
            self._raised = _Raised(target, now)  # it may well have been written
            raise
        if target == last:
            return False
        self._raised = _Raised(target, now)
        self._registry.note_capacity(self._policy.pool, f"from {current} to {target}", now=now)
        return True

    def _terminate(self, instance: InstanceId) -> bool:
        """Ask AWS once. The call is noted before it is made: after a crash here it counts as in doubt.

        An instance that is busy is left in doubt as well, so that it is not asked for again at once.
        """
        self._registry.note_terminate_call(instance, self._clock.now())
        try:
            outcome = self._cloud.terminate(instance)
        except OutcomeUnknown:
            raise
        except CloudError:
            self._registry.note_terminate_call(instance, None)
            raise
        if outcome is TerminateOutcome.ACCEPTED and self._raised is not None:
            self._raised = replace(self._raised, target=self._raised.target - 1)
        return outcome is not TerminateOutcome.BUSY

    def _waits_for_members(self, now: datetime) -> bool:
        return self._raised is not None and now - self._raised.at < SHOWS_WITHIN

    def _record(self, seen: Observation, todo: Plan, outcome: "_Outcome") -> None:
        now = self._clock.now()
        standing = () if self._untagged is None else (self._untagged[1],)
        self._registry.record_view(
            PoolView(
                pool=self._policy.pool,
                group=seen.group,
                limited_by=outcome.limited_by(todo),
                notices=tuple(
                    dict.fromkeys((*todo.notices, *standing, *map(_notice, outcome.failures.values())))
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
        awaited = self._waits_for_members(now) and members < (seen.group.desired or 0)
        return awaited or any(
            instance.state in MOVING and now - instance.state_since < self._policy.boot_timeout
            for instance in after.values()
        )

    def _tell(self, seen: Observation, todo: Plan, outcome: "_Outcome", after: Known, waiting: int) -> None:
        count = _counter(after)
        sizing = todo.sizing
        raised = any(isinstance(one, RaiseDesired) for one in todo.actions) and not outcome.stuck
        limited_by = outcome.limited_by(todo)
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
            scaling=f"{sizing.current} -> {sizing.target}" if raised else None,
            limited_by=limited_by.value if limited_by else None,
            actions=len(todo.actions),
            failed=len(outcome.failures),
        )


@dataclass(slots=True)
class _Outcome:
    """What became of a plan."""

    changed: bool = False
    """Something is different now, so that another pass may have more to do."""
    failures: dict[Action, CloudError] = field(default_factory=dict)

    @property
    def stuck(self) -> bool:
        """Whether desired capacity could not be raised."""
        return any(isinstance(action, RaiseDesired) for action in self.failures)

    def limited_by(self, todo: Plan) -> Limit | None:
        """Say what keeps the buffer from being met."""
        return Limit.AWS_ERRORS if self.stuck else todo.sizing.limited_by


@dataclass(frozen=True, slots=True)
class _Raised:
    """The last desired capacity that we wrote, less what our terminations have taken from it since."""

    target: int
    at: datetime


def _counter(instances: Known) -> Callable[[InstanceState], int]:
    return lambda state: sum(instance.state is state for instance in instances.values())


def _notice(error: CloudError) -> Notice:
    return Notice(code=error.code, detail=error.detail)
