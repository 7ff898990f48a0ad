"""One pass: observe, plan, apply. Repeatable at any line: each step says what it expects to find."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import structlog

from app.domain.actions import Adopt, Discover, RaiseDesired, Record
from app.domain.boots import boots
from app.domain.counting import counted
from app.domain.errors import BudgetSpent, CloudError, NotLeading, Paused
from app.domain.events import EventKind
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
from app.domain.oddities import named
from app.domain.plan import Plan
from app.domain.settled import Unsettled
from app.ports import Clock, Cloud, ControlPanel, Mandate, Registry
from app.service.desired import DesiredLog
from app.service.examination import Examination
from app.service.executor import Executor, Outcome, throttles
from app.service.permits import Feature, Permits
from app.service.preview import Preview, preview
from app.service.readiness import Readiness
from app.service.shortage import Shortage
from app.service.strays import StrayWatch

log = structlog.get_logger()

MOVING = frozenset({InstanceState.BOOTING, InstanceState.TERMINATING})

_QUIET = (Paused, BudgetSpent)
"""No warnings: that it was paused meanwhile is told wherever the pool is shown, and that our own budget is
used up is over in a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """What the poller needs to know of a pass to choose when the next one is due."""

    changed: bool = False
    """Something was done, so there may be more to do at once."""
    unsettled: bool = False
    """Instances are on their way in or out: look again soon."""
    failed: bool = False
    """AWS could not be looked at: what this pass was asked for is still to do."""
    throttled: bool = False
    """AWS wants fewer calls: slow down."""
    took_place: bool = True
    """False where our own budget of calls did not allow a look."""
    put_off: float | None = None
    """Seconds until our own budget of calls has room for what this pass had to leave; None where it left
    nothing, or what can wait for any other pass."""


