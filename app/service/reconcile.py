"""One pass: observe, plan, apply. Repeatable at any line: each step says what it expects to find."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

import structlog

from app.domain.actions import (
    Action,
    Adopt,
    Change,
    Discover,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    Record,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.boots import boots
from app.domain.errors import AboveMax, BudgetSpent, CloudError, Denied, OutcomeUnknown, Throttled
from app.domain.model import (
    InstanceId,
    InstanceState,
    Known,
    Limit,
    Notice,
    Observation,
    Policy,
    PoolView,
)
from app.domain.plan import Plan
from app.ports import Clock, Cloud, EventKind, Preflight, Registry, TerminateOutcome
from app.service.desired import DesiredLog
from app.service.examination import Examination
from app.service.permits import Feature, Permits
from app.service.preview import Preview, preview
from app.service.readiness import Readiness
from app.service.shortage import Shortage
from app.service.strays import StrayWatch

log = structlog.get_logger()

MOVING = frozenset({InstanceState.BOOTING, InstanceState.TERMINATING})

_FEATURES: dict[type[Action], Feature] = {TagAllocation: Feature.TAGS, Protect: Feature.PROTECTION}
"""What the pool does without where AWS denies it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """What the poller needs to know of a pass to choose when the next one is due."""

    changed: bool = False
    """Something was done, so there may be more to do at once."""
    unsettled: bool = False
    """Instances are on their way in or out: look again soon."""
    throttled: bool = False
    """AWS wants fewer calls: slow down."""


