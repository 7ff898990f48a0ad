"""Carries out a plan: dull on purpose. One action that fails is told and counted, the rest still run."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from app.domain.errors import (
    AboveMax,
    BudgetSpent,
    CloudError,
    CloudUnavailable,
    Denied,
    NotLeading,
    OrchestratorError,
    OutcomeUnknown,
    Paused,
    Throttled,
    Unexpected,
)
from app.domain.events import EventKind
from app.domain.model import InstanceId, InstanceState, Limit, Policy
from app.domain.plan import Plan
from app.ports import Clock, Cloud, Mandate, Registry, TerminateOutcome
from app.service.desired import DesiredLog
from app.service.permits import Feature, Permits

log = structlog.get_logger()

TAGS_IN_A_PASS = 10
"""Each is two calls, and nothing waits for them. While the next pass is waited for, a pass writes one: a pool
that is always busy writes them all the same."""
REST = timedelta(minutes=1)
"""How long a tag, or a protection, that AWS refused is left alone: others are not to wait behind it."""
SHORT_REST = timedelta(seconds=5)
"""The same, where it was not refused but did not get through."""

_NOT_THROUGH = (Throttled, CloudUnavailable, OutcomeUnknown)

_FEATURES: dict[type[Action], Feature] = {TagAllocation: Feature.TAGS, Protect: Feature.PROTECTION}
"""What the pool does without where AWS denies it."""

_LIMITS: dict[type[CloudError], Limit] = {AboveMax: Limit.MAX_SIZE, Paused: Limit.PAUSED}
"""What is to be said where desired capacity could not be raised; of all other errors that there are some."""


@dataclass(slots=True)
class Outcome:
    """What became of a plan."""

    changed: bool = False
    """Something is different now, so that another pass may have more to do."""
    done: list[Action] = field(default_factory=list)
    protected: set[InstanceId] = field(default_factory=set)
    """Those that this pass has protected, which the look before it could not show."""
    failures: dict[Action, CloudError] = field(default_factory=dict)
    put_off: set[type[Action]] = field(default_factory=set)
    """What is left for another pass: nothing may hold this one up by failing again and again."""

    @property
    def throttled(self) -> bool:
        """Whether AWS wants fewer calls. Our own budget sees to itself, and tags, which can wait, do so."""
        return any(
            throttles(error) and not isinstance(action, TagAllocation)
            for action, error in self.failures.items()
        )

    @property
    def spent(self) -> Sequence[tuple[Action, BudgetSpent]]:
        """What our own budget of calls did not allow."""
        return [(one, error) for one, error in self.failures.items() if isinstance(error, BudgetSpent)]

    @property
    def put_off_for(self) -> float | None:
        """Seconds until some of that may be done; None where there is none but tags, which can wait."""
        return min(
            (spent.wait for action, spent in self.spent if not isinstance(action, TagAllocation)),
            default=None,
        )

    def limited_by(self, todo: Plan) -> Limit | None:
        """Say what keeps the buffer from being met; our own budget is about to have room again."""
        for action, error in self.failures.items():
            if isinstance(action, RaiseDesired) and not isinstance(error, BudgetSpent):
                return _LIMITS.get(type(error), Limit.AWS_ERRORS)
        return todo.sizing.limited_by


class Executor:
    """Applies the actions of one pool's plans, each against what it expects to find."""

    def __init__(
        self,
        *,
        policy: Policy,
        registry: Registry,
        cloud: Cloud,
        permits: Permits,
        desired: DesiredLog,
        mandate: Mandate,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._registry = registry
        self._cloud = cloud
        self._mandate = mandate
        self._permits = permits
        self._desired = desired
        self._clock = clock
        self._protected: set[InstanceId] = set()
        """Those that the pass in hand has protected."""
        self._resting: dict[tuple[type[Action], InstanceId], datetime] = {}

    def apply(self, actions: Iterable[Action], wanted: Callable[[], bool] = lambda: False) -> Outcome:
        """Do them in order, and say what became of them. Asks whether the next pass is `wanted`.

        Raises NotLeading where another replica may lead by now: it looks for itself, and knows better.
        """
        outcome, tags = Outcome(), 0
        for action in actions:
            if not self._mandate.trusted:
                raise NotLeading("This replica may not lead any more: the rest of the pass is left out.")
            feature = _FEATURES.get(type(action))
            if feature is not None and not self._permits.granted(feature):
                continue
            if type(action) in outcome.put_off:
                continue
            if isinstance(action, TagAllocation):
                most = 1 if wanted() else TAGS_IN_A_PASS
                if tags >= most or self._rests(TagAllocation, action.instance):
                    continue
                tags += 1
            try:
                outcome.changed |= self._apply(action)
            except CloudError as error:
                self._note_failure(action, error, outcome)
            else:
                outcome.done.append(action)
                if feature is not None:
                    self._permits.grant(feature)
        outcome.protected, self._protected = self._protected, set()
        return outcome

    def _note_failure(self, action: Action, error: CloudError, outcome: Outcome) -> None:
        outcome.failures[action] = error
        if isinstance(action, TagAllocation):
            self._rest(TagAllocation, action.instance, error)
            outcome.put_off.add(TagAllocation)
        if isinstance(error, _NOT_THROUGH):
            outcome.put_off.add(type(action))
        feature = _FEATURES.get(type(action))
        if feature is not None and isinstance(error, Denied):
            self._permits.deny(feature, error)
        if not isinstance(error, BudgetSpent):  # the pass tells that
            log.warning(
                "action.failed",
                pool=self._policy.pool,
                action=type(action).__name__,
                instance=action.instance if isinstance(action, Terminate | TagAllocation) else None,
                code=error.code,
                detail=error.detail,
            )

    def _rests(self, kind: type[Action], instance: InstanceId) -> bool:
        until = self._resting.get((kind, instance))
        if until is not None and until <= self._clock.now():
            del self._resting[kind, instance]
            return False
        return until is not None

    def _rest(self, kind: type[Action], instance: InstanceId, error: CloudError) -> None:
        pause = SHORT_REST if isinstance(error, _NOT_THROUGH) else REST
        self._resting[kind, instance] = self._clock.now() + pause

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
                self._protect(instances)
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
            written = self._cloud.raise_desired(target)
        except OutcomeUnknown:
            self._desired.wrote(target)  # it may well have been written
            raise
        if not written or target == last:
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

        An instance that is busy is left in doubt as well, so that it is not asked for again at once. From the
        note on it cannot be held any more; one that somebody holds since the look is left alone.
        """
        called_at = self._clock.now()
        if not self._registry.note_terminate_call(instance, called_at):
            return False
        try:
            outcome = self._cloud.terminate(instance)
        except OutcomeUnknown:
            self._desired.ended(surely=False)
            raise
        except OrchestratorError:  # AWS's, or that this replica may change nothing
            self._registry.forget_terminate_call(instance, called_at)
            raise
        if outcome is TerminateOutcome.ACCEPTED:
            self._desired.ended(surely=True)
        return outcome is TerminateOutcome.ACCEPTED

    def _protect(self, instances: tuple[InstanceId, ...]) -> None:
        """Protect them together, or each alone where AWS refuses them together: one may have left."""
        wanted = [one for one in instances if not self._rests(Protect, one)]
        if not wanted:
            return
        try:
            self._cloud.protect(wanted)
        except Unexpected:
            failures = [error for one in wanted if (error := self._protect_alone(one)) is not None]
            if failures:
                raise failures[0] from None
        else:
            self._protected.update(wanted)

    def _protect_alone(self, instance: InstanceId) -> CloudError | None:
        try:
            self._cloud.protect([instance])
        except Unexpected as error:
            self._rest(Protect, instance, error)
            return error
        self._protected.add(instance)
        return None


def throttles(error: CloudError) -> bool:
    """Whether AWS wants fewer calls of us; our own budget sees to itself."""
    return isinstance(error, Throttled) and not isinstance(error, BudgetSpent)