class Reconciler:
    """Brings one pool from what is seen to what is wanted, a pass at a time, in one term of leadership."""

    def __init__(
        self,
        *,
        policy: Policy,
        registry: Registry,
        controls: ControlPanel,
        cloud: Cloud,
        examination: Examination,
        readiness: Readiness,
        mandate: Mandate,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` returns seconds that never jump."""
        self._policy = policy
        self._registry = registry
        self._controls = controls
        self._cloud = cloud
        self._mandate = mandate
        self._examination = examination
        self._readiness = readiness
        self._clock = clock
        self._monotonic = monotonic
        self._desired = DesiredLog(clock)
        self._permits = Permits(policy.pool, clock)
        self._executor = Executor(
            policy=policy,
            registry=registry,
            cloud=cloud,
            permits=self._permits,
            desired=self._desired,
            mandate=mandate,
            clock=clock,
        )
        self._shortage = Shortage(policy.pool, cloud, self._permits, clock)
        self._strays = StrayWatch(policy.absence_grace)
        self._short = False

    def tick(self, *, urgent: bool = False, wanted: Callable[[], bool] = lambda: False) -> PassReport:
        """Run one pass. A failing action does not stop the others; a failing look stops the pass.

        One that somebody wished for is `urgent`: what it needs to raise desired capacity, it may borrow.
        As soon as the next one is `wanted`, this one leaves what can wait.
        Raises NotLeading, or RegistryUnavailable, where it could not be finished.
        """
        begun = self._monotonic()
        try:
            now = preview(
                policy=self._policy,
                registry=self._registry,
                controls=self._controls,
                cloud=self._cloud,
                clock=self._clock,
                launch_failure=self._shortage.failure,
                urgent=urgent,
            )
        except BudgetSpent as spent:  # the last look is as good as it was
            self._tell_once(spent)
            return PassReport(took_place=False, put_off=spent.wait)
        except CloudError as error:
            self._readiness.see_nothing()
            return self._failed(error)
        if now.todo.refused:
            self._readiness.see_nothing()
            return self._refused(now.todo)
        self._still_leading()
        self._note_what_others_did(now.rest.seen, now.rest.known)
        outcome = self._executor.apply(now.todo.actions, wanted)
        after = self._after(now, outcome)
        booting = boots(now.rest.seen, after)
        safe = [look for look in booting if look.protected or self._secured(look.id, outcome)]
        self._readiness.see(safe)
        bare = {look.id for look in booting} - {look.id for look in safe}
        self._still_leading()
        self._record(now.seen, now.todo, outcome, bare)
        self._tell(now, outcome, after, self._monotonic() - begun)
        self._tell_once(next((spent for _, spent in outcome.spent), None))
        learnt = self._shortage.ask()  # a call that nothing waits for
        return PassReport(
            changed=outcome.changed or learnt,
            unsettled=self._unsettled(now.rest, after),
            throttled=now.seen.throttled or outcome.throttled,
            put_off=outcome.put_off_for,
        )

    def _still_leading(self) -> None:
        """Raise NotLeading where another may lead by now: what this pass saw is of no use then."""
        if not self._mandate.trusted:
            raise NotLeading("The pass took longer than this replica may lead: it is left to the next.")

    def _after(self, now: Preview, outcome: Outcome) -> Known:
        """Return what the registry has of the unsettled now: what the actions changed is read again."""
        changed = {_subject(action) for action in outcome.done if isinstance(action, Record)}
        return {**now.rest.known, **self._registry.these(changed)}

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

    def _secured(self, instance: InstanceId, outcome: Outcome) -> bool:
        """Whether a member that the look shows without protection may be offered all the same."""
        return not self._permits.granted(Feature.PROTECTION) or instance in outcome.protected

    def _record(self, seen: Observation, todo: Plan, outcome: Outcome, bare: Collection[InstanceId]) -> None:
        now = self._clock.now()
        notices = (
            *todo.notices,
            *_unprotected(bare),
            *self._desired.notices,
            *self._strays.notices,
            *self._permits.notices,
            *self._examination.notices(besides=todo.notices),
            *(_notice(error) for error in outcome.failures.values() if not isinstance(error, _QUIET)),
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
        standing = (notice for notice in last.notices if not notice.code.startswith("aws-"))
        self._keep(last, (_notice(error), *standing))
        log.warning("pass.failed", pool=self._policy.pool, code=error.code, detail=error.detail)
        return PassReport(failed=True, throttled=throttles(error))

    def _tell_once(self, spent: BudgetSpent | None) -> None:
        """Log that our own budget of calls put something off, the first time in a row."""
        if spent is not None and not self._short:
            log.info("pass.put_off", pool=self._policy.pool, detail=spent.detail)
        self._short = spent is not None

    def _refused(self, todo: Plan) -> PassReport:
        """Keep the last view, as if AWS could not have been looked at: this look may be of another group."""
        self._keep(self._registry.view(self._policy.pool), todo.notices)
        for notice in todo.notices:
            log.warning("pass.failed", pool=self._policy.pool, code=notice.code, detail=notice.detail)
        return PassReport(failed=True)

    def _keep(self, last: PoolView, notices: tuple[Notice, ...]) -> None:
        self._still_leading()
        now = self._clock.now()
        view = replace(last, limited_by=Limit.AWS_ERRORS, notices=notices, last_attempt_at=now)
        self._registry.record_view(view)

    def _unsettled(self, rest: Unsettled, after: Known) -> bool:
        """Whether to look again soon. What is stuck for long is no reason: AWS's calls are not for free."""
        now = self._clock.now()
        staying = rest.settled + len(rest.seen.staying)
        awaited = self._desired.awaits_members and staying < (rest.seen.group.desired or 0)
        return awaited or any(
            instance.state in MOVING
            and not instance.held
            and now - instance.state_since < self._policy.boot_timeout
            for instance in after.values()
        )

    def _tell(self, now: Preview, outcome: Outcome, after: Known, took: float) -> None:
        settled, count = now.rest.settled, counted(after.values())
        sizing, limited_by = now.todo.sizing, outcome.limited_by(now.todo)
        raised = any(isinstance(one, RaiseDesired) for one in outcome.done)
        log.info(
            "pass.finished",
            pool=self._policy.pool,
            found=settled + sum(look.member for look in now.rest.seen.instances.values()),
            idle=count.of(InstanceState.IDLE),
            used=settled + count.of(InstanceState.ALLOCATED),
            booting=count.of(InstanceState.BOOTING),
            terminating=count.of(InstanceState.TERMINATING),
            held=count.held,
            waiting=now.waiting,
            desired=sizing.current,
            scaling=f"{sizing.current} -> {sizing.target}" if raised else None,
            limited_by=limited_by.value if limited_by else None,
            actions=len(now.todo.actions),
            failed=len(outcome.failures),
            ms=round(took * 1000, 1),
        )


def _subject(record: Record) -> InstanceId:
    return record.seen.id if isinstance(record, Discover | Adopt) else record.instance


def _unprotected(bare: Collection[InstanceId]) -> Iterator[Notice]:
    if bare:
        yield Notice(
            code="members-unprotected",
            detail=f"In service, and not protected from scale-in, so not offered yet: {named(bare)}.",
        )


def _notice(error: CloudError) -> Notice:
    return Notice(code=error.code, detail=error.detail)