class Reconciler:
    """Brings one pool from what is seen to what is wanted, a pass at a time; never two at once."""

    def __init__(
        self,
        *,
        policy: Policy,
        registry: Registry,
        cloud: Cloud,
        preflight: Preflight,
        readiness: Readiness,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._registry = registry
        self._cloud = cloud
        self._readiness = readiness
        self._clock = clock
        self._desired = DesiredLog(clock)
        self._permits = Permits(clock)
        self._shortage = Shortage(cloud, self._permits, clock)
        self._strays = StrayWatch(policy.absence_grace)
        self._examination = Examination(preflight, buffer=policy.buffer, clock=clock)

    def tick(self) -> PassReport:
        """Run one pass. A failing action does not stop the others; a failing look stops the pass."""
        try:
            now = preview(
                policy=self._policy,
                registry=self._registry,
                cloud=self._cloud,
                clock=self._clock,
                launch_failure=self._shortage.failure,
            )
        except CloudError as error:
            self._readiness.see(())
            return self._failed(error)
        self._note_what_others_did(now.seen, now.known)
        outcome = self._apply_all(now.todo.actions)
        learnt = self._shortage.ask() | self._examination.make()  # after all that cannot wait
        self._record(now.seen, now.todo, outcome)
        after = self._registry.instances(self._policy.pool)
        self._readiness.see(
            look for look in boots(now.seen, after) if look.protected or self._secured(look.id, outcome)
        )
        self._tell(now, outcome, after)
        return PassReport(
            changed=outcome.changed or learnt,
            unsettled=self._unsettled(now.seen, after),
            throttled=outcome.throttled,
        )

    def _note_what_others_did(self, seen: Observation, known: Known) -> None:
        now, pool = self._clock.now(), self._policy.pool
        move = self._desired.look(seen.group.desired)
        if move is not None:
            reason = f"from {move.before} to {move.after}"
            self._registry.record(EventKind.CAPACITY_MOVED, pool, reason=reason, now=now)
            log.warning("capacity.moved", pool=pool, before=move.before, after=move.after)
        for leak in self._strays.look(seen, known, now):
            self._registry.record(
                EventKind.INSTANCE_LEAKED, pool, reason="no member of the group", now=now, instance=leak
            )
            log.warning("instance.leaked", pool=pool, instance=leak)

    def _apply_all(self, actions: Iterable[Action]) -> "_Outcome":
        outcome = _Outcome()
        for action in actions:
            feature = _FEATURES.get(type(action))
            if feature is not None and not self._permits.granted(feature):
                continue
            if type(action) in outcome.put_off:
                continue
            try:
                outcome.changed |= self._apply(action)
            except CloudError as error:
                outcome.failures[action] = error
                if isinstance(action, TagAllocation) or isinstance(error, Throttled):
                    outcome.put_off.add(type(action))
                if feature is not None and isinstance(error, Denied):
                    self._permits.deny(feature, error)
                log.warning(
                    "action.failed", action=type(action).__name__, code=error.code, detail=error.detail
                )
            else:
                outcome.done.append(action)
                if feature is not None:
                    self._permits.grant(feature)
        return outcome

    def _apply(self, action: Action) -> bool:
        """Do it, and say whether it made a difference."""
        match action:
            case Terminate() | Protect() | TagAllocation() | RaiseDesired():
                return self._change(action)
            case _:
                return self._note(action)

    def _note(self, action: Record) -> bool:
        now, pool, registry = self._clock.now(), self._policy.pool, self._registry
        match action:
            case Discover(seen):
                return registry.discover(pool, seen, now=now)
            case Adopt(seen, project, since):
                port = seen.port or self._policy.port
                return registry.adopt(pool, seen, project, port=port, since=since, now=now)
            case Withdraw(instance, reason):
                return registry.withdraw(instance, reason=reason, now=now)
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
            case Protect(instances):
                self._cloud.protect(instances)
            case TagAllocation(instance, project, allocated_at):
                self._cloud.tag_allocation(instance, project, allocated_at)
                self._registry.mark_tagged(instance, project)
            case RaiseDesired(current, target):
                return self._raise(current, target)
            case _:
                assert_never(action)
        return False

    def _raise(self, current: int, target: int) -> bool:
        """Write desired capacity; the audit trail tells of each new figure once.

        Where desired cannot be read, the same figure is written until its members show. A lower figure than
        the one just written comes from a look that is older than the write: it would lower desired.
        """
        last = self._desired.raised_to
        if last is not None and target < last:
            return False
        try:
            self._cloud.raise_desired(target)
        except OutcomeUnknown:
            self._desired.wrote(target)  # it may well have been written
            raise
        if target == last:
            return False
        self._desired.wrote(target)
        self._registry.record(
            EventKind.CAPACITY_RAISED,
            self._policy.pool,
            reason=f"from {current} to {target}",
            now=self._clock.now(),
        )
        return True

    def _terminate(self, instance: InstanceId) -> bool:
        """Ask AWS once. The call is noted before it is made: after a crash here it counts as in doubt.

        An instance that is busy is left in doubt as well, so that it is not asked for again at once.
        """
        self._registry.note_terminate_call(instance, self._clock.now())
        try:
            outcome = self._cloud.terminate(instance)
        except OutcomeUnknown:
            self._desired.ended(surely=False)
            raise
        except CloudError:
            self._registry.note_terminate_call(instance, None)
            raise
        if outcome is TerminateOutcome.ACCEPTED:
            self._desired.ended(surely=True)
        return outcome is not TerminateOutcome.BUSY

    def _secured(self, instance: InstanceId, outcome: "_Outcome") -> bool:
        """Whether a member that the look shows without protection may be offered all the same."""
        return not self._permits.granted(Feature.PROTECTION) or outcome.has_protected(instance)

    def _record(self, seen: Observation, todo: Plan, outcome: "_Outcome") -> None:
        now = self._clock.now()
        notices = (
            *todo.notices,
            *self._desired.notices,
            *self._strays.notices,
            *self._permits.notices,
            *self._examination.notices(besides=todo.notices),
            *map(_notice, outcome.failures.values()),
        )
        self._registry.record_view(
            PoolView(
                pool=self._policy.pool,
                group=seen.group,
                limited_by=outcome.limited_by(todo),
                notices=tuple(dict.fromkeys(notices)),
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
        return PassReport(throttled=_throttles(error))

    def _unsettled(self, seen: Observation, after: Known) -> bool:
        """Whether to look again soon. What is stuck for long is no reason: AWS's calls are not for free."""
        now = self._clock.now()
        awaited = self._desired.awaits_members and sum(1 for _ in seen.staying) < (seen.group.desired or 0)
        return awaited or any(
            instance.state in MOVING and now - instance.state_since < self._policy.boot_timeout
            for instance in after.values()
        )

    def _tell(self, now: Preview, outcome: "_Outcome", after: Known) -> None:
        def count(state: InstanceState) -> int:
            return sum(instance.state is state for instance in after.values())

        sizing, limited_by = now.todo.sizing, outcome.limited_by(now.todo)
        raised = any(isinstance(one, RaiseDesired) for one in outcome.done)
        log.info(
            "pass.finished",
            pool=self._policy.pool,
            found=sum(look.member for look in now.seen.instances.values()),
            idle=count(InstanceState.IDLE),
            used=count(InstanceState.ALLOCATED),
            booting=count(InstanceState.BOOTING),
            terminating=count(InstanceState.TERMINATING),
            waiting=now.waiting,
            desired=sizing.current,
            scaling=f"{sizing.current} -> {sizing.target}" if raised else None,
            limited_by=limited_by.value if limited_by else None,
            actions=len(now.todo.actions),
            failed=len(outcome.failures),
        )


@dataclass(slots=True)
class _Outcome:
    """What became of a plan."""

    changed: bool = False
    """Something is different now, so that another pass may have more to do."""
    done: list[Action] = field(default_factory=list)
    failures: dict[Action, CloudError] = field(default_factory=dict)
    put_off: set[type[Action]] = field(default_factory=set)
    """What is left for another pass: tags must not hold it up, nor calls of which AWS has enough."""

    @property
    def throttled(self) -> bool:
        """Whether AWS wants fewer calls; our own budget sees to itself."""
        return any(_throttles(error) for error in self.failures.values())

    def has_protected(self, instance: InstanceId) -> bool:
        """Whether an instance is protected since this pass."""
        return any(isinstance(action, Protect) and instance in action.instances for action in self.done)

    def limited_by(self, todo: Plan) -> Limit | None:
        """Say what keeps the buffer from being met."""
        for action, error in self.failures.items():
            if isinstance(action, RaiseDesired):
                return Limit.MAX_SIZE if isinstance(error, AboveMax) else Limit.AWS_ERRORS
        return todo.sizing.limited_by


def _throttles(error: CloudError) -> bool:
    return isinstance(error, Throttled) and not isinstance(error, BudgetSpent)


def _notice(error: CloudError) -> Notice:
    return Notice(code=error.code, detail=error.detail)
